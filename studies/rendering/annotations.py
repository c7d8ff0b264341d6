"""What somebody drew and wrote on a picture, in a presentation state (PS3.3 §C.10.5)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable

from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset

from studies.dicom import items, numbers, text, value_of

Where = Callable[[float, float], tuple[float, float]]
Points = list[tuple[float, float]]

MOST_OBJECTS, MOST_POINTS, MOST_LETTERS = 500, 5000, 500
CURVE_STEPS = 8
INK, SHADOW = 255, 0


def draw_annotations(picture: Image.Image, annotations: Iterable[Dataset], where: Where) -> Image.Image:
    """The picture with lines and words in white on a dark edge; `where` takes places in the image to the picture."""
    drawing = _Drawing(picture, where)
    for annotation in annotations:
        for shape in itertools.islice(items(annotation, "GraphicObjectSequence"), MOST_OBJECTS):
            drawing.shape(shape)
        for words in itertools.islice(items(annotation, "TextObjectSequence"), MOST_OBJECTS):
            drawing.words(words)
    return picture


def warm_font() -> None:
    """Load the letters while files can be read."""
    ImageDraw.Draw(Image.new("L", (8, 8))).text((0, 0), "A", 255, ImageFont.load_default(12))


class _Drawing:
    def __init__(self, picture: Image.Image, where: Where) -> None:
        self._draw = ImageDraw.Draw(picture)
        self._size = picture.size
        self._where = where
        self._stroke = max(1, round(max(picture.size) / 500))
        self._font = ImageFont.load_default(max(12, max(picture.size) // 40))
        colours = picture.mode == "RGB"
        self._ink: int | tuple[int, ...] = (INK,) * 3 if colours else INK
        self._shadow: int | tuple[int, ...] = (SHADOW,) * 3 if colours else SHADOW

    def shape(self, shape: Dataset) -> None:
        kind = text(shape, "GraphicType")
        said = numbers(shape, "GraphicData")[: 2 * MOST_POINTS]
        points = list(zip(said[::2], said[1::2], strict=False))
        if kind not in _OUTLINES or not points:
            return
        outline = [self._place(shape, "GraphicAnnotationUnits", point) for point in _OUTLINES[kind](points)]
        if kind == "POINT":
            self._point(outline[0])
        elif text(shape, "GraphicFilled") == "Y":
            self._draw.polygon(outline, fill=self._ink)
        else:
            for fill, more in ((self._shadow, 2), (self._ink, 0)):
                self._draw.line(outline, fill, self._stroke + more, joint="curve")

    def words(self, words: Dataset) -> None:
        said = value_of(words, "UnformattedTextValue")
        lines = str(said or "").replace("\r\n", "\n").replace("\r", "\n")[:MOST_LETTERS].strip()
        corner = numbers(words, "BoundingBoxTopLeftHandCorner") or numbers(words, "AnchorPoint")
        if not lines or len(corner) != 2:
            return
        units = (
            "BoundingBoxAnnotationUnits" if "BoundingBoxTopLeftHandCorner" in words else "AnchorPointAnnotationUnits"
        )
        x, y = self._place(words, units, (corner[0], corner[1]))
        box = self._draw.multiline_textbbox((0, 0), lines, self._font)
        x = min(max(0, x), max(0, self._size[0] - box[2] - 1))
        y = min(max(0, y), max(0, self._size[1] - box[3] - 1))
        edge = max(1, self._stroke)
        self._draw.multiline_text(
            (x, y),
            lines,
            self._ink,
            self._font,
            stroke_width=edge,
            stroke_fill=self._shadow,
        )

    def _place(self, holder: Dataset, units: str, point: tuple[float, float]) -> tuple[float, float]:
        """In pixels of the image, or in fractions of what is shown of it."""
        if text(holder, units) == "DISPLAY":
            x, y = point[0] * self._size[0], point[1] * self._size[1]
        else:
            x, y = self._where(*point)
        return max(-1e5, min(x, 1e5)), max(-1e5, min(y, 1e5))

    def _point(self, place: tuple[float, float]) -> None:
        x, y = place
        reach = 2 * self._stroke
        self._draw.ellipse((x - reach, y - reach, x + reach, y + reach), self._ink, self._shadow)


def _circle(points: Points) -> Points:
    """By its center and a point on it."""
    if len(points) < 2:
        return points
    (x, y), (a, b) = points[:2]
    radius = ((a - x) ** 2 + (b - y) ** 2) ** 0.5
    return _ellipse([(x - radius, y), (x + radius, y), (x, y - radius), (x, y + radius)])


def _ellipse(points: Points) -> Points:
    """By the ends of its major axis and those of its minor one."""
    if len(points) < 4:
        return points
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = points[:4]
    x, y = (ax + bx) / 2, (ay + by) / 2
    long, short = ((bx - ax) / 2, (by - ay) / 2), ((dx - cx) / 2, (dy - cy) / 2)
    return [(x + long[0] * c + short[0] * s, y + long[1] * c + short[1] * s) for c, s in _TURN]


def _interpolated(points: Points) -> Points:
    """A smooth line through the points (Catmull-Rom)."""
    closed = len(points) > 2 and points[0] == points[-1]
    around = [points[-2] if closed else points[0], *points, points[1] if closed else points[-1]]
    smooth: Points = []
    for p, q, r, s in zip(around, around[1:], around[2:], around[3:], strict=False):
        smooth += [_between(p, q, r, s, step / CURVE_STEPS) for step in range(CURVE_STEPS)]
    return [*smooth, points[-1]]


def _between(
    p: tuple[float, float], q: tuple[float, float], r: tuple[float, float], s: tuple[float, float], t: float
) -> tuple[float, float]:
    x, y = (
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(p, q, r, s, strict=True)
    )
    return x, y


_TURN = [(math.cos(step * math.pi / 64), math.sin(step * math.pi / 64)) for step in range(129)]

_OUTLINES: dict[str, Callable[[Points], Points]] = {
    "POINT": list,
    "POLYLINE": list,
    "INTERPOLATED": _interpolated,
    "CIRCLE": _circle,
    "ELLIPSE": _ellipse,
}
