"""Merged patients and accounts: what a person has claimed under one number, she has under each of her numbers.

A merge moves no images; it brings links, each of which remembers by which merge it came, and goes with it when that is
reversed. Where two numbers of one person lie in two accounts, nothing moves and the desk is asked: a merge by mistake
must not show one person's images to another.
"""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils import timezone

from accounts import audit
from accounts.audit import Action, Actor
from sharing import cases, releases
from sharing.models import Case, Link
from studies.models import FacilityPatient, Merge, Study
from studies.orders.groups import group


def bring(merge: Merge) -> None:
    """Two numbers are one person's from now on: whoever claimed one of them has both."""
    links = list(_live(group(merge.survivor)).order_by("created_at"))
    if len({link.record_id for link in links}) > 1:
        cases.open_case(Case.Kind.MERGED, merge.survivor, actor=Actor.system())
    elif links:
        follow(links[0], merge)


def follow(link: Link, merge: Merge | None = None) -> None:
    """A patient came into an account: her other numbers come too, but for those that lie in another's."""
    others = [one for one in group(link.patient) if one.pk != link.patient_id]
    taken = set(_live(others).values_list("patient", flat=True))
    for patient in (one for one in others if one.pk not in taken):
        Link.objects.create(
            patient=patient,
            record=link.record,
            claimed_by=link.claimed_by,
            by_merge=merge or _merge_of(patient),
        )
        _note(Action.NUMBER_CAME, patient, link)


def leave(link: Link) -> list[Link]:
    """A patient goes out of an account, in the caller's transaction: the links of her other numbers end too."""
    others = [one for one in group(link.patient) if one.pk != link.patient_id]
    going = list(_live(others).filter(record=link.record_id))
    for other in going:
        _end(other)
    return going


def part(merge: Merge) -> None:
    """The merge is taken back: numbers that nobody claimed of themselves go out again, and loans of them with them."""
    for patient in (merge.survivor, merge.merged):
        links = list(_live(group(patient)))
        if all(link.by_merge_id for link in links):
            for link in links:
                _end(link)
                _note(Action.NUMBER_WENT, link.patient, link)


def _live(patients: list[FacilityPatient]) -> QuerySet[Link]:
    live = Link.objects.filter(patient__in=patients, ended_at=None)
    return live.select_related("patient", "record__user", "claimed_by")


def _merge_of(patient: FacilityPatient) -> Merge | None:
    """The merge that ties a number to the person's others."""
    standing = Merge.objects.filter(reversed_at=None)
    return standing.filter(merged=patient).first() or standing.filter(survivor=patient).first()


def _end(link: Link) -> None:
    Link.objects.filter(pk=link.pk, ended_at=None).update(ended_at=timezone.now())
    releases.end_looks(Study.objects.filter(patient=link.patient_id))


def _note(action: Action, patient: FacilityPatient, link: Link) -> None:
    audit.record(
        action,
        actor=Actor.facility(patient.facility),
        facility_id=patient.facility_id,
        record_id=link.record_id,
        patient=str(patient.pk),
    )
