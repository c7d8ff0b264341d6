"""Exams whose files are of somebody else than the patient whose number they carry: held back until the desk decides."""

from __future__ import annotations

from typing import Final

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.audit import Actor
from accounts.errors import Conflict
from accounts.models import User
from sharing import cases, releases
from sharing.models import Case, Release
from studies import identity
from studies.identity import Said
from studies.models import Study

REASON: Final = "Its files are of somebody else than the patient on file."


class NothingToSettle(Conflict):
    """Somebody was quicker, or other files have come since."""

    code = "nothing_to_settle"
    message = _("There is nothing to decide here any more.")
    hint = _("Look at the patient's page: it says what has come since.")


def hold(study: Study) -> None:
    """Take an exam off every screen, and ask the desk. Twice changes nothing."""
    with transaction.atomic():
        if not Study.objects.filter(pk=study.pk).exclude(identity.AGREES).exists():
            return
        if Release.objects.filter(study=study, withdrawn_at=None).exists():
            releases.withdraw(study, REASON, actor=Actor.system())
        waiting = Case.objects.filter(study=study, kind=Case.Kind.DISAGREES, closed_at=None)
        if not waiting.exists():
            cases.open_case(Case.Kind.DISAGREES, study.patient, actor=Actor.system(), study=study)


def hold_missed() -> int:
    """The same for exams whose moment was missed; how many there were."""
    waiting = Case.objects.filter(kind=Case.Kind.DISAGREES, closed_at=None)
    missed = Study.objects.exclude(identity.AGREES).exclude(pk__in=waiting.values("study"))
    found = list(missed.exclude(release__withdrawn_at__isnull=False).select_related("patient"))
    for study in found:
        hold(study)
    return len(found)


def said_in(case: Case) -> Said | None:
    """What the files of the case's exam say of the patient; None where nothing contradicts any more."""
    kept = case.study.contradiction if case.study else None
    return Said.kept(kept) if kept else None


def same_person(case: Case, *, answer: str, user: User, actor: Actor) -> None:
    """It is she after all: her exam goes its way. NothingToSettle where that is settled."""
    study = _study_of(case)
    with transaction.atomic():
        if not identity.settle(study):
            raise NothingToSettle
        cases.answer(case, answer, user=user, actor=actor)
        if Release.objects.filter(study=study, withdrawn_reason=REASON).exclude(withdrawn_at=None).exists():
            releases.release(study, actor=actor)
    releases.follow(study)


def somebody_else(case: Case, *, answer: str, user: User, actor: Actor) -> None:
    """It is not she: the exam stays held back, whoever hands out a code, until its facility sends it rightly."""
    with transaction.atomic():
        cases.answer(case, answer, user=user, actor=actor)
        releases.withdraw(_study_of(case), REASON, actor=actor)


def _study_of(case: Case) -> Study:
    if case.study is None:
        raise NothingToSettle
    return case.study
