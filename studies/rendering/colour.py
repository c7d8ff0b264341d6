"""Three samples, or one and a palette, to RGB of eight bits (PS3.3 §C.7.6.3.1.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

from studies.dicom import Opened, text
from studies.rendering.grey import meaning
from studies.rendering.palettes import coloured, first_of
from studies.rendering.pixels import Shape

Colour = NDArray[np.uint8]

# ITU-R BT.601 in the range of video: Y from 16 to 235, chroma from 16 to 240 (YBR_PARTIAL, retired in 2017).
PARTIAL = np.array([[1.1644, 0, 1.5960], [1.1644, -0.3917, -0.8129], [1.1644, 2.0173, 0]])
SUPPLEMENTED = ("COLOR", "MIXED", "TRUE_COLOR")


def colour(samples: NDArray[Any], shape: Shape, decoded_to_rgb: bool) -> Colour:
    """[rows, columns, 3] of any depth to RGB; JPEG and JPEG 2000 decoders have left YBR already."""
    eight = samples if samples.dtype == np.uint8 else (samples >> max(0, shape.stored - 8)).astype(np.uint8)
    if decoded_to_rgb or not shape.photometric.startswith("YBR_"):
        return eight
    if shape.photometric.startswith("YBR_FULL"):
        size = (eight.shape[1], eight.shape[0])
        return np.asarray(Image.frombytes("YCbCr", size, eight.tobytes()).convert("RGB"))
    if shape.photometric.startswith("YBR_PARTIAL"):
        light = (eight - np.array([16.0, 128.0, 128.0])) @ PARTIAL.T
        return np.asarray((np.clip(light, 0, 255) + 0.5).astype(np.uint8))
    return eight


def palette(samples: NDArray[Any], shape: Shape, opened: Opened) -> Colour:
    """Indices to colours, by the data set's own tables."""
    return coloured(samples.astype(np.int64) & ((1 << shape.stored) - 1), opened.dataset, opened.little_endian)


def is_supplemented(shape: Shape, dataset: Dataset) -> bool:
    """Whether some of the grey values stand for colours: flow, or activity, over anatomy (§C.7.6.19)."""
    said = text(dataset, "PixelPresentation") in SUPPLEMENTED and shape.photometric == "MONOCHROME2"
    return said and first_of(dataset)[0] > 0


def supplemented(samples: NDArray[Any], shape: Shape, opened: Opened, grey: NDArray[np.uint8]) -> Colour:
    """The grey picture with the values in colour that the palette speaks of."""
    _, first = first_of(opened.dataset)
    first = first - (1 << 16) if shape.signed and first >= 1 << 15 else first
    stored = meaning(samples, shape).astype(np.int64)
    inside = stored >= first
    shown = np.dstack([grey] * 3)
    shown[inside] = coloured(stored[inside], opened.dataset, opened.little_endian)
    return shown
