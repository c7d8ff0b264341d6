"""Erasure: a facility wants a patient's images gone, or she does. Nobody reads them again, and the record says so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.audit import Action, Actor
from accounts.models import AuditEvent
from sharing import claims, releases
from sharing.models import Case, ClaimCode, Contact, Link
from studies.models import FacilityPatient, Study
from studies.store import shredding
from studies.store.shredding import Shredded

REASON = "Erased at the facility's request."


@dataclass(frozen=True)
class Certificate:
    """That it was done: the event in the record of deeds, and what it destroyed."""

    event: AuditEvent
    shredded: Shredded

    @property
    def at(self) -> datetime:
        """When."""
        return self.event.at


def erase(patient: FacilityPatient, *, actor: Actor) -> Certificate:
    """Withdraw everything of a patient, end her codes and her link, and destroy her key, in one transaction.

    Running looks end with it. What her facility publishes of her later stays withdrawn until it releases it again,
    and reaches a person by a new code only.
    """
    with transaction.atomic():
        record_id = releases.record_of(patient.pk)
        for study in Study.objects.filter(patient=patient).order_by("pk"):
            releases.withdraw(study, REASON, actor=actor)
        for code in ClaimCode.objects.filter(patient=patient, used_at=None, revoked_at=None):
            claims.revoke(code, actor=actor)
        Link.objects.filter(patient=patient, ended_at=None).update(ended_at=timezone.now())
        Contact.objects.filter(patient=patient).delete()
        Case.objects.filter(patient=patient).update(text="")  # words of hers; the answer is the facility's own
        releases.end_looks(Study.objects.filter(patient=patient))
        shredded = shredding.shred(patient)
        audit.record(
            Action.ERASED,
            actor=actor,
            facility_id=patient.facility_id,
            record_id=record_id,
            way="command",
            patient=str(patient.pk),
            studies=shredded.studies,
            instances=shredded.instances,
            reports=shredded.reports,
            objects=shredded.objects,
        )
        event = AuditEvent.objects.filter(action=Action.ERASED, facility_id=patient.facility_id).latest("pk")
    return Certificate(event, shredded)
