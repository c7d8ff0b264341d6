"""Frames of a segmentation as coloured shapes on black (PS3.3 §A.51, §A.86, §C.8.20)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from studies.dicom import functional_group, integer, items, numbers, text
from studies.rendering.pixels import Shape

RGB = tuple[int, int, int]
WHITE: RGB = (255, 255, 255)
MOST_SEGMENTS = 10_000
# For labels that say no colour of their own: far enough apart to be told from each other.
OTHERS: tuple[RGB, ...] = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (213, 94, 0), (204, 121, 167))


def segments(samples: NDArray[Any], shape: Shape, dataset: Dataset, frame: int) -> NDArray[np.uint8]:
    """[rows, columns, 3]: one segment in its colour, the stronger the more of the pixel it has; or all labels."""
    colours = _colours(dataset)
    if text(dataset, "SegmentationType") == "LABELMAP":
        return _labelled(samples, colours)
    share = samples.astype(np.float64) / _most(shape, dataset)
    return (np.clip(share, 0, 1)[..., None] * colours.get(_number(dataset, frame), WHITE) + 0.5).astype(np.uint8)


def _most(shape: Shape, dataset: Dataset) -> int:
    said = integer(dataset, "MaximumFractionalValue") or 0
    return said if shape.stored > 1 and said > 0 else (1 << shape.stored) - 1


def _number(dataset: Dataset, frame: int) -> int:
    identified = functional_group(dataset, frame, "SegmentIdentificationSequence")
    return (integer(identified, "ReferencedSegmentNumber") or 0) if identified is not None else 0


def _colours(dataset: Dataset) -> dict[int, RGB]:
    """The colour of each segment that says one."""
    found: dict[int, RGB] = {}
    for place, segment in zip(range(MOST_SEGMENTS), items(dataset, "SegmentSequence"), strict=False):
        lab = numbers(segment, "RecommendedDisplayCIELabValue")
        if len(lab) == 3:
            found[integer(segment, "SegmentNumber") or place + 1] = of_lab(lab)
    return found


def _labelled(labels: NDArray[Any], colours: dict[int, RGB]) -> NDArray[np.uint8]:
    shown = np.zeros((*labels.shape, 3), np.uint8)
    for label in np.unique(labels)[:MOST_SEGMENTS].tolist():
        if label:
            shown[labels == label] = colours.get(label, OTHERS[label % len(OTHERS)])
    return shown


def of_lab(encoded: list[float]) -> RGB:
    """CIE L*a*b* in sixteen bits each (PS3.3 §C.10.7.1.1), white of D50, to sRGB (IEC 61966-2-1)."""
    light, a, b = encoded[0] * 100 / 65535, encoded[1] * 255 / 65535 - 128, encoded[2] * 255 / 65535 - 128
    middle = (light + 16) / 116
    xyz = np.array([0.9642, 1.0, 0.8249]) * [_lab_curve(part) for part in (middle + a / 500, middle, middle - b / 200)]
    linear = np.clip(_FROM_XYZ_D50 @ xyz, 0, 1)
    shown = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    red, green, blue = (int(part) for part in np.round(shown * 255))
    return red, green, blue


def _lab_curve(part: float) -> float:
    return part**3 if part > 6 / 29 else 3 * (6 / 29) ** 2 * (part - 4 / 29)


# XYZ under D50 to linear sRGB, Bradford adapted (Lindbloom).
_FROM_XYZ_D50 = np.array(
    [
        [3.1338561, -1.6168667, -0.4906146],
        [-0.9787684, 1.9161415, 0.0334540],
        [0.0719453, -0.2289914, 1.4052427],
    ]
)
