"""In which order the frames of one object are looked through (PS3.3 §C.7.6.16.2.2, §C.7.6.17).

Scanners store them as they come: slice after slice of each time, or time after time of each slice.
"""

from __future__ import annotations

from typing import Any, Final

from pydicom.dataset import Dataset

from studies.dicom.values import functional_group, integer, items, number, numbers, text
from studies.indexing import frame_order

MOST_FRAMES: Final = 1024
"""Of an object whose frames are put in order: facts hold no longer list."""
# Dimensions that say where a frame lies, not which stack of frames it belongs to: Image Position (Patient), Image
# Position (Volume), In-Stack Position Number, Slice Location.
PLACES: Final = frozenset({0x00200032, 0x00209301, 0x00209057, 0x00201041})


def stacked(dataset: Dataset) -> list[int]:
    """Frames (from 0) in the order in which they are looked through; empty where that is as they are stored."""
    count = integer(dataset, "NumberOfFrames") or 1
    if not 1 < count <= MOST_FRAMES or "PerFrameFunctionalGroupsSequence" not in dataset:
        return []
    pointers = [integer(one, "DimensionIndexPointer") or 0 for one in items(dataset, "DimensionIndexSequence")]
    order = frame_order([_facts(dataset, frame, pointers) for frame in range(count)])
    return [] if order == list(range(count)) else order


def _facts(dataset: Dataset, frame: int, pointers: list[int]) -> dict[str, Any]:
    content = functional_group(dataset, frame, "FrameContentSequence") or Dataset()
    return {
        "image_position": _numbers(dataset, frame, "PlanePositionSequence", "ImagePositionPatient"),
        "image_orientation": _numbers(dataset, frame, "PlaneOrientationSequence", "ImageOrientationPatient"),
        "group": _group(dataset, frame, content, pointers),
    }


def _numbers(dataset: Dataset, frame: int, sequence: str, keyword: str) -> list[float]:
    macro = functional_group(dataset, frame, sequence)
    return numbers(macro, keyword) if macro is not None else []


def _group(dataset: Dataset, frame: int, content: Dataset, pointers: list[int]) -> list[Any]:
    """Which stack a frame belongs to: by its object's own dimensions, else by what such stacks differ in."""
    values = numbers(content, "DimensionIndexValues")
    if pointers and len(values) == len(pointers):
        return [value for pointer, value in zip(pointers, values, strict=True) if pointer not in PLACES]
    diffusion = functional_group(dataset, frame, "MRDiffusionSequence")
    weighting = number(diffusion, "DiffusionBValue") if diffusion is not None else None
    return [text(content, "StackID"), number(content, "TemporalPositionIndex") or 0.0, weighting or 0.0]
