"""Merges: a facility says that two of its patients are one person (HL7 ADT^A40, A18), and may take it back.

A merge is a row between two patients and moves nothing: images, codes and keys stay with the number that they came
under. Whoever asks for a patient's things asks for those of her `group`. So the reversal is exact.
"""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.audit import Action, Actor
from accounts.errors import Conflict, NotFound
from accounts.models import Facility
from studies.models import FacilityPatient, Merge
from studies.orders import joining
from studies.orders.groups import group
from studies.patients import Person, named
from studies.receiving.known import lock
from studies.signals import merged, parted


class MergedAlready(Conflict):
    """The merged number went into another patient before, or the survivor into the merged one."""

    code = "merged_already"
    message = _("These numbers are merged already, in another way.")
    hint = _("Reverse the merge that stands, on the patient's page at the desk, and send this one again.")


class SamePatient(Conflict):
    """One number twice."""

    code = "same_patient"
    message = _("A patient cannot be merged with herself.")
    hint = _("Name the number that goes, and the one that stays.")


def merge(facility: Facility, survivor: Person, gone: Person) -> tuple[Merge, bool]:
    """Two numbers are one person from now on; True where that was new. Numbers that nobody knows yet are registered.

    Raises SamePatient, MergedAlready.
    """
    actor = Actor.facility(facility)
    with transaction.atomic():
        lock(facility)
        stays, goes = (named(facility, one, actor=actor) for one in (survivor, gone))
        if stays.pk == goes.pk:
            raise SamePatient
        standing = Merge.objects.filter(merged=goes, reversed_at=None).first()
        if standing is not None and standing.survivor_id == stays.pk:
            return standing, False
        if standing is not None or goes.pk in {one.pk for one in group(stays)}:
            raise MergedAlready
        made = Merge.objects.create(facility=facility, survivor=stays, merged=goes)
        joining.join(group(stays))
        _note(Action.PATIENTS_MERGED, made, actor)
        merged.send(sender=Merge, merge=made)
    return made, True


def reverse(facility: Facility, survivor: Person, gone: Person) -> None:
    """The facility takes a merge back by its numbers. NotFound where none stands; twice changes nothing."""
    named = Merge.objects.filter(
        facility=facility, survivor__patient_id=survivor.patient_id, merged__patient_id=gone.patient_id
    )
    found = named.order_by("-made_at").first()
    if found is None:
        raise NotFound
    part(found, actor=Actor.facility(facility))


def merge_for(facility: Facility, merge_id: UUID) -> Merge:
    """One merge of a facility; NotFound for another's."""
    found = Merge.objects.select_related("survivor", "merged").filter(facility=facility, pk=merge_id).first()
    if found is None:
        raise NotFound
    return found


def part(one: Merge, *, actor: Actor) -> None:
    """Two people after all: each has again what came under her own number. Twice changes nothing."""
    with transaction.atomic():
        lock(one.facility)
        if Merge.objects.filter(pk=one.pk, reversed_at=None).update(reversed_at=timezone.now()):
            for patient in (one.survivor, one.merged):
                joining.part(group(patient))
            _note(Action.MERGE_REVERSED, one, actor)
            parted.send(sender=Merge, merge=one)


def of(patient: FacilityPatient) -> list[Merge]:
    """The merges in force by which a patient has other numbers, the newest first."""
    hers = group(patient)
    standing = Merge.objects.filter(reversed_at=None, survivor__in=hers).select_related("survivor", "merged")
    return list(standing.order_by("-made_at"))


def survivor_of(patient: FacilityPatient) -> FacilityPatient | None:
    """Into whom a patient was merged; None while she stands for herself."""
    standing = Merge.objects.filter(reversed_at=None, merged=patient).select_related("survivor").first()
    return standing.survivor if standing else None


def _note(action: Action, one: Merge, actor: Actor) -> None:
    audit.record(
        action,
        actor=actor,
        facility_id=one.facility_id,
        patient=str(one.survivor_id),
        merged=str(one.merged_id),
    )
