"""Display shutters: what lies outside the part of the picture that is meant to be seen (PS3.3 §C.7.6.11, §C.7.6.15)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from studies.dicom import Opened, integer, numbers, text
from studies.rendering.overlays import Mask, plane, reduced
from studies.rendering.pixels import Shape

MOST_VERTICES = 10_000


def shut(pixels: NDArray[np.uint8], opened: Opened, shape: Shape, frame: int) -> NDArray[np.uint8]:
    """The picture with what its shutters cover in the tone the data set names, or black; several add up."""
    covered = list(_covered(opened, shape, frame))
    if not covered:
        return pixels
    pixels = np.array(pixels)
    # A P-value of sixteen bits (§C.7.6.11.1).
    tone = min(255, max(0, (integer(opened.dataset, "ShutterPresentationValue") or 0) >> 8))
    # What is partly seen stays: the seen part is what is kept when the picture is smaller than the mask.
    seen = ~np.logical_or.reduce(covered)
    pixels[~reduced(seen, pixels.shape[0], pixels.shape[1])] = tone
    return pixels


def _covered(opened: Opened, shape: Shape, frame: int) -> Iterator[Mask]:
    for name in text(opened.dataset, "ShutterShape").split("\\"):
        mask = _SHAPES[name](opened, shape, frame) if name in _SHAPES else None
        # One that covers everything is a mistake of its writer.
        if mask is not None and not mask.all():
            yield mask


def _rectangle(opened: Opened, shape: Shape, frame: int) -> Mask | None:
    keywords = (
        "ShutterLeftVerticalEdge",
        "ShutterRightVerticalEdge",
        "ShutterUpperHorizontalEdge",
        "ShutterLowerHorizontalEdge",
    )
    edges = [integer(opened.dataset, keyword) for keyword in keywords]
    if None in edges:
        return None
    left, right, upper, lower = (edge or 0 for edge in edges)
    down, across = np.ogrid[1 : shape.rows + 1, 1 : shape.columns + 1]
    return (across < left) | (across > right) | (down < upper) | (down > lower)


def _circle(opened: Opened, shape: Shape, frame: int) -> Mask | None:
    center, radius = (
        numbers(opened.dataset, "CenterOfCircularShutter"),
        integer(opened.dataset, "RadiusOfCircularShutter"),
    )
    if len(center) != 2 or not radius or radius < 0:
        return None
    down, across = np.ogrid[1 : shape.rows + 1, 1 : shape.columns + 1]
    return (down - center[0]) ** 2 + (across - center[1]) ** 2 > radius**2


def _polygon(opened: Opened, shape: Shape, frame: int) -> Mask | None:
    """The edge belongs to what is seen."""
    said = numbers(opened.dataset, "VerticesOfThePolygonalShutter")[: 2 * MOST_VERTICES]
    corners = [(column - 1, row - 1) for row, column in zip(said[::2], said[1::2], strict=False)]
    if len(corners) < 3:
        return None
    image = Image.new("1", (shape.columns, shape.rows), 1)
    ImageDraw.Draw(image).polygon(corners, fill=0, outline=0)
    return np.array(image)


def _bitmap(opened: Opened, shape: Shape, frame: int) -> Mask | None:
    group = integer(opened.dataset, "ShutterOverlayGroup")
    return plane(opened, shape, 0, group) if group is not None and 0x6000 <= group <= 0x601E else None


_SHAPES: dict[str, Callable[[Opened, Shape, int], Mask | None]] = {
    "RECTANGULAR": _rectangle,
    "CIRCULAR": _circle,
    "POLYGONAL": _polygon,
    "BITMAP": _bitmap,
}
