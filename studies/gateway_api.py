"""What a gateway says of itself to the portal, once a minute, by facility key."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import JSONParser as Parser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import gateways
from accounts.gateways import Letter, Machine, Wanted
from accounts.parsers import JSONParser
from studies.report_api import FacilityView, facility_of, take_body

NAME = r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$"
LONGEST_AGO = 10 * 366 * 86400  # seconds


class MachineSerializer(serializers.Serializer[Machine]):
    """One that sends to the gateway."""

    name = serializers.CharField(max_length=64)
    seconds_ago = serializers.IntegerField(min_value=0, max_value=LONGEST_AGO, allow_null=True)


class LetterSerializer(serializers.Serializer[Letter]):
    """Something that the portal does not take."""

    id = serializers.RegexField(r"^[0-9a-f]{32}$")
    what = serializers.CharField(max_length=300)
    reason = serializers.CharField(max_length=600)
    seconds_ago = serializers.IntegerField(min_value=0, max_value=LONGEST_AGO)


class FindingSerializer(serializers.Serializer[Any]):
    """One thing that a gateway looked at when it tested itself."""

    is_well = serializers.BooleanField()
    words = serializers.CharField(max_length=600)


class WantedSerializer(serializers.Serializer[Wanted]):
    """What staff want of the gateway: letters to try again, a test of itself."""

    retry = serializers.ListField(child=serializers.CharField())
    test = serializers.BooleanField(source="is_test")


class GatewaySerializer(serializers.Serializer[Any]):
    """A gateway's state: times are seconds before now, for its clock may be wrong."""

    name = serializers.RegexField(NAME, max_length=64)
    waiting = serializers.IntegerField(min_value=0, max_value=10**9)
    oldest_seconds = serializers.IntegerField(min_value=0, max_value=LONGEST_AGO, default=0)
    dead = serializers.IntegerField(min_value=0, max_value=10**9)
    trouble = serializers.CharField(max_length=300, allow_blank=True, default="")
    machines = serializers.ListField(child=MachineSerializer(), max_length=200, default=list)
    letters = serializers.ListField(child=LetterSerializer(), max_length=100, default=list)
    findings = serializers.ListField(child=FindingSerializer(), max_length=100, default=list)


class Gateways(FacilityView):
    """`POST /api/v1/gateways/`."""

    parser_classes: list[type[Parser]] = [JSONParser]

    @extend_schema(request=GatewaySerializer, responses={200: WantedSerializer, 204: None})
    def post(self, request: Request) -> Response:
        """Say how a gateway is: 204, or 200 with what staff want of it, said once."""
        take_body(request)
        sent = GatewaySerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        said = dict(sent.validated_data)
        machines = [Machine(**one) for one in said.pop("machines")]
        letters = [Letter(**one) for one in said.pop("letters")]
        wanted = gateways.hear(facility_of(request), said.pop("name"), machines=machines, letters=letters, **said)
        return Response(WantedSerializer(wanted).data) if wanted.is_anything else Response(status=204)
