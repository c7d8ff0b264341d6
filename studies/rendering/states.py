"""A picture as a presentation state would have it (PS3.3 §A.33, §C.11.8 to §C.11.11, §C.10.4 to §C.10.6).

What a state says of brightness, shutters and overlays takes the place of what the picture says of them, so it is
written into the picture's header. Turning, cutting out and drawing come afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from studies.dicom import Opened, integer, items, numbers, text, uid
from studies.dicom.presenting import is_for
from studies.rendering.annotations import draw_annotations
from studies.rendering.overlays import CONTENT, GROUPS, LAYER
from studies.rendering.pixels import Shape

Pixels = NDArray[np.uint8]

MODALITY = ("ModalityLUTSequence", "RescaleSlope", "RescaleIntercept", "RescaleType")
VOI = ("VOILUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction")
PRESENTATION = ("PresentationLUTSequence", "PresentationLUTShape")
SHUTTER = (
    "ShutterShape",
    "ShutterLeftVerticalEdge",
    "ShutterRightVerticalEdge",
    "ShutterUpperHorizontalEdge",
    "ShutterLowerHorizontalEdge",
    "CenterOfCircularShutter",
    "RadiusOfCircularShutter",
    "VerticesOfThePolygonalShutter",
    "ShutterPresentationValue",
    "ShutterOverlayGroup",
)
GROUPED = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
LEAST_DRAWN_ON = 512  # pixels, so that what is written beside a small picture can be read


def restated(image: Opened, state: Dataset, frame: int) -> Opened:
    """The picture under a header that says of its brightness, shutters and overlays what the state does."""
    header = Dataset()
    for tag in image.dataset.keys():  # noqa: SIM118 (to iterate over a data set converts its values)
        header[tag] = image.dataset.get_item(tag)
    _restate_brightness(header, state, frame)
    _take(header, state, SHUTTER)
    _restate_overlays(header, state)
    return replace(image, dataset=header)


def _restate_brightness(header: Dataset, state: Dataset, frame: int) -> None:
    voi = next(_voi(state, uid(header, "SOPInstanceUID"), frame), None)
    says_modality = any(keyword in state for keyword in MODALITY[:2])
    if voi is not None or says_modality:
        _take(header, state, MODALITY)
        _take(header, Dataset() if voi is None else voi, VOI)
        for keyword in GROUPED:  # whose windows and slopes would come first
            _drop(header, keyword)
    if any(keyword in state for keyword in PRESENTATION):
        _take(header, state, PRESENTATION)
        if "PresentationLUTShape" not in state:
            header.PresentationLUTShape = "IDENTITY"  # a table gives brightness, whatever the picture's own polarity


def _voi(state: Dataset, sop_uid: str, frame: int) -> Iterator[Dataset]:
    return (each for each in items(state, "SoftcopyVOILUTSequence") if is_for(each, sop_uid, frame))


def _restate_overlays(header: Dataset, state: Dataset) -> None:
    """The picture's own overlays are shown where the state gives them a layer; others it brings along."""
    bitmap = integer(state, "ShutterOverlayGroup")
    for group in GROUPS:
        brings = Tag(group, CONTENT) in state and (Tag(group, LAYER) in state or group == bitmap)
        if brings or Tag(group, LAYER) not in state:
            for tag in [tag for tag in header.keys() if tag.group == group]:  # noqa: SIM118
                del header[tag]
        if brings:
            for tag in [tag for tag in state.keys() if tag.group == group]:  # noqa: SIM118
                header[tag] = state.get_item(tag)


def _take(header: Dataset, state: Dataset, keywords: tuple[str, ...]) -> None:
    for keyword in keywords:
        _drop(header, keyword)
        if keyword in state:
            header[Tag(keyword)] = state[keyword]


def _drop(header: Dataset, keyword: str) -> None:
    if keyword in header:
        del header[Tag(keyword)]


# --- where a pixel of the picture lies once it is cut out and turned


@dataclass(frozen=True)
class Placing:
    """From places in the picture, x and y in pixels from its corner, to those in what is shown."""

    left: float
    top: float
    width: float
    height: float
    quarters: int  # clockwise, before the flip
    flipped: bool
    scale: float = 1.0

    def __call__(self, x: float, y: float) -> tuple[float, float]:
        x, y, width, height = x - self.left, y - self.top, self.width, self.height
        for _ in range(self.quarters):
            x, y, width, height = height - y, x, height, width
        return (width - x if self.flipped else x) * self.scale, y * self.scale

    def turned(self, pixels: Pixels) -> Pixels:
        pixels = np.rot90(pixels, -self.quarters)
        return np.ascontiguousarray(pixels[:, ::-1] if self.flipped else pixels)


def presented(
    pixels: Pixels, image: Opened, state: Dataset, shape: Shape, frame: int, aspect: float
) -> tuple[Pixels, float]:
    """The shown pixels cut out, turned and drawn upon, and the height of a pixel over its width after that."""
    area = next(_areas(state, uid(image.dataset, "SOPInstanceUID"), frame), None)
    left, top, right, bottom = _cut(area, shape)
    quarters = (integer(state, "ImageRotation") or 0) % 360 // 90
    placing = Placing(left, top, right - left, bottom - top, quarters, text(state, "ImageHorizontalFlip") == "Y")
    down, across = pixels.shape[0] / shape.rows, pixels.shape[1] / shape.columns
    cut = pixels[round(top * down) : round(bottom * down), round(left * across) : round(right * across)]
    turned = placing.turned(cut)
    aspect = _aspect(area) or aspect
    return _drawn(turned, placing, image, state, frame), 1 / aspect if quarters % 2 else aspect


def _drawn(pixels: Pixels, placing: Placing, image: Opened, state: Dataset, frame: int) -> Pixels:
    sop_uid = uid(image.dataset, "SOPInstanceUID")
    annotations = [one for one in items(state, "GraphicAnnotationSequence") if is_for(one, sop_uid, frame)]
    if not annotations:
        return pixels
    picture = Image.fromarray(pixels)
    times = -(-LEAST_DRAWN_ON // max(picture.size))
    if times > 1:
        picture = picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)
    wide = placing.height if placing.quarters % 2 else placing.width
    where: Callable[[float, float], tuple[float, float]] = replace(placing, scale=picture.width / wide)
    return np.asarray(draw_annotations(picture, annotations, where))


def _areas(state: Dataset, sop_uid: str, frame: int) -> Iterator[Dataset]:
    return (each for each in items(state, "DisplayedAreaSelectionSequence") if is_for(each, sop_uid, frame))


def _cut(area: Dataset | None, shape: Shape) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the area shown, from 0, as far as the picture goes: its corners are given as they
    lie after turning."""
    whole = 0, 0, shape.columns, shape.rows
    corners = [numbers(area, f"DisplayedArea{end}HandCorner") for end in ("TopLeft", "BottomRight")] if area else []
    if [len(corner) for corner in corners] != [2, 2]:
        return whole
    (x, right), (y, bottom) = (sorted(int(corner[axis]) for corner in corners) for axis in (0, 1))
    cut = max(0, x - 1), max(0, y - 1), min(shape.columns, right), min(shape.rows, bottom)
    return cut if cut[0] < cut[2] and cut[1] < cut[3] else whole


def _aspect(area: Dataset | None) -> float | None:
    """Height of a pixel over its width."""
    for keyword in ("PresentationPixelSpacing", "PresentationPixelAspectRatio"):
        sides = numbers(area, keyword) if area else []
        if len(sides) == 2 and min(sides) > 0 and 0.1 <= sides[0] / sides[1] <= 10:
            return sides[0] / sides[1]
    return None
