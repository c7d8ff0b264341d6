"""For machines of a new physician: an archive opens a link by its code, pulls, and says what it stored."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from sharing import capabilities, openings
from sharing.viewers import Guest, Right

MOST_INSTANCES = 10**6


class PullSerializer(serializers.Serializer[Any]):
    """What `POST /api/v1/pulls/` takes: the code from the sheet, its passcode, and who fetches."""

    code = serializers.CharField(max_length=40)
    passcode = serializers.CharField(max_length=20, required=False, default="", allow_blank=True)
    name = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    practice = serializers.CharField(max_length=200)
    npi = serializers.CharField(max_length=10, required=False, default="", allow_blank=True)


class PullMadeSerializer(serializers.Serializer[Any]):
    """Where to pull, and until when."""

    base = serializers.URLField()
    expires_at = serializers.DateTimeField()


class StoredSerializer(serializers.Serializer[Any]):
    """What an archive says it stored of a study."""

    study_uid = serializers.CharField(max_length=64)
    stored = serializers.IntegerField(min_value=0, max_value=MOST_INSTANCES)
    failed = serializers.IntegerField(min_value=0, max_value=MOST_INSTANCES)


class Pulls(APIView):
    """A base to pull from, for the code on a sheet."""

    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []

    @extend_schema(request=PullSerializer, responses={201: PullMadeSerializer})
    def post(self, request: Request) -> Response:
        """Open a link by its code and passcode: an opening like any other, and its giver reads who came."""
        ask = PullSerializer(data=request.data)
        ask.is_valid(raise_exception=True)
        said = ask.validated_data
        openings.check_npi(said["npi"])
        address = get_adapter(request).get_client_ip(request)
        who = {"session": None, "host": None, "address": address, "right": Right.DOWNLOAD}
        opened = openings.open_code(said["code"], said["passcode"], **who)
        try:
            openings.introduce(opened.session, name=said["name"], practice=said["practice"], npi=said["npi"])
            made = capabilities.make(opened.grant, actor=Guest(opened.session).actor)
        finally:
            openings.close(opened.session)  # the machine has its address, and nobody a cookie
        return Response({"base": made.base, "expires_at": made.capability.expires_at}, status=201)


class Receipt(APIView):
    """What became of what was pulled."""

    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []

    @extend_schema(request=StoredSerializer, responses={204: None})
    def post(self, request: Request, capability: str) -> Response:
        """Tell the patient that an archive has stored her study, and how much of it."""
        said = StoredSerializer(data=request.data)
        said.is_valid(raise_exception=True)
        capabilities.note_stored(capabilities.find(capability), **said.validated_data)
        return Response(status=204)
