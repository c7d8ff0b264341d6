"""Whether what is said of a patient is said of the person that a facility knows by that number.

A slip at the scanner puts one person's pictures under another's number. What contradicts is kept beside the study,
teaches nothing, and waits for somebody at the desk: the patient does not see it until then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Final

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from studies.models import FacilityPatient, Study
from studies.names import folded
from studies.signals import contradicted
from studies.values import dicom_date

SEXES: Final = ("M", "F")  # of DICOM's values those that contradict each other; O is anything
AGREES: Final = Q(contradiction__isnull=True) | Q(contradiction_settled_at__isnull=False)
"""Of studies: nothing in them contradicts what is known of the patient, or somebody at the desk has settled it."""


@dataclass(frozen=True)
class Said:
    """What somebody says of a patient; empty where she says nothing, which contradicts nothing."""

    name: str = ""  # DICOM PN
    birth_date: date | None = None
    sex: str = ""

    @classmethod
    def kept(cls, contradiction: Mapping[str, str]) -> Said:
        """As it stands beside a study."""
        return cls(contradiction["name"], dicom_date(contradiction["birth_date"]), contradiction["sex"])

    def to_keep(self) -> dict[str, str]:
        """For the column beside a study."""
        day = self.birth_date.strftime("%Y%m%d") if self.birth_date else ""
        return {**asdict(self), "birth_date": day}


def contradicts(patient: FacilityPatient, said: Said) -> bool:
    """Whether it is said of somebody else, as far as anybody can tell.

    Two birth dates, or two sexes, are two people. A name may change by half, at a marriage or by a slip of the
    keyboard, for the number is hers; two names without a common word are two people.
    """
    if patient.birth_date and said.birth_date and patient.birth_date != said.birth_date:
        return True
    if patient.sex in SEXES and said.sex in SEXES and patient.sex != said.sex:
        return True
    ours, theirs = set(folded(patient.name).split()), set(folded(said.name).split())
    return bool(ours and theirs) and not ours & theirs


def is_settled(study: Study) -> bool:
    """Whether nothing in a study contradicts its patient, or somebody has settled that."""
    return Study.objects.filter(AGREES, pk=study.pk).exists()


def note(study: Study, said: Said) -> None:
    """Keep beside a study what contradicts, in the caller's transaction, and tell those above. What somebody at the
    desk has settled is not asked again."""
    kept: dict[str, Any] = said.to_keep()
    current = Study.objects.filter(pk=study.pk)
    if current.filter(contradiction=kept).exists():
        return
    current.update(contradiction=kept, contradiction_settled_at=None)
    study_id = study.pk
    transaction.on_commit(lambda: contradicted.send(sender=Study, study_id=study_id), robust=True)


def settle(study: Study) -> bool:
    """It is the same person after all; whether there was anything to settle."""
    open_ones = Study.objects.filter(pk=study.pk, contradiction__isnull=False, contradiction_settled_at=None)
    return bool(open_ones.update(contradiction_settled_at=timezone.now()))
