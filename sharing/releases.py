"""Releases: a facility offers a study to its patient, and takes the offer back."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.audit import Action, Actor
from accounts.errors import Conflict
from accounts.models import Facility, User
from sharing import access, rules
from sharing.models import ClaimCode, Consent, ConsentText, Link, Release, ReleaseRule
from sharing.rules import Decision
from studies.identity import AGREES
from studies.models import Exam, FacilityPatient, Report, Study
from studies.reports import READ_FIRST


def release(
    study: Study,
    *,
    actor: Actor,
    available_at: datetime | None = None,
    urgency: Release.Urgency = Release.Urgency.ROUTINE,
) -> Release:
    """Offer a study, also after a withdrawal: when the rules of its facility say, or another urgency, or from
    `available_at` on. The same again changes nothing.

    Conflict for one that was erased, until it is published again.
    """
    said = Decision(available_at, available_at) if available_at else rules.decide(study, urgency=urgency)
    with transaction.atomic():
        offer, created = Release.objects.get_or_create(study=study, defaults=_columns(said, urgency))
        is_same = available_at in (None, offer.available_at) and urgency in (Release.Urgency.ROUTINE, offer.urgency)
        if not created and offer.withdrawn_at is None and is_same:
            return offer
        if not created and _is_erased(study):
            raise Conflict(
                _("This exam was erased, so there is nothing to release."), hint=_("Publish it again first.")
            )
        if not created:
            was_withdrawn = offer.withdrawn_at is not None
            for name, value in _columns(said, urgency).items():
                setattr(offer, name, value)
            offer.withdrawn_at, offer.withdrawn_reason = None, ""
            offer.save()
            if not was_withdrawn:
                end_looks(Study.objects.filter(pk=study.pk))  # what opens later than it was to ends what runs
        _set_preliminary(study, said)
        _keep_codes_open(study, said.available_at)
        _note(Action.RELEASED, study, actor, offer)
    return offer


def reconsider(study: Study) -> bool:
    """Something came that a rule waits for, or the rules changed: what is not open yet is decided anew; whether that
    changed anything. What is open stays open."""
    waiting = _not_open().filter(study=study).first()
    if waiting is None:
        return False
    return _decide_anew(waiting, None)


def reconsider_all(facility: Facility) -> int:
    """The same for all that waits at a facility, whose rules changed; how many exams that moved."""
    in_force = rules.in_force(facility)
    waiting = _not_open().filter(study__facility=facility).select_related("study__facility", "study__patient")
    return sum(_decide_anew(offer, in_force) for offer in list(waiting))


def reconsider_missed() -> int:
    """The same for exams whose final report came, or will not come, and whose bell was lost."""
    final = Report.objects.filter(study=OuterRef("study"), kind__in=READ_FIRST).exclude(
        status=Report.Status.PRELIMINARY
    )
    missed = (
        _not_open()
        .filter(Q(available_at=None) | Q(report_at=None))
        .filter(Exists(final) | Q(study__exams__state=Exam.State.NON_REPORTABLE))
    )
    return sum(
        _decide_anew(offer, None) for offer in missed.distinct().select_related("study__facility", "study__patient")
    )


def would_move(facility: Facility, changed: list[ReleaseRule]) -> int:
    """How many exams that wait would open at another time by other rules."""
    waiting = _not_open().filter(study__facility=facility).select_related("study__facility", "study__patient")
    return sum(_moves(offer, _anew(offer, changed)) for offer in waiting)


def held_for(user: User) -> list[Release]:
    """What is on its way to records of hers and in her care, and opens later: she sees that it exists, and why."""
    links = Link.objects.filter(record__in=access.records_of(user), ended_at=None)
    now = timezone.now()
    later = Release.objects.filter(Q(available_at=None) | Q(available_at__gt=now), withdrawn_at=None)
    hers = later.filter(study__patient__in=links.values("patient"))
    return list(hers.select_related("study__facility").order_by("-study__study_date", "pk"))


def withdraw(study: Study, reason: str, *, actor: Actor) -> None:
    """Take a study back: refused on the next request, running streams included. Twice changes nothing.

    What was never offered is held back by the same row, so that nothing offers it by itself. The reason stays with
    the release, for its words may name people.
    """
    with transaction.atomic():
        Release.objects.get_or_create(study=study)
        live = Release.objects.filter(study=study, withdrawn_at=None)
        if live.update(withdrawn_at=timezone.now(), withdrawn_reason=reason[:400]):
            end_looks(Study.objects.filter(pk=study.pk))
            _note(Action.WITHDRAWN, study, actor)


def is_withdrawn(facility: Facility, study_uid: str) -> bool:
    """Whether a facility took this study back; for its receipt."""
    taken_back = Release.objects.exclude(withdrawn_at=None)
    return taken_back.filter(study__facility=facility, study__study_uid=study_uid).exists()


def waiting(patient: FacilityPatient) -> int:
    """How many studies `release_ready` would offer now."""
    return _unoffered().filter(patient=patient).count()


def release_ready(patient: FacilityPatient, *, actor: Actor) -> int:
    """Offer whatever of a patient is ready and was neither offered nor held back; returns how many."""
    waiting = list(_unoffered().filter(patient=patient))
    for study in waiting:
        release(study, actor=actor)
    return len(waiting)


def follow(study: Study) -> None:
    """A study has something to show: offer it by itself if its patient has claimed already, or holds a code that can.

    Pages say of one that is not ready that it is still arriving.
    """
    for one in _followed().filter(pk=study.pk):
        release(one, actor=Actor.system())


def follow_missed() -> int:
    """The same for every study whose moment was missed, because a worker died between its commit and the signal."""
    missed = list(_followed())
    for study in missed:
        release(study, actor=Actor.system())
    return len(missed)


def waits(offer: Release) -> bool:
    """Whether something of an offer opens later."""
    now = timezone.now()
    return any(at is None or at > now for at in (offer.available_at, offer.report_at))


def report_waits(study: Study) -> Release | None:
    """The offer of a study whose report opens later than its images, while that is so."""
    now = timezone.now()
    offer = Release.objects.filter(study=study, withdrawn_at=None, available_at__lte=now).first()
    return offer if offer and (offer.report_at is None or offer.report_at > now) else None


def end_looks(studies: QuerySet[Study]) -> None:
    """End every running look at these studies (see portal.delivery)."""
    studies.update(access_epoch=F("access_epoch") + 1)


def _is_erased(study: Study) -> bool:
    """Whether nothing is left of a study, because its patient was shredded."""
    return Study.objects.filter(pk=study.pk, instance_count=0).exclude(patient__shredded_at=None).exists()


def _unoffered() -> QuerySet[Study]:
    return Study.objects.filter(AGREES, state=Study.State.READY, release=None)


def _followed() -> QuerySet[Study]:
    links = Link.objects.filter(patient=OuterRef("patient"), ended_at=None)
    codes = ClaimCode.objects.filter(patient=OuterRef("patient"), revoked_at=None).filter(
        Q(expires_at__gt=timezone.now()) | Q(used_at__isnull=False)
    )
    shown = Study.objects.filter(AGREES, Q(state=Study.State.READY) | Q(image_count__gt=0), release=None)
    return shown.filter(Exists(links) | Exists(codes)).filter(_comes_by_itself())


def _comes_by_itself() -> Q:
    """Where a facility asks for consent: while the patient agrees that later exams come too."""
    now = timezone.now()
    asked = ConsentText.objects.filter(facility=OuterRef("facility"))
    agreed = Consent.objects.filter(patient=OuterRef("patient"), later_too=True, withdrawn_at=None, expires_at__gt=now)
    return ~Exists(asked) | Q(Exists(agreed))


def _not_open() -> QuerySet[Release]:
    """Offers of which something has not opened yet."""
    now = timezone.now()
    later = Q(available_at=None) | Q(available_at__gt=now) | Q(report_at=None) | Q(report_at__gt=now)
    return Release.objects.filter(later, withdrawn_at=None)


def _columns(said: Decision, urgency: Release.Urgency) -> dict[str, Any]:
    return {
        "available_at": said.available_at,
        "report_at": said.report_at,
        "may_be_preliminary": said.preliminary_too,
        "reason": said.reason,
        "urgency": urgency,
    }


def _anew(offer: Release, in_force: list[ReleaseRule] | None) -> Decision:
    """What is decided of an offer now; what is open already stays as it is."""
    said = rules.decide(offer.study, urgency=Release.Urgency(offer.urgency), rules=in_force)
    now = timezone.now()
    images = offer.available_at if offer.available_at and offer.available_at <= now else said.available_at
    report = offer.report_at if offer.report_at and offer.report_at <= now else said.report_at
    return replace(said, available_at=images, report_at=report)


def _moves(offer: Release, said: Decision) -> bool:
    """Whether it opens at another time; a rule that says "now" says so at every moment."""
    pairs = ((offer.available_at, said.available_at), (offer.report_at, said.report_at))
    return any(one != other for one, other in pairs) or offer.reason != said.reason


def _decide_anew(offer: Release, in_force: list[ReleaseRule] | None) -> bool:
    said = _anew(offer, in_force)
    if not _moves(offer, said):
        return False
    with transaction.atomic():
        same = Release.objects.filter(
            pk=offer.pk, available_at=offer.available_at, report_at=offer.report_at, withdrawn_at=None
        )
        if not same.update(**_columns(said, Release.Urgency(offer.urgency))):
            return False  # somebody decided meanwhile
        _set_preliminary(offer.study, said)
        _keep_codes_open(offer.study, said.available_at)
        offer.available_at, offer.report_at = said.available_at, said.report_at
        _note(Action.RELEASE_MOVED, offer.study, Actor.system(), offer)
    return True


def _keep_codes_open(study: Study, opens: datetime | None) -> None:
    """A code that waits lives its days from when there is something to see, not from when it was printed."""
    if opens is None:
        return
    unused = ClaimCode.objects.filter(patient=study.patient_id, used_at=None, revoked_at=None)
    for code in unused.filter(expires_at__gt=timezone.now()):
        until = opens + timedelta(days=code.days)
        ClaimCode.objects.filter(pk=code.pk, expires_at__lt=until).update(expires_at=until)


def _set_preliminary(study: Study, said: Decision) -> None:
    Study.objects.filter(pk=study.pk).update(preliminary_too=said.preliminary_too)


def _note(action: Action, study: Study, actor: Actor, offer: Release | None = None) -> None:
    when = {}
    if offer is not None:
        moments = {"opens": offer.available_at, "report": offer.report_at}
        when = {name: moment.isoformat() if moment else "with the final report" for name, moment in moments.items()}
    audit.record(
        action,
        actor=actor,
        facility_id=study.facility_id,
        record_id=record_of(study.patient_id),
        study_id=study.pk,
        **when,
    )


def record_of(patient_id: UUID) -> UUID | None:
    """The record that a facility's patient is linked to now: its owner reads of what is done with her images."""
    live = Link.objects.filter(patient=patient_id, ended_at=None)
    return live.values_list("record_id", flat=True).first()
