"""Which pictures a presentation state is for (PS3.3 §C.11.11, §10.3)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from pydicom.dataset import Dataset

from studies.dicom.values import items, numbers, uid

STATES = tuple(f"1.2.840.10008.5.1.4.1.1.11.{number}" for number in (1, 2, 5))
"""Grayscale, color, and XA/XRF softcopy presentation states; not those that blend, colour or make volumes."""
MOST_IMAGES, MOST_FRAMES = 100, 64


def presents(dataset: Dataset) -> dict[str, Any]:
    """`{"presents": [[SOP Instance UID, [frame from 0, …]], …]}`, no frames for all of them; {} where nothing can be
    shown by it."""
    if uid(dataset, "SOPClassUID") not in STATES:
        return {}
    found = [list(one) for one in itertools.islice(_referenced(dataset), MOST_IMAGES)]
    return {"presents": found} if found else {}


def _referenced(state: Dataset) -> Iterator[tuple[str, list[int]]]:
    for series in items(state, "ReferencedSeriesSequence"):
        for reference in items(series, "ReferencedImageSequence"):
            if named := uid(reference, "ReferencedSOPInstanceUID"):
                yield named, frames_of(reference)[:MOST_FRAMES]


def frames_of(reference: Dataset) -> list[int]:
    """Frames (from 0) that a reference speaks of; none for all."""
    return [int(number) - 1 for number in numbers(reference, "ReferencedFrameNumber") if number >= 1]


def is_for(part: Dataset, sop_uid: str, frame: int) -> bool:
    """Whether a part of a state is for this frame: of the images it names, or of all when it names none."""
    if "ReferencedImageSequence" not in part:
        return True
    for reference in items(part, "ReferencedImageSequence"):
        if uid(reference, "ReferencedSOPInstanceUID") == sop_uid:
            frames = frames_of(reference)
            if not frames or frame in frames:
                return True
    return False
