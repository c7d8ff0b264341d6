"""`manage.py shred FACILITY_SLUG PATIENT_ID`: destroy a patient's key, so that nobody reads her images again."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils.translation import gettext_lazy as _

from accounts.audit import Actor
from accounts.errors import NotFound
from portal.management.operator import REFUSED, OperatorCommand, facility_by
from sharing import erasure
from sharing.erasure import Certificate
from studies import patients
from studies.models import FacilityPatient
from studies.store import shredding

BACKUPS = (
    "Backups made before hold her sealed images and the keys to them until they are thrown away: `manage.py backup`"
    " does so after 35 days. Make a backup now: restoring any older one from the same folder then erases her again."
)


class Command(OperatorCommand):
    help = (
        "Erases everything a facility published of a patient, for good: her key is destroyed, her exams are withdrawn,"
        " her codes end. What stays: UIDs, digests, her patient ID, and the record of who did what. Prints a"
        " certificate. There is no way back."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("facility", metavar="FACILITY_SLUG")
        parser.add_argument("patient_id", metavar="PATIENT_ID")
        parser.add_argument("--issuer", default="", metavar="OID", help="Where several issuers use the patient ID.")
        parser.add_argument("--yes", action="store_true", help="Do not ask to type the patient ID once more.")

    def handle(
        self, *args: Any, facility: str, patient_id: str, issuer: str, yes: bool, json: bool, **options: Any
    ) -> None:
        patient = patients.find(facility_by(facility), patient_id, issuer)
        if patient is None:
            raise NotFound(
                _("This facility has no such patient."), hint=_("Give her patient ID exactly as its images name it.")
            )
        if not yes:
            self._ask(patient)
        certificate = erasure.erase(patient, actor=Actor.operator())
        shredding.forget_pages()
        self.answer(_fields(certificate), _sentence(patient, certificate), as_json=json)

    def _ask(self, patient: FacilityPatient) -> None:
        if not sys.stdin.isatty():
            raise CommandError("Nothing was erased. Without a terminal to ask at, say --yes.", returncode=REFUSED)
        exams = patient.studies.count()
        self.stderr.write(f"This erases {exams} exams of this patient for good. Type her patient ID to go on:")
        if sys.stdin.readline().strip() != patient.patient_id:
            raise CommandError("Nothing was erased: that is another patient ID.", returncode=REFUSED)


def _fields(certificate: Certificate) -> dict[str, Any]:
    shredded = certificate.shredded
    return {
        "event": certificate.event.pk,
        "at": certificate.at.isoformat(),
        "studies": shredded.studies,
        "instances": shredded.instances,
        "reports": shredded.reports,
        "objects": shredded.objects,
        "bytes": shredded.size,
        "shared": shredded.shared,
    }


def _sentence(patient: FacilityPatient, certificate: Certificate) -> str:
    shredded = certificate.shredded
    said = (
        f"Erased at {certificate.at:%Y-%m-%d %H:%M:%S} UTC, event {certificate.event.pk} of the record of deeds:"
        f" {shredded.studies} exams with {shredded.instances} instances and {shredded.reports} reports, in"
        f" {shredded.objects} objects of {shredded.size} bytes, of patient {patient.pk}."
        f" Her key is destroyed.\n{BACKUPS}"
    )
    if shredded.shared:
        said += (
            f"\n{shredded.shared} files that say they are hers lie among another patient's, set aside: settle them"
            " at the desk."
        )
    return said
