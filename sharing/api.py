"""The patient's API of grants and activity, for programs that hold her session."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.errors import BadRequest
from accounts.models import User
from accounts.permissions import IsPerson
from sharing import access, disclosures, drafts, given, grants, links
from sharing.disclosures import Look
from sharing.given import GrantView
from sharing.models import Grant

MOST_STUDIES = 1000
OF_LINK = ("passcode", "most_openings")


@extend_schema_field(
    {"oneOf": [{"type": "array", "items": {"type": "string", "format": "uuid"}}, {"enum": ["all", "all_and_later"]}]}
)
class StudiesField(serializers.Field[Any, Any, Any, Any]):
    """A list of ids, or the words `all` and `all_and_later`."""

    default_error_messages = {"wrong": _("Give a list of study ids, “all” or “all_and_later”.")}

    def to_internal_value(self, value: object) -> list[UUID] | str:
        """Ids as UUIDs, each once."""
        if value in (Grant.Scope.ALL, Grant.Scope.ALL_AND_LATER):
            return str(value)
        if not isinstance(value, list) or len(value) > MOST_STUDIES:
            self.fail("wrong")
        try:
            return list(dict.fromkeys(UUID(one) for one in value))
        except (ValueError, TypeError, AttributeError):
            self.fail("wrong")

    def to_representation(self, value: Grant) -> list[str] | str:
        """Of a grant: its scope, or what it names."""
        if value.scope == Grant.Scope.ALL_AND_LATER:
            return str(value.scope)
        return list(dict.fromkeys(str(item.study_id) for item in value.items.order_by("pk")))


class AddresseeSerializer(serializers.Serializer[Any]):
    """To whom: an address, or whoever has the link, with what the giver calls them."""

    kind = serializers.ChoiceField(choices=Grant.Kind.values)
    email = serializers.EmailField(required=False)
    whom = serializers.CharField(required=False, allow_blank=True, max_length=drafts.WHOM_LENGTH)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """An address where one is needed, and none where it would be forgotten."""
        is_by_email = attrs["kind"] == Grant.Kind.EMAIL
        if is_by_email and "email" not in attrs:
            raise serializers.ValidationError({"email": [_("This field is required.")]})
        if not is_by_email and "email" in attrs:
            raise serializers.ValidationError({"email": [_("A link goes to no address: send it yourself.")]})
        return attrs


class AskSerializer(serializers.Serializer[Any]):
    """What `POST /api/v1/grants/` takes."""

    studies = StudiesField()
    series = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        max_length=MOST_STUDIES,
        help_text="Ids of series: of their studies these alone.",
    )
    to = AddresseeSerializer()
    rights = serializers.ListField(child=serializers.ChoiceField(choices=list(drafts.RIGHTS)))
    expires_at = serializers.DateTimeField()
    passcode = serializers.BooleanField(required=False, help_text="Of a link; true unless told otherwise.")
    most_openings = serializers.IntegerField(
        required=False, min_value=1, max_value=links.MOST_OPENINGS, help_text="Of a link."
    )
    starts_at = serializers.DateTimeField(required=False)
    purpose = serializers.ChoiceField(required=False, choices=Grant.Purpose.choices)
    note = serializers.CharField(required=False, default="", allow_blank=True, max_length=drafts.NOTE_LENGTH)
    tell_each = serializers.BooleanField(required=False, default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Rather refused than forgotten: whoever asks for a passcode relies on it."""
        if attrs["to"]["kind"] == Grant.Kind.EMAIL and (attrs.get("passcode") or "most_openings" in attrs):
            told = [_("This goes with a link; by e-mail the address is proved.")]
            raise serializers.ValidationError({name: told for name in OF_LINK if name in attrs})
        return attrs


class MadeSerializer(serializers.Serializer[Any]):
    """What a new grant answers. By link it has `url`, `code` and perhaps `passcode`, this once only."""

    id = serializers.UUIDField()
    expires_at = serializers.DateTimeField()
    url = serializers.URLField(required=False)
    code = serializers.CharField(required=False)
    passcode = serializers.CharField(required=False)


