"""Whether all of a study has come: what its facility announced, against what is here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count

from studies.models import Instance, Study


@dataclass(frozen=True)
class Arrived:
    """How many instances of a study are here, of how many that its facility announced."""

    here: int
    expected: int


def incomplete(studies: Iterable[Study]) -> dict[UUID, Arrived]:
    """Those of which less has come than was announced; what came and was rejected has come.

    Counts what is stored, read or not: a study that is arriving tells the truth as well. One statement, and none
    where nothing is missing.
    """
    announced = {
        study.pk: study.expected_count
        for study in studies
        if study.expected_count is not None and study.instance_count < study.expected_count
    }
    if not announced:
        return {}
    come = Instance.objects.filter(study__in=announced, superseded_at=None)
    here: dict[UUID, int] = dict(come.values_list("study").annotate(here=Count("pk")))
    return {pk: Arrived(here.get(pk, 0), expected) for pk, expected in announced.items() if here.get(pk, 0) < expected}
