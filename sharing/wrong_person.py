"""When images may have gone to the wrong person: stopped at once by whoever says so, decided at the desk.

The contact that a facility has on file is told, see `sharing.alarms`. What is frozen is as good as gone: the link has
ended, and with it every loan of its pictures, until somebody at the desk decides.
"""

from __future__ import annotations

from collections.abc import Callable

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.audit import Action, Actor
from accounts.errors import Conflict
from accounts.models import Facility, User
from sharing import alarms, cases, claims, emails, merging, releases
from sharing.models import Case, ClaimCode, Grant, GrantItem, Link
from studies.models import FacilityPatient, Study


class NotFrozen(Conflict):
    """There is nothing to decide any more."""

    code = "not_frozen"
    message = _("This has been decided already, or the images have gone to an account since.")
    hint = _("Look at the patient's page: it says where she stands.")


def stop(token: str) -> None:
    """“This was not me”: freeze what the letter told of, and ask the desk. Twice changes nothing.

    alarms.TokenRefused for what is no token of ours.
    """
    kind, pk = alarms.read(token)
    if kind == "link":
        link = Link.objects.select_related("patient", "record__user").filter(pk=pk).first()
        if link is None:
            raise alarms.TokenRefused
        _freeze(link)
        return
    code = ClaimCode.objects.select_related("patient").filter(pk=pk).first()
    if code is None:
        raise alarms.TokenRefused
    claimed = _claimed_by(code)
    if claimed:
        _freeze(claimed)
    else:
        _end_code(code)


def give_back(case: Case, *, answer: str, user: User, actor: Actor) -> Link:
    """It was right: the images are in the same record again. NotFrozen where that is not so any more."""
    frozen = case.link
    with transaction.atomic():
        if frozen is None or frozen.frozen_at is None or not _is_free(frozen.patient):
            raise NotFrozen
        cases.answer(case, answer, user=user, actor=actor)
        restored = Link.objects.create(patient=frozen.patient, record=frozen.record, claimed_by=frozen.claimed_by)
        merging.follow(restored)
        _note(Action.RESTORED, restored, actor)
        _write_to(frozen, emails.given_back)
    return restored


def undo(link: Link, *, actor: Actor) -> int:
    """A wrong claim is taken back: the pictures are gone, the loans of them ended; how many loans that were.

    What was done stays in the record of deeds. Works on a frozen link and on one that is not.
    """
    with transaction.atomic():
        claims.unlink(link, actor=actor)
        ended = _end_loans(link, actor)
        _note(Action.CLAIM_UNDONE, link, actor, loans=ended)
    return ended


def decide_wrong(case: Case, *, answer: str, user: User, actor: Actor) -> int:
    """It was the wrong person: undo, and answer the case."""
    if case.link is None:
        raise NotFrozen
    with transaction.atomic():
        cases.answer(case, answer, user=user, actor=actor)
        return undo(case.link, actor=actor)


# --- freezing


def _freeze(link: Link) -> None:
    now = timezone.now()
    with transaction.atomic():
        FacilityPatient.objects.select_for_update().get(pk=link.patient_id)
        if not Link.objects.filter(pk=link.pk, ended_at=None).update(ended_at=now, frozen_at=now):
            return
        link.ended_at = link.frozen_at = now
        releases.end_looks(Study.objects.filter(patient=link.patient_id))
        merging.leave(link)
        _note(Action.FROZEN, link, Actor.nobody())
        cases.open_case(Case.Kind.NOT_ME, link.patient, actor=Actor.nobody(), link=link)
        _write_to(link, emails.frozen)


def _end_code(code: ClaimCode) -> None:
    with transaction.atomic():
        if ClaimCode.objects.filter(pk=code.pk, used_at=None, revoked_at=None).exists():
            claims.revoke(code, actor=Actor.nobody())
            cases.open_case(Case.Kind.NOT_ME, code.patient, actor=Actor.nobody(), code=code)


def _claimed_by(code: ClaimCode) -> Link | None:
    """The link that a code has made, if it was used since the letter was written."""
    if code.used_at is None:
        return None
    live = Link.objects.select_related("patient", "record__user")
    return live.filter(patient=code.patient_id, ended_at=None, created_at__gte=code.issued_at).first()


def _is_free(patient: FacilityPatient) -> bool:
    return not Link.objects.filter(patient=patient, ended_at=None).exists()


def _end_loans(link: Link, actor: Actor) -> int:
    """End the loans that are of this patient's exams alone; those of others go on, without hers."""
    hers = Study.objects.filter(patient=link.patient_id)
    named = Grant.objects.filter(record=link.record_id, revoked_at=None, items__study__in=hers)
    only_hers = named.exclude(items__in=_items_of_others(link)).exclude(scope=Grant.Scope.ALL_AND_LATER).distinct()
    for grant in only_hers:
        Grant.objects.filter(pk=grant.pk).update(revoked_at=timezone.now())
        audit.record(Action.REVOKED, actor=actor, record_id=link.record_id, way="desk", grant=str(grant.pk))
    return len(only_hers)


def _items_of_others(link: Link) -> QuerySet[GrantItem]:
    return GrantItem.objects.filter(grant__record=link.record_id).exclude(study__patient=link.patient_id)


def _write_to(link: Link, letter: Callable[[User, Facility], None]) -> None:
    if link.record.user is not None:
        letter(link.record.user, link.patient.facility)


def _note(action: Action, link: Link, actor: Actor, loans: int = 0) -> None:
    audit.record(
        action,
        actor=actor,
        facility_id=link.patient.facility_id,
        record_id=link.record_id,
        way="page",
        patient=str(link.patient_id),
        loans=loans,
    )
