"""What waits for somebody at the desk: opened by whoever asks, closed with an answer and in no other way."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import audit, throttle
from accounts.audit import Action, Actor
from accounts.errors import BadRequest, Conflict, NotFound
from accounts.models import Facility, User
from sharing import releases
from sharing.models import Case, ClaimCode, Link
from studies.models import FacilityPatient, Study

MOST_A_DAY: Final = 10  # of one patient
LONGEST: Final = 2000


class Answered(Conflict):
    """Somebody else was quicker."""

    code = "answered"
    message = _("This has been answered already.")
    hint = _("Read the answer; if more is to be said, the patient can ask again.")


def open_case(
    kind: Case.Kind,
    patient: FacilityPatient,
    *,
    actor: Actor,
    user: User | None = None,
    text: str = "",
    study: Study | None = None,
    code: ClaimCode | None = None,
    link: Link | None = None,
) -> Case:
    """Ask a facility about one of its patients; asked for a code twice, the request that is open stays the one.

    BadRequest for a text that is too long; TooManyTries beyond ten a day about one patient.
    """
    if len(text) > LONGEST:
        raise BadRequest(_("That is too long."), hint=_("Say it in fewer words, or call."))
    if kind == Case.Kind.CODE and (waiting := _open_request(patient)):
        return waiting
    if kind != Case.Kind.NOT_ME:  # which comes once for each thing that it stops, and must stop it
        throttle.hit("cases of a patient", str(patient.pk), cap=MOST_A_DAY, within=timedelta(days=1))
    about = {"text": text.strip(), "study": study, "code": code, "link": link, "opened_by": user}
    try:
        with transaction.atomic():
            case = Case.objects.create(facility_id=patient.facility_id, kind=kind, patient=patient, **about)
            _note(Action.CASE_OPENED, case, actor)
    except IntegrityError:  # asked for twice in the same moment
        return Case.objects.get(patient=patient, kind=Case.Kind.CODE, closed_at=None)
    return case


def waiting_at(facility: Facility) -> QuerySet[Case]:
    """What a facility has not answered, the oldest first."""
    unanswered = Case.objects.filter(facility=facility, closed_at=None)
    return unanswered.select_related("patient", "study", "code", "link").order_by("opened_at", "pk")


def case_for(facility: Facility, case_id: UUID) -> Case:
    """One case of a facility, answered or not; NotFound for another's."""
    about = Case.objects.select_related("patient", "study", "code", "link", "answered_by")
    found = about.filter(pk=case_id, facility=facility).first()
    if found is None:
        raise NotFound
    return found


def asked_by(user: User) -> QuerySet[Case]:
    """What somebody asked, the newest first, with the answers."""
    return Case.objects.filter(opened_by=user).select_related("facility", "study").order_by("-opened_at", "pk")


def answer(case: Case, text: str, *, user: User | None, actor: Actor) -> None:
    """Close a case with the words that whoever asked will read. BadRequest without any; Answered for a second time."""
    said = text.strip()
    if not said or len(said) > LONGEST:
        raise BadRequest(_("Write an answer, in 2,000 characters at most."), hint=_("The patient reads it."))
    with transaction.atomic():
        mine = Case.objects.filter(pk=case.pk, closed_at=None)
        if not mine.update(answer=said, answered_by=user, closed_at=timezone.now()):
            raise Answered
        _note(Action.CASE_ANSWERED, case, actor)


def _open_request(patient: FacilityPatient) -> Case | None:
    return Case.objects.filter(patient=patient, kind=Case.Kind.CODE, closed_at=None).first()


def _note(action: Action, case: Case, actor: Actor) -> None:
    audit.record(
        action,
        actor=actor,
        facility_id=case.facility_id,
        record_id=releases.record_of(case.patient_id),
        study_id=case.study_id,
        way="page",
        case=str(case.pk),
        kind=case.kind,
    )
