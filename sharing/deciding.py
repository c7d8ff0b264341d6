"""What somebody at the desk makes of a question: an answer always, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from uuid import UUID

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.audit import Actor
from accounts.errors import BadRequest
from accounts.models import User
from sharing import cases, desk, disagreements, reissue, wrong_person
from sharing.access import Staff
from sharing.models import Case


class Verdict(models.TextChoices):
    """The buttons under a question."""

    ANSWER = "answer", _("Answer")
    MAIL = "mail", _("Send a new code to the address on file")
    GIVE_BACK = "give_back", _("It was right: give the images back")
    UNDO = "undo", _("It was the wrong person: undo it")
    SAME = "same", _("It is the same person: release the exam")
    OTHER = "other", _("It is somebody else: keep it back")


def _answer(case: Case, *, answer: str, user: User, actor: Actor) -> None:
    cases.answer(case, answer, user=user, actor=actor)


def _mail(case: Case, *, answer: str, user: User, actor: Actor) -> None:
    reissue.by_mail(case, user=user, actor=actor)


_DEEDS: Final[dict[Verdict, Callable[..., object]]] = {
    Verdict.ANSWER: _answer,
    Verdict.MAIL: _mail,
    Verdict.GIVE_BACK: wrong_person.give_back,
    Verdict.UNDO: wrong_person.decide_wrong,
    Verdict.SAME: disagreements.same_person,
    Verdict.OTHER: disagreements.somebody_else,
}
_OF: Final = {
    Case.Kind.CODE: (Verdict.MAIL, Verdict.ANSWER),
    Case.Kind.NOT_ME: (Verdict.GIVE_BACK, Verdict.UNDO),
    Case.Kind.DISAGREES: (Verdict.SAME, Verdict.OTHER),
    Case.Kind.MERGED: (Verdict.ANSWER,),
    Case.Kind.PROBLEM: (Verdict.ANSWER,),
}


def waiting_at(staff: Staff) -> list[Case]:
    """What this facility has not answered, the oldest first."""
    return list(cases.waiting_at(staff.facility))


def question_for(staff: Staff, case_id: UUID) -> Case:
    """One question to this facility, else NotFound; its patient is looked at with it."""
    case = cases.case_for(staff.facility, case_id)
    desk.patient_for(staff, case.patient_id)
    return case


def verdicts_on(case: Case) -> tuple[Verdict, ...]:
    """What may be made of a question, the likeliest first; nothing of one that is answered."""
    if case.closed_at is not None:
        return ()
    # Where only a code was ended, there is nothing to give back.
    only_code = case.kind == Case.Kind.NOT_ME and case.link is None
    return (Verdict.ANSWER,) if only_code else _OF[Case.Kind(case.kind)]


def decide(staff: Staff, case: Case, verdict: Verdict, answer: str) -> None:
    """Answer a question, and do what follows. BadRequest for what its kind does not have, or without an answer."""
    if verdict not in _OF[Case.Kind(case.kind)] and verdict != Verdict.ANSWER:
        raise BadRequest(_("That is no answer to this question."), hint=_("Choose one of the buttons."))
    _DEEDS[verdict](case, answer=answer, user=staff.user, actor=staff.actor)
