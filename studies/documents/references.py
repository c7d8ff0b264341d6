"""Where the pictures that a report points to can be seen: their places in the viewer."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from uuid import UUID

from studies.models import Rendition, Study

MOST: Final = 500
"""Pictures of one report that are looked up; a report that names more is a list of the whole study."""

Places = dict[tuple[str, int], tuple[UUID, int]]


def places(study: Study, sop_uids: Collection[str]) -> Places:
    """The series and index (from 1) of each shown frame (from 1) of these instances, if they are in this study."""
    present = study.instances.present().filter(sop_uid__in=sorted(sop_uids)[:MOST])
    uids = dict(present.values_list("pk", "sop_uid"))
    shown = Rendition.objects.filter(series__study=study, size=Rendition.Size.PREVIEW, series__instances__in=uids)
    if study.only_series is not None:
        shown = shown.filter(series__in=study.only_series)
    return {
        (uids[instance], frame + 1): (rendition.series_id, index)
        for rendition in shown.distinct()
        for index, (instance, frame, *_) in enumerate(rendition.pictures, 1)
        if instance in uids
    }
