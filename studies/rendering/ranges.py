"""One range of brightness for all pictures of a series that say nothing of it: else each slice would have its own, and
the same tissue flicker from one to the next."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from pydicom.dataset import Dataset

from studies.dicom import Opened, text
from studies.refusals import CannotShow
from studies.rendering.codecs import decode
from studies.rendering.curves import Span, Values
from studies.rendering.grey import range_of, spread
from studies.rendering.pixels import Shape

LONGEST = 512  # a codec that can stop early may do so at this size
FROM_NOTHING = ("PT", "RTDOSE")
"""Modalities whose nought means that there is nothing: they are shown from there to their greatest value."""


class Range:
    """Gathers the values of some frames, and says what they lie within."""

    def __init__(self) -> None:
        self._values: list[Values] = []
        self._from_nothing = False

    def look(self, opened: Opened, shape: Shape, frame: int, content: bytes) -> None:
        """Take in a frame's values, unless it says itself how it is to be shown. Raises CannotShow."""
        if not is_grey(opened.dataset, shape):
            return
        sample = spread(decode(content, opened, shape, frame, LONGEST), shape, opened.dataset, frame)
        if sample is not None and sample.size:
            self._values.append(sample)
            self._from_nothing = text(opened.dataset, "Modality") in FROM_NOTHING

    @property
    def span(self) -> Span | None:
        """The range; None where nobody needs one."""
        if not self._values:
            return None
        if self._from_nothing:
            least, most = (float(pick([pick(one) for one in self._values])) for pick in (np.min, np.max))
            return Span(min(0.0, least), most)
        return range_of(self._values)


def is_grey(dataset: Dataset, shape: Shape) -> bool:
    """Whether its samples are shades of grey."""
    return shape.samples == 1 and shape.photometric in ("MONOCHROME1", "MONOCHROME2")


def stepped(span: Span) -> Span:
    """A little wider, to ends that a few more slices do not move."""
    step = 2.0 ** np.floor(np.log2(max(span.high - span.low, 1e-9))) / 16
    return Span(float(np.floor(span.low / step) * step), float(np.ceil(span.high / step) * step))


def range_of_frames(frames: Iterable[tuple[Opened, Shape, int, bytes]]) -> Span | None:
    """The range of these frames; those that cannot be read do not count."""
    gathered = Range()
    for opened, shape, frame, content in frames:
        try:
            gathered.look(opened, shape, frame, content)
        except CannotShow:  # it is told so when it is to be shown
            continue
    return stepped(gathered.span) if gathered.span else None