class GrantSerializer(serializers.Serializer[GrantView]):
    """One grant as the list tells it."""

    id = serializers.UUIDField(source="grant.id")
    to = serializers.SerializerMethodField()
    studies = StudiesField(source="grant")
    series = serializers.SerializerMethodField()
    rights = serializers.SerializerMethodField()
    purpose = serializers.CharField(source="grant.purpose")
    note = serializers.CharField(source="grant.note")
    tell_each = serializers.BooleanField(source="grant.tell_each")
    created_at = serializers.DateTimeField(source="grant.created_at")
    starts_at = serializers.DateTimeField(source="grant.starts_at")
    expires_at = serializers.DateTimeField(source="grant.expires_at")
    revoked_at = serializers.DateTimeField(source="grant.revoked_at", allow_null=True)
    first_opened_at = serializers.DateTimeField(source="grant.first_opened_at", allow_null=True)
    last_opened_at = serializers.DateTimeField(source="grant.last_opened_at", allow_null=True)
    active = serializers.SerializerMethodField()
    sentence = serializers.CharField()

    def get_to(self, view: GrantView) -> dict[str, str]:
        """As it was asked for."""
        named = {"email": view.grant.email, "whom": view.grant.whom}
        return {"kind": view.grant.kind, **{name: value for name, value in named.items() if value}}

    def get_series(self, view: GrantView) -> list[str]:
        """Of studies that are lent in parts."""
        return [str(item.series_id) for item in view.grant.items.exclude(series=None).order_by("pk")]

    def get_rights(self, view: GrantView) -> list[str]:
        """In the words of the request."""
        return grants.rights_of(view.grant)

    def get_active(self, view: GrantView) -> bool:
        """Whether it opens anything now."""
        return not view.ended


class LookSerializer(serializers.Serializer[Look]):
    """One line of the activity."""

    at = serializers.DateTimeField()
    who = serializers.CharField()
    how = serializers.CharField()
    what = serializers.CharField()
    study = serializers.UUIDField(source="study_id", allow_null=True)


class Grants(APIView):
    """Who can see what."""

    permission_classes = [IsPerson]

    @extend_schema(responses=GrantSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List the grants from my records, ended ones too, the newest first."""
        told: Any = given.of(cast(User, request.user))  # many=True takes a list, which the stubs do not know
        return Response(GrantSerializer(told, many=True).data)

    @extend_schema(request=AskSerializer, responses={201: MadeSerializer})
    def post(self, request: Request) -> Response:
        """Lend studies to somebody by e-mail, or to whoever has a link."""
        ask = AskSerializer(data=request.data)
        ask.is_valid(raise_exception=True)
        asked = ask.validated_data
        to, of_link = asked.pop("to"), {name: asked.pop(name) for name in OF_LINK if name in asked}
        giver, is_by_link = cast(User, request.user), to.pop("kind") == Grant.Kind.LINK
        if is_by_link:
            link = links.make(giver, way="api", **asked, **to, **of_link)
            return Response(_link_made(link), status=201)
        made = grants.grant(giver, way="api", **asked, email=to["email"])
        return Response(MadeSerializer(made).data, status=201)


class OneGrant(APIView):
    """One grant of mine."""

    permission_classes = [IsPerson]

    @extend_schema(responses={204: None})
    def delete(self, request: Request, grant_id: UUID) -> Response:
        """Stop it; the same again changes nothing."""
        grants.revoke(cast(User, request.user), grant_id, way="api")
        return Response(status=204)


class Activity(APIView):
    """Who looked."""

    permission_classes = [IsPerson]

    @extend_schema(
        parameters=[OpenApiParameter("study", OpenApiTypes.UUID, description="Of one study only.")],
        responses=LookSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """List every look and every deed with my images, the newest first."""
        user, wanted = cast(User, request.user), request.query_params.get("study")
        study = access.kept_study(user, _study_id(wanted)) if wanted else None
        told: Any = disclosures.tell(disclosures.activity(user, study=study).iterator(), user)
        return Response(LookSerializer(told, many=True).data)


def _link_made(link: links.Made) -> dict[str, Any]:
    shown = {"url": link.url, "code": link.code, **({"passcode": link.passcode} if link.passcode else {})}
    return {**MadeSerializer(link.grant).data, **shown}


def _study_id(wanted: str) -> UUID:
    try:
        return UUID(wanted)
    except ValueError as error:
        raise BadRequest(_("`study` is no id of a study."), hint=_("Use an id of /api/v1/studies/.")) from error
