"""A shown frame to files: fitted to a size, never enlarged, square pixels, JPEG or WebP."""

from __future__ import annotations

from io import BytesIO

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

from studies.dicom import functional_group, numbers

MOST_STRETCH = 10  # a larger ratio of pixel sides is a typing mistake
JPEG_QUALITY, WEBP_QUALITY = 85, 80


def fitted(size: tuple[int, int], aspect: float, longest: int) -> tuple[int, int]:
    """The size, width by height, of a picture of pixels `aspect` times as tall as wide."""
    width, height = size
    # Stretch the shorter side of the pixels: nothing seen is lost.
    wide, tall = (width, height * aspect) if aspect >= 1 else (width / aspect, height)
    scale = min(1.0, longest / max(wide, tall))
    return max(1, round(wide * scale)), max(1, round(tall * scale))


def aspect_of(dataset: Dataset, frame: int) -> float:
    """Height of a pixel over its width (PS3.3 §C.7.6.3.1.7, §10.7.1.1: row spacing comes first)."""
    measures = functional_group(dataset, frame, "PixelMeasuresSequence")
    for holder in (measures, dataset):
        for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio"):
            sides = numbers(holder, keyword) if holder is not None else []
            if len(sides) == 2 and min(sides) > 0:
                aspect = sides[0] / sides[1]
                square = abs(aspect - 1) < 0.01 or not 1 / MOST_STRETCH <= aspect <= MOST_STRETCH
                return 1.0 if square else aspect
    return 1.0


def encoded(pixels: NDArray[np.uint8], aspect: float, name: str, longest: int) -> tuple[bytes, int, int]:
    """The file, its width and its height."""
    pixels = _resized(pixels, fitted((pixels.shape[1], pixels.shape[0]), aspect, longest))
    return _FORMATS[name](pixels), pixels.shape[1], pixels.shape[0]


def _resized(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    image = Image.fromarray(pixels)
    if size == image.size:
        return pixels
    return np.asarray(image.resize(size, Image.Resampling.BOX if _shrinks(image, size) else Image.Resampling.BILINEAR))


def _shrinks(image: Image.Image, size: tuple[int, int]) -> bool:
    return size[0] <= image.width // 2 and size[1] <= image.height // 2


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    # All of the colours (4:4:4): a tenth more bytes, and maps of directions and flow keep theirs.
    # Pillow has the same encoder and takes a quarter of a millisecond longer to call it.
    pixels = np.ascontiguousarray(pixels)
    return bytes(imagecodecs.jpeg8_encode(pixels, level=JPEG_QUALITY, subsampling="444"))


def _webp(pixels: NDArray[np.uint8]) -> bytes:
    Image.fromarray(pixels).save(buffer := BytesIO(), "WEBP", quality=WEBP_QUALITY, method=2)
    return buffer.getvalue()


# WebP is slow and small: worth it for a picture that is shown in every list.
_FORMATS = {"thumbnail": _webp, "preview": _jpeg}
