"""A shown frame to files: fitted to a size, never enlarged, square pixels, JPEG or WebP."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from PIL import Image
from pydicom.dataset import Dataset

from studies.dicom import functional_group, numbers

MOST_STRETCH = 10  # a larger ratio of pixel sides is a typing mistake
FORMATS: dict[str, dict[str, Any]] = {
    # WebP is slow and small: worth it for a picture that is shown in every list.
    "thumbnail": {"format": "WEBP", "quality": 80, "method": 2},
    "preview": {"format": "JPEG", "quality": 85},
}


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


def encoded(image: Image.Image, aspect: float, name: str, longest: int) -> tuple[bytes, int, int]:
    """The file, its width and its height."""
    size = fitted(image.size, aspect, longest)
    if size != image.size:
        image = image.resize(size, Image.Resampling.BOX if _shrinks(image, size) else Image.Resampling.BILINEAR)
    buffer = BytesIO()
    image.save(buffer, **FORMATS[name])
    return buffer.getvalue(), *size


def _shrinks(image: Image.Image, size: tuple[int, int]) -> bool:
    return size[0] <= image.width // 2 and size[1] <= image.height // 2
