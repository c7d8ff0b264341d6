"""The facility's API beside STOW-RS: reports in, receipts out, both by facility key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import FacilityKeyAuthentication
from accounts.errors import BadRequest, PortalError
from accounts.models import Facility
from accounts.parsers import JSONParser
from accounts.permissions import IsFacility
from studies import announcements, receipts, reports
from studies.documents import readings
from studies.models import Announcement, Report
from studies.receipts import InstanceReceipt, NeverPublished, StudyReceipt
from studies.receiving.body import BLOCK, Body
from studies.values import is_uid

MOST_EXPECTED = 1_000_000
BODY_LIMIT = readings.FILE_LIMIT + 64 * 1024  # a file and the form around it


class ReportTooLarge(PortalError):
    """More than a report can be."""

    status, code = 413, "too_large"
    message = _("This report is larger than 50 MiB.")
    hint = _("Send a smaller PDF.")


class BrokenOff(BadRequest):
    """A form that ends before its end: a part of a report must not pass for the whole of it."""

    code = "broken_off"
    message = _("This report did not arrive whole.")
    hint = _("Send it again.")


class InMemory(MemoryFileUploadHandler):
    """Keeps a file in memory, however large: Django would lay it down unsealed. The body was bounded before."""

    def handle_raw_input(self, *args: Any, **kwargs: Any) -> None:
        self.activated = True


class ReportSerializer(serializers.Serializer[Report]):
    """A report as a facility sends it: `text`, or `file` (PDF, DICOM SR, encapsulated PDF, plain text).

    A DICOM file names its study itself; with anything else `study_uid` or `accession_number` says which it is.
    `patient_id`, where it is said, must be that of the study.
    """

    study_uid = serializers.RegexField(r"^[0-9.]+$", max_length=64, required=False, default="")
    accession_number = serializers.CharField(max_length=64, required=False, default="")
    patient_id = serializers.CharField(max_length=128, required=False, default="")
    status = serializers.ChoiceField(Report.Status.choices)
    text = serializers.CharField(required=False, trim_whitespace=False)
    file = serializers.FileField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One study, one body."""
        if "text" in attrs and not (attrs["study_uid"] or attrs["accession_number"]):
            raise serializers.ValidationError(_("Name the study: send study_uid or accession_number."))
        if ("text" in attrs) == ("file" in attrs):
            raise serializers.ValidationError(_("Send the report either as text or as file."))
        return attrs


class ReceivedSerializer(serializers.Serializer[Report]):
    """What became of a report: `attached` says whether its study is here."""

    id = serializers.UUIDField()
    version = serializers.IntegerField()
    status = serializers.CharField()
    attached = serializers.SerializerMethodField()

    def get_attached(self, report: Report) -> bool:
        """Whether the study has come."""
        return report.study_id is not None


class FacilityView(APIView):
    """A view for facilities' tools."""

    authentication_classes = [FacilityKeyAuthentication]
    permission_classes = [IsFacility]


class Reports(FacilityView):
    """`POST /api/v1/reports/`."""

    parser_classes = [JSONParser, MultiPartParser]

    @extend_schema(
        request={"application/json": ReportSerializer, "multipart/form-data": ReportSerializer},
        responses={201: ReceivedSerializer, 202: ReceivedSerializer},
    )
    def post(self, request: Request) -> Response:
        """Send a version of a report: 201, or 202 while its study has not come. The same again changes nothing."""
        take_body(request)
        sent = ReportSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        said = sent.validated_data
        report, _created = reports.receive(
            facility_of(request),
            study_uid=said["study_uid"],
            accession_number=said["accession_number"],
            patient_id=said["patient_id"],
            status=said["status"],
            content=said["text"] if "text" in said else said["file"].read(),
        )
        return Response(ReceivedSerializer(report).data, status=201 if report.study_id else 202)


class InstanceReceiptSerializer(serializers.Serializer[InstanceReceipt]):
    """One instance: receiving, processing, ready, rejected, quarantined, left_out; damaged (send it again), erased."""

    sop_uid = serializers.CharField()
    sha256 = serializers.CharField()
    state = serializers.CharField()


class ReceiptSerializer(serializers.Serializer[StudyReceipt]):
    """What became of a published study: receiving, processing, ready, quarantined or withdrawn."""

    state = serializers.CharField()
    expected = serializers.IntegerField(allow_null=True)
    complete = serializers.BooleanField(allow_null=True)
    problem = serializers.CharField(required=False)
    instances = InstanceReceiptSerializer(many=True)


class AnnouncementSerializer(serializers.Serializer[Announcement]):
    """How many instances a study has."""

    expected_instances = serializers.IntegerField(min_value=1, max_value=MOST_EXPECTED)


class Receipt(FacilityView):
    """`GET` and `POST /api/v1/publications/<study_uid>/`."""

    is_withdrawn: Callable[[Facility, str], bool] | None = None
    """Whether a facility's study (by UID) was taken back: known above this app, given to `as_view`."""

    @extend_schema(responses=ReceiptSerializer)
    def get(self, request: Request, study_uid: str) -> Response:
        """Ask what became of a study that this facility published."""
        return Response(self._receipt(request, study_uid))

    @extend_schema(request=AnnouncementSerializer, responses={200: ReceiptSerializer, 202: ReceiptSerializer})
    def post(self, request: Request, study_uid: str) -> Response:
        """Say how many instances a study has: 200 with the receipt, or 202 while the study has not come."""
        take_body(request)
        sent = AnnouncementSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        _known_uid(study_uid)
        is_here = announcements.announce(facility_of(request), study_uid, sent.validated_data["expected_instances"])
        return Response(self._receipt(request, study_uid), status=200 if is_here else 202)

    def _receipt(self, request: Request, study_uid: str) -> StudyReceipt:
        facility = facility_of(request)
        _known_uid(study_uid)
        withdrawn = self.is_withdrawn is not None and self.is_withdrawn(facility, study_uid)
        return receipts.receipt(facility, study_uid, is_withdrawn=withdrawn)


def _known_uid(text: str) -> None:
    """Raises `NeverPublished` for what cannot be the UID of a study."""
    if not is_uid(text):
        raise NeverPublished


def facility_of(request: Request) -> Facility:
    """Whose key came with a request that IsFacility has let through."""
    assert isinstance(request.auth, Facility)  # noqa: S101 - IsFacility has seen to it
    return request.auth


def take_body(request: Request) -> None:
    """Read the body here, now that the key was checked, and leave it where Django and DRF look for one read before.

    Their own reading sees nothing of a chunked body.
    """
    django = request._request
    django._body, django._read_started = _whole(Body(django)), True  # type: ignore[attr-defined]
    _check_end(django.body, django.content_params or {})
    django.META["CONTENT_LENGTH"] = str(len(django.body))
    django.upload_handlers = [InMemory(django)]


def _check_end(body: bytes, parameters: dict[str, str]) -> None:
    """A form ends with its closing boundary (RFC 2046 §5.1.1). Django takes one without, and a broken chunked body
    looks like a complete one here."""
    if (boundary := parameters.get("boundary")) and f"--{boundary}--".encode("latin-1", "replace") not in body:
        raise BrokenOff


def _whole(body: Body) -> bytes:
    body.check()
    blocks = []
    while block := body.read(BLOCK):
        blocks.append(block)
        if body.size > BODY_LIMIT:
            body.drain()
            raise ReportTooLarge
    body.finish()
    return b"".join(blocks)
