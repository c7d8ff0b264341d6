"""Releases: a facility offers a study to its patient, and takes the offer back."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.audit import Action, Actor
from accounts.errors import Conflict
from accounts.models import Facility
from sharing.models import ClaimCode, Link, Release
from studies.identity import AGREES
from studies.models import FacilityPatient, Study


def release(study: Study, *, actor: Actor, available_at: datetime | None = None) -> Release:
    """Offer a study, at once or from `available_at` on; also after a withdrawal. The same again changes nothing.

    Conflict for one that was erased, until it is published again.
    """
    opens = available_at or timezone.now()
    with transaction.atomic():
        offer, created = Release.objects.get_or_create(study=study, defaults={"available_at": opens})
        if not created and offer.withdrawn_at is None and available_at in (None, offer.available_at):
            return offer
        if not created and _is_erased(study):
            raise Conflict(
                _("This exam was erased, so there is nothing to release."), hint=_("Publish it again first.")
            )
        if not created:
            offer.available_at, offer.withdrawn_at, offer.withdrawn_reason = opens, None, ""
            offer.save(update_fields=["available_at", "withdrawn_at", "withdrawn_reason"])
        _note(Action.RELEASED, study, actor)
    return offer


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
    return shown.filter(Exists(links) | Exists(codes))


def _note(action: Action, study: Study, actor: Actor) -> None:
    audit.record(
        action,
        actor=actor,
        facility_id=study.facility_id,
        record_id=record_of(study.patient_id),
        study_id=study.pk,
    )


def record_of(patient_id: UUID) -> UUID | None:
    """The record that a facility's patient is linked to now: its owner reads of what is done with her images."""
    live = Link.objects.filter(patient=patient_id, ended_at=None)
    return live.values_list("record_id", flat=True).first()
