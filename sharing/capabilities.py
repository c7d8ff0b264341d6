"""Addresses by which a machine pulls what somebody was lent with leave to download: a PACS asks by itself, no cookie.

Each belongs to one grant and ends with it, or sooner.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts import audit, throttle
from accounts.audit import Action, Actor
from accounts.errors import NotAllowed, NotFound
from sharing import access, grants
from sharing.access import Machine, Relation
from sharing.models import Capability, Grant, GrantQuerySet

LONGEST: Final = timedelta(days=7)
PER_HOUR: Final = 20
RECEIPTS_PER_DAY: Final = 200  # each is a line that a patient reads


@dataclass(frozen=True)
class Made:
    """A new capability and the base of DICOMweb that it opens, which is shown this once only."""

    capability: Capability
    base: str


def make(grant: Grant, *, actor: Actor) -> Made:
    """A base to pull what a grant lends.

    NotAllowed for a grant without download, or one that has ended; TooManyTries beyond a rate.
    """
    live = _pullable().filter(pk=grant.pk).first()
    if live is None:
        raise NotAllowed
    throttle.hit("capabilities of a grant", str(live.pk), cap=PER_HOUR, within=timedelta(hours=1))
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        made = Capability.objects.create(
            grant=live, digest=grants.digest(token), made_by=_maker(actor), expires_at=end_of(live)
        )
        audit.record(Action.CAPABILITY_MADE, actor=actor, record_id=live.record_id, way="page", grant=str(live.pk))
    return Made(made, f"{settings.PUBLIC_URL}/c/{token}/dicom-web")


def find(token: str) -> Capability:
    """The capability in an address; NotFound for one that is unknown or has ended, by itself or with its grant."""
    found = _running().filter(digest=grants.digest(token)).first()
    if found is None:
        raise NotFound
    return found


def running(grant: Grant, *, actor: Actor) -> QuerySet[Capability]:
    """The addresses that somebody made of a grant, and that still open it."""
    return _running().filter(grant=grant, made_by=_maker(actor))


def end(grant: Grant, *, actor: Actor) -> int:
    """End every address that somebody made of a grant, and say how many; what she was lent stays lent."""
    with transaction.atomic():
        ended = running(grant, actor=actor).update(ended_at=timezone.now())
        if ended:
            audit.record(
                Action.CAPABILITY_ENDED,
                actor=actor,
                record_id=grant.record_id,
                way="page",
                grant=str(grant.pk),
                addresses=ended,
            )
    return ended


def note_stored(capability: Capability, *, study_uid: str, stored: int, failed: int) -> None:
    """Write down, for the patient, that an archive says it stored a study. NotFound for one it could not pull."""
    machine = Machine(capability)
    study = access.visible_to(machine).filter(study_uid=study_uid).first()
    if study is None:
        raise NotFound
    throttle.hit("receipts of a grant", str(capability.grant_id), cap=RECEIPTS_PER_DAY, within=timedelta(days=1))
    said = f"stored {capability.grant_id} {study.pk} {stored} {failed}"
    with transaction.atomic():
        if not audit.once(said, timedelta(days=1)):
            return  # the patient has read it
        audit.record(
            Action.STORED_ELSEWHERE,
            actor=machine.actor,
            record_id=capability.grant.record_id,
            study_id=study.pk,
            facility_id=study.facility_id,
            way="api",
            relation=Relation.LENT,
            grant=str(capability.grant_id),
            stored=stored,
            failed=failed,
        )


def end_of(grant: Grant) -> datetime:
    """When a capability made now would end."""
    end: datetime = min(grant.expires_at, timezone.now() + LONGEST)
    return end


def _maker(actor: Actor) -> str:
    return actor.label[: Capability._meta.get_field("made_by").max_length]


def _running() -> QuerySet[Capability]:
    return Capability.objects.filter(ended_at=None, expires_at__gt=timezone.now(), grant__in=_pullable())


def _pullable() -> GrantQuerySet:
    return Grant.objects.live().filter(may_download=True)
