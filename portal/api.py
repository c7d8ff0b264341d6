"""The patient's studies, for programs that hold her session; and what the API's description says of sign-in."""

from __future__ import annotations

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import FacilityKeyAuthentication, PersonAuthentication
from accounts.permissions import IsPerson
from portal import delivery
from sharing import access
from studies import catalog
from studies.models import Study


class StudySerializer(serializers.Serializer[Study]):
    """One study as `GET /api/v1/studies/` lists it."""

    id = serializers.UUIDField()
    study_uid = serializers.CharField()
    description = serializers.SerializerMethodField()
    date = serializers.DateField(source="study_date", allow_null=True)
    facility = serializers.CharField(source="facility.name")
    modalities = serializers.ListField(child=serializers.CharField())
    instances = serializers.IntegerField(source="instance_count")

    def get_description(self, study: Study) -> str:
        """The facility's own words, else ours."""
        return study.description or str(catalog.title(study))


class Studies(APIView):
    """What the signed-in person may see now, newest first."""

    permission_classes = [IsPerson]

    @extend_schema(responses=StudySerializer(many=True))
    def get(self, request: Request) -> Response:
        """List my studies."""
        mine = access.timeline(delivery.viewer_of(request))
        return Response([StudySerializer(study).data for study in mine])


# --- how the API's description names whoever asks ----------------------------------------------------


class FacilityKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself untyped
    """The facility key."""

    target_class = FacilityKeyAuthentication
    name = "facilityKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        """An HTTP bearer token."""
        return {"type": "http", "scheme": "bearer"}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself untyped
    """A person's session."""

    target_class = PersonAuthentication
    name = "session"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        """The cookie that a sign-in leaves."""
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}
