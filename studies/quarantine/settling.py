"""The two decisions: to take files in after all, or to leave them out for good."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.db.models import TextChoices
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.audit import Action, Actor
from accounts.errors import NotFound
from accounts.models import Facility
from studies.models import FacilityPatient, Quarantined
from studies.quarantine.queue import Outcome, Settled, Waiting, like, of
from studies.quarantine.settlement import WAY, OtherPatient, Settlement
from studies.receiving import known


class Why(TextChoices):
    """Why somebody leaves files out; in the record, so without a place for names."""

    WRONG_PATIENT = "wrong_patient", _("They show somebody else, and will be sent anew")
    CORRECTED = "corrected", _("They will be sent anew, corrected")
    TEST = "test", _("A test, or a phantom")
    NOT_OURS = "not_ours", _("They are not of our patients")
    NOT_NEEDED = "not_needed", _("Nobody needs them here")


def check(waiting: Waiting, patient: FacilityPatient) -> None:
    """Whether these files may become this patient's. Raises OtherPatient."""
    if waiting.study is not None and waiting.study.patient_id != patient.pk:
        raise OtherPatient


def take_in(facility: Facility, key: int, upto: int, patient: FacilityPatient, *, actor: Actor) -> int:
    """Make a group part of its study, of this patient; returns how many files were taken in.

    Where the study is known it must be the patient's (OtherPatient). Files known elsewhere leave that place. The same
    again changes nothing; Settled when somebody decided otherwise meanwhile. NotFound for another facility's.
    """
    if patient.facility_id != facility.pk:
        raise NotFound
    with transaction.atomic():
        held = _lock(facility, key, upto)
        if not held:
            return _again(facility, key, upto, Outcome.TAKEN_IN, patient)
        Settlement(facility, held, patient, actor).settle()
        _mark(held, Outcome.TAKEN_IN)
    return len(held)


def leave_out(facility: Facility, key: int, upto: int, why: Why, *, actor: Actor) -> int:
    """Leave a group out for good; returns how many files it was. They stay sealed.

    The same again changes nothing; Settled and NotFound as `take_in`.
    """
    with transaction.atomic():
        held = _lock(facility, key, upto)
        if not held:
            return _again(facility, key, upto, Outcome.LEFT_OUT)
        _mark(held, Outcome.LEFT_OUT)
        study = facility.studies.filter(study_uid=held[0].study_uid).first()
        audit.record(
            Action.LEFT_OUT,
            actor=actor,
            facility_id=facility.pk,
            study_id=study.pk if study else None,
            way=WAY,
            instances=len(held),
            held=key,
            reason=why.value,
        )
    return len(held)


def _lock(facility: Facility, key: int, upto: int) -> list[Quarantined]:
    """Those of a group that wait, under the lock that every publication and every decision of the facility takes."""
    known.lock(facility)
    group = like(of(facility, key)).filter(settled_at=None, pk__lte=upto)
    return list(group.select_related("publication").order_by("pk"))


def _again(facility: Facility, key: int, upto: int, outcome: str, patient: FacilityPatient | None = None) -> int:
    """The same decision a second time: what it was then. Settled when it was another."""
    first = of(facility, key)
    owner = facility.studies.filter(study_uid=first.study_uid).values_list("patient_id", flat=True).first()
    if first.outcome != outcome or (patient and owner != patient.pk):
        raise Settled(first.outcome)
    return like(first).filter(outcome=outcome, pk__lte=upto).count()


def _mark(held: Sequence[Quarantined], outcome: str) -> None:
    pks = [one.pk for one in held]
    Quarantined.objects.filter(pk__in=pks).update(outcome=outcome, settled_at=timezone.now())
