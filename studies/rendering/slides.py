"""A whole-slide picture from its tiles, no larger than a screen needs (PS3.3 §A.32.8, §C.8.12.4, §C.7.6.17)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

from studies.dicom import functional_group, integer, uid
from studies.refusals import CannotShow
from studies.rendering.pixels import Shape

WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
MOST_PIXELS = 64 * 10**6
"""Of all tiles of a level that is decoded; overviews are smaller, and larger levels show no more of it."""
LONGEST = 2048
PAPER = 255
Tile = NDArray[np.uint8]


def is_slide(dataset: Dataset) -> bool:
    """Whether its frames are the tiles of one picture."""
    return uid(dataset, "SOPClassUID") == WHOLE_SLIDE and bool(integer(dataset, "TotalPixelMatrixRows"))


def bearable(dataset: Dataset, shape: Shape) -> None:
    """Raise `CannotShow` when there is more to decode than a picture of the whole is worth."""
    rows, columns = _whole(dataset)
    if shape.rows * shape.columns * shape.frames > MOST_PIXELS or not 0 < rows * columns <= MOST_PIXELS:
        raise CannotShow("slide")


def _whole(dataset: Dataset) -> tuple[int, int]:
    return integer(dataset, "TotalPixelMatrixRows") or 0, integer(dataset, "TotalPixelMatrixColumns") or 0


def stitched(dataset: Dataset, shape: Shape, tile: Callable[[int], Tile]) -> Tile:
    """The picture of all its tiles, which `tile` shows one at a time."""
    rows, columns = _whole(dataset)
    shrink = max(1.0, max(rows, columns) / LONGEST)
    canvas = np.full((_scaled(rows, shrink), _scaled(columns, shrink), 3), PAPER, np.uint8)
    for frame, (top, left) in enumerate(_places(dataset, shape, columns)):
        _lay(canvas, tile(frame), (top, left), (rows, columns), shrink)
    return canvas


def _places(dataset: Dataset, shape: Shape, columns: int) -> Iterator[tuple[int, int]]:
    """Row and column of each tile's corner, from 0: as it says, else row after row (§C.7.6.17.3)."""
    across = -(-columns // shape.columns)
    for frame in range(shape.frames):
        place = functional_group(dataset, frame, "PlanePositionSlideSequence")
        said = [
            integer(place, f"{side}PositionInTotalImagePixelMatrix") if place is not None else None
            for side in ("Row", "Column")
        ]
        down, right = said
        if down is None or right is None:
            yield frame // across * shape.rows, frame % across * shape.columns
        else:
            yield down - 1, right - 1


def _lay(canvas: Tile, tile: Tile, corner: tuple[int, int], whole: tuple[int, int], shrink: float) -> None:
    """Put what of the tile lies within the picture in its place."""
    (top, left), (rows, columns) = corner, whole
    if not (0 <= top < rows and 0 <= left < columns):
        return
    tile = tile[: rows - top, : columns - left]
    y, x = int(top / shrink), int(left / shrink)
    bottom, right = _scaled(top + tile.shape[0], shrink), _scaled(left + tile.shape[1], shrink)
    bottom, right = min(bottom, canvas.shape[0]), min(right, canvas.shape[1])
    image = Image.fromarray(tile).convert("RGB")
    fitted = image if image.size == (right - x, bottom - y) else image.resize((right - x, bottom - y))
    canvas[y:bottom, x:right] = np.asarray(fitted)


def _scaled(side: int, shrink: float) -> int:
    return max(1, round(side / shrink))
