"""The facility's API for its RIS: exams and their states, patients as its index knows them, merges; by facility key."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import JSONParser as Parser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.audit import Actor
from accounts.parsers import JSONParser
from studies import patients
from studies.models import Exam, Merge
from studies.orders import exams, merges
from studies.orders.exams import Said
from studies.orders.states import State
from studies.patients import Person
from studies.report_api import FacilityView, facility_of, take_body

FIRST_DAY = date(1850, 1, 1)


class PersonSerializer(serializers.Serializer[Person]):
    """Somebody as her facility names her: patient ID, its issuer, a DICOM PN (Doe^Jane), birth date, sex (M, F, O)."""

    patient_id = serializers.CharField(max_length=128)
    issuer = serializers.CharField(max_length=200, allow_blank=True, default="")
    name = serializers.CharField(max_length=400, allow_blank=True, default="")
    birth_date = serializers.DateField(allow_null=True, default=None)
    sex = serializers.ChoiceField(["M", "F", "O", ""], default="")

    def validate_birth_date(self, day: date | None) -> date | None:
        """A day on which somebody who lives may have been born."""
        if day is not None and not FIRST_DAY <= day <= timezone.localdate():
            raise serializers.ValidationError("Nobody who has an exam was born on this day.")
        return day


class ExamSerializer(PersonSerializer):
    """What a message says of an exam, and of whose it is. `said_at` is when the RIS wrote the message."""

    accession_number = serializers.CharField(max_length=64)
    state = serializers.ChoiceField(State.choices)
    said_at = serializers.DateTimeField()
    study_uid = serializers.RegexField(r"^[0-9.]*$", max_length=64, allow_blank=True, default="")
    description = serializers.CharField(max_length=200, allow_blank=True, default="")
    modality = serializers.CharField(max_length=16, allow_blank=True, default="")
    scheduled_for = serializers.DateTimeField(allow_null=True, default=None)


class KnownExamSerializer(serializers.Serializer[Exam]):
    """What is known of an exam now: a message that was overtaken does not move its state."""

    accession_number = serializers.CharField()
    state = serializers.CharField()
    state_at = serializers.DateTimeField()


class MergeSerializer(serializers.Serializer[Any]):
    """Two numbers of one person: which stays and which goes; `reversed` takes the merge back."""

    survivor = PersonSerializer()
    merged = PersonSerializer()
    reversed = serializers.BooleanField(default=False)


class MadeMergeSerializer(serializers.Serializer[Merge]):
    """A merge that stands."""

    id = serializers.UUIDField()
    made_at = serializers.DateTimeField()


class RisView(FacilityView):
    """A view for what a RIS tells."""

    parser_classes: list[type[Parser]] = [JSONParser]

    def said(self, request: Request, kind: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        """What was sent, checked."""
        take_body(request)
        sent = kind(data=request.data)
        sent.is_valid(raise_exception=True)
        return dict(sent.validated_data)


class Exams(RisView):
    """`POST /api/v1/exams/`."""

    @extend_schema(request=ExamSerializer, responses={200: KnownExamSerializer, 201: KnownExamSerializer})
    def post(self, request: Request) -> Response:
        """Tell of an exam and its state: 201, or 200 for a message that came before. Order and repetition are free."""
        said = self.said(request, ExamSerializer)
        person = Person(**{one.name: said.pop(one.name) for one in fields(Person)})
        exam, is_new = exams.hear(facility_of(request), person, Said(**{**said, "state": State(said["state"])}))
        return Response(KnownExamSerializer(exam).data, status=201 if is_new else 200)


class Patients(RisView):
    """`POST /api/v1/patients/`."""

    @extend_schema(request=PersonSerializer, responses={204: None})
    def post(self, request: Request) -> Response:
        """Tell what a patient is called and when she was born: so it is from now on. 204."""
        facility = facility_of(request)
        patients.correct(facility, Person(**self.said(request, PersonSerializer)), actor=Actor.facility(facility))
        return Response(status=204)


class Merges(RisView):
    """`POST /api/v1/merges/`."""

    @extend_schema(request=MergeSerializer, responses={200: MadeMergeSerializer, 201: MadeMergeSerializer, 204: None})
    def post(self, request: Request) -> Response:
        """Say that two numbers are one person's: 201, 200 where that was known; 204 with `reversed`."""
        said = self.said(request, MergeSerializer)
        survivor, gone = Person(**said["survivor"]), Person(**said["merged"])
        if said["reversed"]:
            merges.reverse(facility_of(request), survivor, gone)
            return Response(status=204)
        made, is_new = merges.merge(facility_of(request), survivor, gone)
        return Response(MadeMergeSerializer(made).data, status=201 if is_new else 200)
