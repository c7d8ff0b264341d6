"""Pictures that were made before anybody asked: the frames of a series, and the one that stands for a study."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.http import require_safe

from accounts.errors import NotFound
from portal import delivery, riding
from portal.delivery import Pass
from portal.riding import Given
from sharing.access import Right
from sharing.disclosures import TIMELINE
from studies import catalog
from studies.models import Rendition

SIZES = set(Rendition.Size.values)


class Pictures:
    """The pictures of those series that a viewer turns through."""

    def __init__(self, leave: Pass, size: str) -> None:
        self.leave, self._size = leave, size
        self._renditions: dict[str, Rendition] = {}

    def give(self, series: str, instance: str, number: int) -> Given | None:
        """A picture of a series that was asked for before (number from 1)."""
        rendition = self._renditions.get(series)
        if rendition is None:
            return None
        found = catalog.picture_of(rendition, number)
        return Given(b"".join(found.blocks), found.media_type)

    def picture(self, series_id: UUID, number: int) -> catalog.Picture:
        """A picture of any series (number from 1). Raises NotFound."""
        rendition = catalog.rendition(self.leave.study, series_id, self._size)
        self._renditions[str(series_id)] = rendition
        return catalog.picture_of(rendition, number)


@require_safe
def picture(request: HttpRequest, study_id: UUID, series_id: UUID, size: str, index: int) -> HttpResponseBase:
    """One picture of a series at one size (index from 1)."""
    rider = Pictures(delivery.admit(delivery.viewer_of(request), study_id, Right.SEE), size)
    if size not in SIZES:
        raise NotFound
    found = rider.picture(series_id, index)
    riding.board(request, rider)
    return delivery.answer(rider.leave, found.blocks, found.media_type, length=found.length)


@require_safe
def thumbnail(request: HttpRequest, study_id: UUID) -> HttpResponseBase:
    """The one small picture that stands for a study on the timeline."""
    leave = delivery.admit(delivery.viewer_of(request), study_id, Right.SEE, way=TIMELINE)
    found = catalog.thumbnail(leave.study)
    return delivery.answer(leave, found.blocks, found.media_type, length=found.length)
