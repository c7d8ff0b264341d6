"""Overlay planes: bit maps of a picture, drawn over it (PS3.3 §C.9.2, §C.9.3; groups 6000 to 601E)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from studies.dicom import Opened, integer
from studies.dicom.values import value_at
from studies.rendering.pixels import Shape

Mask = NDArray[np.bool_]
GROUPS = range(0x6000, 0x6020, 2)
MOST_BITS = 1 << 26  # of one plane
ROWS, COLUMNS, FRAMES, TYPE, ORIGIN, FIRST_FRAME = 0x0010, 0x0011, 0x0015, 0x0040, 0x0050, 0x0051
ALLOCATED, POSITION, CONTENT, LAYER = 0x0100, 0x0102, 0x3000, 0x1001


@dataclass(frozen=True)
class Plane:
    """One plane of one frame, at full size: true where it is drawn. A region of interest is drawn by its border."""

    mask: Mask
    is_region: bool

    def drawn(self) -> Mask:
        return _border(self.mask) if self.is_region else self.mask


def planes(opened: Opened, shape: Shape, frame: int, samples: NDArray[Any]) -> Iterator[Plane]:
    """The planes of a frame, but for one that is a shutter; some lie in the unused bits of its `samples`, as stored."""
    shutter = integer(opened.dataset, "ShutterOverlayGroup")
    for group in GROUPS:
        if group != shutter and (mask := plane(opened, shape, frame, group, samples)) is not None:
            yield Plane(mask, _text(opened.dataset, group, TYPE) == "R")


def plane(opened: Opened, shape: Shape, frame: int, group: int, samples: NDArray[Any] | None = None) -> Mask | None:
    """The plane of one group on the picture's own grid; None where there is none for this frame."""
    dataset = opened.dataset
    if Tag(group, CONTENT) not in dataset:
        return _embedded(dataset, shape, group, samples)
    rows, columns = (_number(dataset, group, element, 0) for element in (ROWS, COLUMNS))
    turn = _turn(dataset, group, frame)
    if turn is None or not 0 < rows * columns <= MOST_BITS:
        return None
    bits = _bits(opened, group, turn * rows * columns, rows * columns)
    if bits is None:
        return None
    top, left = _origin(dataset, group)
    return _placed(bits.reshape(rows, columns), top, left, shape)


def draw(pixels: NDArray[np.uint8], masks: Iterator[Mask], brightness: int = 255) -> NDArray[np.uint8]:
    """The picture, maybe smaller than the masks, with these drawn over it."""
    for mask in masks:
        pixels = np.array(pixels)
        pixels[reduced(mask, pixels.shape[0], pixels.shape[1])] = brightness
    return pixels


def reduced(mask: Mask, rows: int, columns: int) -> Mask:
    """The mask on a smaller grid: a line one pixel thin stays."""
    if mask.shape == (rows, columns):
        return mask
    small = np.zeros((rows, columns), np.bool_)
    down, across = np.nonzero(mask)
    small[down * rows // mask.shape[0], across * columns // mask.shape[1]] = True
    return small


def _border(mask: Mask) -> Mask:
    """What has a neighbour outside."""
    framed = np.pad(mask, 1)
    inside = framed[:-2, 1:-1] & framed[2:, 1:-1] & framed[1:-1, :-2] & framed[1:-1, 2:]
    return mask & ~inside


def _turn(dataset: Dataset, group: int, frame: int) -> int | None:
    """Which frame of the overlay lies over this frame of the picture (§C.9.3.1); a single one lies over all."""
    count, first = _number(dataset, group, FRAMES, 0), _number(dataset, group, FIRST_FRAME, 0)
    if not count and not first:
        return 0
    turn = frame - max(0, first - 1)
    return turn if 0 <= turn < max(1, count) else None


def _bits(opened: Opened, group: int, start: int, count: int) -> Mask | None:
    content = value_at(opened.dataset, group, CONTENT)
    if not isinstance(content, bytes) or 8 * len(content) < start + count:
        return None
    packed = np.frombuffer(content, np.uint8)[start // 8 : -(-(start + count) // 8) + 1]
    if not opened.little_endian and opened.dataset[Tag(group, CONTENT)].VR == "OW":
        packed = _swapped(np.frombuffer(content, np.uint8))[start // 8 : -(-(start + count) // 8) + 1]
    return np.unpackbits(packed, bitorder="little")[start % 8 :][:count].astype(np.bool_)


def _swapped(content: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return content[: len(content) & ~1].reshape(-1, 2)[:, ::-1].reshape(-1)


def _origin(dataset: Dataset, group: int) -> tuple[int, int]:
    """Row and column of the picture, from 0, on which the overlay's first pixel lies; both may be outside."""
    said = value_at(dataset, group, ORIGIN)
    try:
        row, column = (int(part) for part in said)
    except (TypeError, ValueError):
        return 0, 0
    return row - 1, column - 1


def _placed(bits: Mask, top: int, left: int, shape: Shape) -> Mask:
    mask = np.zeros((shape.rows, shape.columns), np.bool_)
    bits = bits[max(0, -top) :, max(0, -left) :]
    top, left = max(0, top), max(0, left)
    bits = bits[: max(0, shape.rows - top), : max(0, shape.columns - left)]
    mask[top : top + bits.shape[0], left : left + bits.shape[1]] = bits
    return mask


def _embedded(dataset: Dataset, shape: Shape, group: int, samples: NDArray[Any] | None) -> Mask | None:
    """A plane in one of the bits beside those of the picture, as files before 2004 have it (PS3.5 §8.1.2, retired)."""
    position = _number(dataset, group, POSITION, 0)
    if Tag(group, POSITION) not in dataset or samples is None or samples.dtype.kind != "u":
        return None
    outside = position > shape.high_bit or position <= shape.high_bit - shape.stored
    if not outside or position >= samples.dtype.itemsize * 8 or samples.shape != (shape.rows, shape.columns):
        return None
    mask: Mask = (samples >> position & 1).astype(np.bool_)
    return mask


def _number(dataset: Dataset, group: int, element: int, otherwise: int) -> int:
    said = value_at(dataset, group, element)
    try:
        return int(said)
    except (TypeError, ValueError):
        return otherwise


def _text(dataset: Dataset, group: int, element: int) -> str:
    said = value_at(dataset, group, element)
    return said.strip() if isinstance(said, str) else ""
