"""Where an exam is on its way from the order to its patient: RSNA Image Share's twenty steps, from stored rows alone.

Each has RSNA's number (`status_codes` of its edge server), a name, a sentence for the patient and, where somebody can
mend something, what staff do. Below zero something is in the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import gateways
from accounts.errors import Words
from sharing import notices
from sharing.models import ClaimCode, Link, Notice, Release
from sharing.proving import LIFETIME_CAP
from studies import completeness, identity
from studies.models import Exam, Study
from studies.orders.states import DONE, RANK, State

LATE: Final = timedelta(hours=24)
"""After an exam is done its images are missed."""
IDLE: Final = timedelta(minutes=10)
"""Without a file, what has come is all that comes (RSNA: 600 seconds)."""


@dataclass(frozen=True)
class Step:
    """One step: `patient` reads one sentence, `staff` the other; "" where there is nothing to do but wait."""

    code: int
    name: str
    patient: Words
    staff: Words = ""


_ON_ITS_WAY: Final = _("Your images are on their way to you.")
_LOOKED_AT: Final = _("Your facility is looking after this exam.")

STEPS: Final = {
    step.code: step
    for step in (
        Step(1, "expected", _("This exam is ahead of you.")),
        Step(24, "being_done", _("This exam is being done.")),
        Step(23, "receiving", _("The images are arriving.")),
        Step(30, "received", _("The images are here, and are being read.")),
        Step(31, "preparing", _("Your pictures are being prepared.")),
        Step(32, "to_release", _LOOKED_AT, _("Release it, or ask the patient for her consent.")),
        Step(33, "to_claim", _("Your images wait for your code."), _("She holds a code and has not used it.")),
        Step(21, "awaits_report", _("It opens when the report is final.")),
        Step(22, "awaits_day", _("It opens on the day that your facility has set.")),
        Step(34, "being_told", _("A message about it is on its way to you.")),
        Step(40, "delivered", _("It is in your account.")),
        Step(-1, "gateway_silent", _ON_ITS_WAY, _("The gateway is silent: see Gateways.")),
        Step(-20, "patient_incomplete", _LOOKED_AT, _("Add the patient's birth date: she is asked for it.")),
        Step(-21, "no_images", _ON_ITS_WAY, _("Send the images from the PACS: none has come.")),
        Step(
            -23, "incomplete", _("Some of the images are still missing."), _("Send the study again: files are missing.")
        ),
        Step(-24, "cancelled", _("This exam was cancelled.")),
        Step(-30, "failed", _LOOKED_AT, _("Tell your operator: its pictures could not be prepared.")),
        Step(-32, "contradicted", _LOOKED_AT, _("Decide under Questions whose files these are.")),
        Step(-33, "no_code", _("Your images wait. Ask your facility for a code."), _("Hand out a code.")),
        Step(-34, "not_told", _("It is in your account."), _("The letter came back: correct the contact.")),
    )
}


def of_exam(exam: Exam) -> Step:
    """Where an exam is, as its RIS and its images know it."""
    if exam.state == State.CANCELLED and exam.study is None:
        return STEPS[-24]
    return of_study(exam.study) if exam.study is not None else STEPS[_before_images(exam)]


def of_study(study: Study) -> Step:
    """Where a study is: the first of these that is so."""
    offer = Release.objects.filter(study=study).first()
    return STEPS[_first(_arriving(study)) or _first(_opening(study, offer)) or _reaching(study)]


Answers = Iterable[tuple[int, bool | Callable[[], Any]]]


def _first(answers: Answers) -> int:
    """The code of the first that is so; later ones are not asked. 0 for none."""
    return next((code for code, holds in answers if (holds() if callable(holds) else holds)), 0)


def _before_images(exam: Exam) -> int:
    if RANK[State(exam.state)] < DONE:
        return 24 if exam.state == State.IN_PROGRESS else 1
    heard = gateways.of(exam.facility)
    if heard and all(gateways.is_silent(one) for one in heard):
        return -1
    return -21 if _is_past(exam.state_at, LATE) else 23


def _arriving(study: Study) -> Answers:
    job = getattr(study, "job", None)
    idle = _is_past(study.changed_at, IDLE)
    is_short = bool(completeness.incomplete([study]))
    yield -32, lambda: not identity.is_settled(study)
    yield -30, job is not None and job.dead_at is not None
    yield -23, is_short and idle
    yield 23, is_short or (study.state == Study.State.STORED and not idle and not study.instance_count)
    yield 30, study.state == Study.State.STORED
    yield 31, study.state == Study.State.INDEXED


def _opening(study: Study, offer: Release | None) -> Answers:
    yield -24, offer is not None and offer.withdrawn_at is not None
    yield -20, study.patient.birth_date is None
    yield 32, offer is None
    yield 21, offer is not None and offer.available_at is None
    yield 22, offer is not None and offer.available_at is not None and offer.available_at > timezone.now()


def _reaching(study: Study) -> int:
    patient = study.patient
    if not Link.objects.filter(patient=patient, ended_at=None).exists():
        live = ClaimCode.objects.filter(patient=patient, used_at=None, revoked_at=None, wrong_tries__lt=LIFETIME_CAP)
        return 33 if live.filter(expires_at__gt=timezone.now()).exists() else -33
    if notices.bounced(patient):
        return -34
    waiting = Notice.objects.filter(study=study, state=Notice.State.WAITING)
    return 34 if waiting.exists() else 40


def _is_past(moment: datetime, by: timedelta) -> bool:
    return timezone.now() - moment > by
