"""Which study is of which exam: by Study Instance UID where the RIS says it, else by accession number, and only ever
of one person."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction
from django.db.models import Q

from studies.models import Exam, FacilityPatient, Study
from studies.orders.groups import group
from studies.receiving.known import lock


def attach(study: Study) -> None:
    """Give the exams that a study is of their study. Those of another patient wait: they are not of it."""
    named = Q(study_uid=study.study_uid)
    if study.accession_number:
        named |= Q(accession_number=study.accession_number, study_uid="")
    with transaction.atomic():
        lock(study.facility)
        hers = Exam.objects.filter(named, facility=study.facility, patient__in=group(study.patient))
        hers.exclude(study=study).update(study=study)


def study_of(hers: Collection[FacilityPatient], accession_number: str, study_uid: str) -> Study | None:
    """The study of an exam of one person; None where none has come, or where several could be it."""
    named = Q(study_uid=study_uid) if study_uid else Q(accession_number=accession_number)
    found = list(Study.objects.filter(named, patient__in=hers)[:2])
    return found[0] if len(found) == 1 else None


def join(hers: Collection[FacilityPatient]) -> None:
    """Let exams find their studies again, in the caller's transaction: what was two people's is one person's now."""
    for exam in Exam.objects.filter(patient__in=hers, study=None):
        exam.study = study_of(hers, exam.accession_number, exam.study_uid)
        exam.save(update_fields=["study"])


def part(hers: Collection[FacilityPatient]) -> None:
    """Let go of studies that are another person's after all, in the caller's transaction."""
    Exam.objects.filter(patient__in=hers).exclude(study=None).exclude(study__patient__in=hers).update(study=None)
