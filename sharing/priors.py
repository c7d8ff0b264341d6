"""The other exams of the same person, to lay beside one: what was seen before, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Exists, OuterRef, Q

from sharing import access
from sharing.access import Viewer
from sharing.models import Link
from studies import parts
from studies.exam.places import places, tidied
from studies.models import Study

MOST = 200
LATELY = timedelta(days=92)


def others_of(viewer: Viewer, study: Study) -> list[Study]:
    """What else with pictures this viewer may see of whose study it is, the newest first.

    Exams of several facilities are one person's when they are linked to one record.
    """
    live = Link.objects.filter(ended_at=None)
    records = live.filter(patient=study.patient_id).values("record")
    linked = Exists(live.filter(patient=OuterRef("patient"), record__in=records))
    same_person = access.visible_to(viewer).filter(Q(patient=study.patient_id) | linked, image_count__gt=0)
    others = list(access.newest_first(same_person.exclude(pk=study.pk))[:MOST])
    lent_in_parts = access.parts_of(viewer)  # after them, so that none of them is without its bounds
    for other in others:
        parts.narrow(other, lent_in_parts.get(other.pk))
    return others


def is_alike(other: Study, study: Study) -> bool:
    """Whether the same kind of machine looked at the same place, or at one that is not said."""
    if not set(other.modalities) & set(study.modalities):
        return False
    where, there = (places(tidied([one.body_part, one.description])) for one in (study, other))
    return bool(where & there) or not where or not there


@dataclass(frozen=True)
class Lately:
    """A similar exam made within three months of another one."""

    study: Study
    days: int
    is_later: bool


def lately(study: Study, others: list[Study]) -> Lately | None:
    """The nearest exam of the same kind and place within three months, so that nobody repeats what is there."""
    if study.study_date is None:
        return None
    alike = [
        Lately(one, abs((one.study_date - study.study_date).days), one.study_date > study.study_date)
        for one in others
        if one.study_date and abs(one.study_date - study.study_date) <= LATELY and is_alike(one, study)
    ]
    return min(alike, key=lambda one: one.days, default=None)
