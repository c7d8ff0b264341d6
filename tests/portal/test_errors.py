"""Refusals as programs and people read them: a code, words, and a next step, whoever refuses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.errors import PortalError
from portal import urls
from tests.cast import Cast

assert urls  # every module that refuses is imported


def kinds(of: type[PortalError] = PortalError) -> Iterator[type[PortalError]]:
    for kind in of.__subclasses__():
        yield kind
        yield from kinds(kind)


def test_every_kind_of_refusal_says_what_to_do_next() -> None:
    wordless = [kind.__name__ for kind in kinds() if kind.hint == PortalError.hint]
    assert wordless == []


@pytest.mark.parametrize(
    ("method", "body", "status", "code"),
    [
        ("post", '{"rights": 7}', 400, "invalid"),
        ("post", "{", 400, "parse_error"),
        ("put", "{}", 405, "method_not_allowed"),
    ],
)
def test_the_api_refuses_in_one_shape(cast: Cast, method: str, body: str, status: int, code: str) -> None:
    client = APIClient()
    client.force_login(cast.maria)
    answer = client.generic(method.upper(), "/api/v1/grants/", body, content_type="application/json")
    told = answer.json()
    assert (answer.status_code, told["code"]) == (status, code)
    assert told["message"]
    assert told["hint"]


def test_a_wrong_key_is_told_what_to_do(db: None) -> None:
    answer = Client().post("/api/v1/reports/", headers={"Authorization": "Bearer nonsense"})
    assert answer.status_code == 401
    assert answer.json()["hint"]
