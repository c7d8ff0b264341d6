"""Exams as a RIS tells of them: known before their images, each with the history of its states."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.audit import Actor
from accounts.errors import Conflict
from accounts.models import Facility
from studies.models import Exam, ExamEvent, FacilityPatient, Study
from studies.orders.groups import group
from studies.orders.joining import study_of
from studies.orders.states import RANK, Event, State, present
from studies.patients import Person, named
from studies.receiving.known import lock
from studies.signals import exam_moved

READ: Final = frozenset(state for state, rank in RANK.items() if rank >= RANK[State.FINAL]) - {State.CANCELLED}
"""States in which a radiologist has said her last word for now."""


class OtherPatient(Conflict):
    """One accession number, two people: to guess whose it is would show one of them the other's exam."""

    code = "other_patient"
    message = _("This accession number is known for an exam of another patient.")
    hint = _("Correct the message, or merge the two patients if they are one.")


@dataclass(frozen=True)
class Said:
    """What one message says of an exam; "" and None where it says nothing."""

    accession_number: str
    state: State
    said_at: datetime
    study_uid: str = ""
    description: str = ""
    modality: str = ""
    scheduled_for: datetime | None = None


def hear(facility: Facility, person: Person, said: Said) -> tuple[Exam, bool]:
    """Keep what a message says of an exam, and of whose it is; True where that was new.

    The same message again changes nothing, and one that was overtaken moves nothing back. Raises OtherPatient;
    `patients.OtherPerson` where it contradicts what is known of her.
    """
    with transaction.atomic():
        lock(facility)
        patient = named(facility, person, actor=Actor.facility(facility))
        exam = _exam(facility, patient, said)
        _, is_new = ExamEvent.objects.get_or_create(exam=exam, state=said.state, said_at=said.said_at)
        if is_new:
            _move(exam)
            _describe(exam, said)
            if exam.study is None:
                exam.study = study_of(group(patient), exam.accession_number, exam.study_uid)
            exam.save()
            _tell(exam)
    return exam, is_new


def of(patient: FacilityPatient) -> QuerySet[Exam]:
    """A patient's exams, the newest first."""
    return Exam.objects.filter(patient__in=group(patient)).order_by("-state_at", "pk")


def history(exam: Exam) -> list[ExamEvent]:
    """All that was said of an exam, in the order of the clock of the RIS."""
    return sorted(exam.events.all(), key=lambda one: (one.said_at, RANK[State(one.state)]))


def closed_without_report(study: Study) -> datetime | None:
    """Since when its RIS says of all exams of a study that no report will be written here; None else."""
    said = dict(Exam.objects.filter(study=study).exclude(state=State.CANCELLED).values_list("state_at", "state"))
    return max(said) if said and set(said.values()) == {State.NON_REPORTABLE} else None


def _exam(facility: Facility, patient: FacilityPatient, said: Said) -> Exam:
    known = Exam.objects.filter(facility=facility, accession_number=said.accession_number).first()
    hers = group(patient)
    if known is None:
        return Exam.objects.create(
            facility=facility,
            patient=patient,
            accession_number=said.accession_number,
            study=study_of(hers, said.accession_number, said.study_uid),
            state=said.state,
            state_at=said.said_at,
        )
    if known.patient_id not in {one.pk for one in hers}:
        raise OtherPatient
    return known


def _move(exam: Exam) -> None:
    now = present(Event(State(one.state), one.said_at) for one in exam.events.all())
    exam.state, exam.state_at = now.state, now.said_at


def _describe(exam: Exam, said: Said) -> None:
    """Keep what the newest message says beside the state; what it leaves out stays."""
    if said.said_at < exam.state_at:
        return
    exam.description = said.description[:200] or exam.description
    exam.modality = said.modality[:16] or exam.modality
    exam.study_uid = said.study_uid or exam.study_uid
    exam.scheduled_for = said.scheduled_for or exam.scheduled_for


def _tell(exam: Exam) -> None:
    study_id = exam.study_id
    if study_id is not None:
        transaction.on_commit(lambda: exam_moved.send(sender=Exam, study_id=study_id), robust=True)
