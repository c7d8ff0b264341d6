from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.views import APIView

from accounts.authentication import FacilityKeyAuthentication, PersonAuthentication, bearer_token
from accounts.permissions import IsFacility, IsPerson
from tests.cast import Cast

FACTORY = APIRequestFactory()


class ForFacilities(APIView):
    authentication_classes = [FacilityKeyAuthentication]
    permission_classes: list[type[BasePermission]] = [IsFacility]

    def post(self, request: Request) -> Response:
        return Response(str(request.auth))


class ForPeople(APIView):
    authentication_classes = [PersonAuthentication]
    permission_classes: list[type[BasePermission]] = [IsPerson]

    def get(self, request: Request) -> Response:
        return Response("seen")


class Forgotten(APIView):
    def get(self, request: Request) -> Response:
        return Response("leaked")


def _post(**headers: str) -> Any:
    return ForFacilities.as_view()(FACTORY.post("/", headers=headers))


def test_a_key_lets_its_facility_in(cast: Cast) -> None:
    answer = _post(Authorization=f"Bearer {cast.lakeside_key}")
    assert (answer.status_code, answer.data) == (200, "Lakeside Imaging")


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer nonsense", "Basic bGJ4Og==", "Token {key}", "Bearer {key}x"])
def test_without_a_good_key_the_answer_is_401_and_says_what_to_send(cast: Cast, header: str) -> None:
    answer = _post(Authorization=header.format(key=cast.lakeside_key))
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Bearer realm="Lightbox"'


def test_a_person_is_let_in_and_nobody_is_401(cast: Cast) -> None:
    request = FACTORY.get("/")
    request.user = cast.maria
    assert ForPeople.as_view()(request).status_code == 200
    request = FACTORY.get("/")
    request.user = AnonymousUser()
    assert ForPeople.as_view()(request).status_code == 401


def test_a_view_that_forgot_its_permission_lets_nobody_in(cast: Cast) -> None:
    request = FACTORY.get("/")
    force_authenticate(request, cast.maria)
    assert Forgotten.as_view()(request).status_code == 403


@pytest.mark.parametrize(
    ("header", "token"),
    [("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("Basic abc", None), ("", None), ("Bearer", "")],
)
def test_a_bearer_token_is_read_from_its_header(header: str, token: str | None) -> None:
    assert bearer_token(header) == token
