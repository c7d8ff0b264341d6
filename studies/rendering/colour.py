"""Three samples, or one and a palette, to RGB of eight bits (PS3.3 §C.7.6.3.1.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut

from studies.refusals import CannotShow
from studies.rendering.pixels import Shape

Colour = NDArray[np.uint8]


def colour(samples: NDArray[Any], shape: Shape, decoded_to_rgb: bool) -> Colour:
    """[rows, columns, 3] of any depth to RGB; JPEG and JPEG 2000 decoders have left YBR already."""
    eight = samples if samples.dtype == np.uint8 else (samples >> max(0, shape.stored - 8)).astype(np.uint8)
    if shape.photometric.startswith("YBR_FULL") and not decoded_to_rgb:
        size = (eight.shape[1], eight.shape[0])
        return np.asarray(Image.frombytes("YCbCr", size, eight.tobytes()).convert("RGB"))
    return eight


def palette(samples: NDArray[Any], shape: Shape, dataset: Dataset) -> Colour:
    """Indices to colours (§C.7.6.3.1.5), by the data set's own tables, segmented ones too."""
    try:
        coloured = apply_color_lut(samples & ((1 << shape.stored) - 1), dataset)
    except (ValueError, AttributeError, KeyError, IndexError, TypeError) as error:
        raise CannotShow("pixels") from error
    return coloured if coloured.dtype == np.uint8 else (coloured >> 8).astype(np.uint8)
