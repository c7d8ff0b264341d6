"""A study as somebody may know it who was lent parts of it: what its other series would tell is not said."""

from __future__ import annotations

from uuid import UUID

from studies.models import Series, Study


def narrow(study: Study, series: frozenset[UUID] | None) -> None:
    """Let a study say of itself what these of its series say; None: all of it, and nothing changes.

    For reading only: such a study is never saved.
    """
    study.only_series = series
    if series is None:
        return
    lent = Series.objects.filter(study=study, pk__in=series, instance_count__gt=0)
    said = list(lent.values_list("modality", "body_part", "instance_count"))
    study.modalities = sorted({modality for modality, _part, _count in said} - {""})
    if study.body_part not in {part for _modality, part, _count in said}:
        study.body_part = ""
    study.series_count, study.instance_count = len(said), sum(count for *_, count in said)
    study.expected_count = None  # whether the rest has come is not theirs to know


def shown_of(study: Study) -> list[Series]:
    """The series of a study that whoever asked may see."""
    found = Series.objects.filter(study=study)
    return list(found if study.only_series is None else found.filter(pk__in=study.only_series))
