"""`manage.py claimcode FACILITY_SLUG PATIENT_ID`: a code for a facility's patient, even before anything arrived."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.audit import Actor
from accounts.errors import BadRequest
from accounts.models import Facility
from portal.management.operator import OperatorCommand, facility_by, iso_date
from sharing import claims, releases
from studies import patients
from studies.models import FacilityPatient
from studies.patients import Source


class Command(OperatorCommand):
    help = "Registers the patient when unknown, releases what is ready, and issues a new claim code."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("facility", metavar="FACILITY_SLUG")
        parser.add_argument("patient_id", metavar="PATIENT_ID")
        parser.add_argument("--name", default="", help='As DICOM writes it: "Doe^Jane".')
        parser.add_argument("--birth-date", type=iso_date, metavar="YYYY-MM-DD")

    def handle(
        self, *args: Any, facility: str, patient_id: str, name: str, birth_date: date | None, json: bool, **options: Any
    ) -> None:
        patient = _registered(facility_by(facility), patient_id, name, birth_date)
        text, code = claims.issue(patient, actor=Actor.operator())
        # After the code, so that a study that becomes ready meanwhile is missed by neither.
        releases.release_ready(patient, actor=Actor.operator())
        fields = {
            "code": text,
            "birth_date": str(patient.birth_date),
            "expires_at": code.expires_at.isoformat(),
        }
        sentence = f"{text}, good until {code.expires_at:%Y-%m-%d}, with the birth date {patient.birth_date}."
        self.answer(fields, sentence, as_json=json)


def _registered(facility: Facility, patient_id: str, name: str, birth_date: date | None) -> FacilityPatient:
    """The patient with a birth date to ask for; refused before anything is written when there is none."""
    known = patients.find(facility, patient_id)
    if birth_date is None and (known is None or known.birth_date is None):
        raise BadRequest(
            _("No birth date of this patient is known, and a claim asks for it."),
            hint=_("Give it with --birth-date YYYY-MM-DD, or publish an image that has it."),
        )
    return patients.register(
        facility, patient_id, name=name, birth_date=birth_date, source=Source.COMMAND, actor=Actor.operator()
    )
