"""Colours as a screen means them: by the ICC profile of their device, where the data set has one (PS3.3 §C.11.15)."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms
from pydicom.dataset import Dataset

from studies.dicom import item, text, value_of

MOST_BYTES = 4 << 20


def to_screen(pixels: NDArray[np.uint8], dataset: Dataset) -> NDArray[np.uint8]:
    """[rows, columns, 3] of the profile's colours as sRGB; as they are where nothing, or nothing sensible, is said."""
    profile = _profile(dataset)
    transform = _transform(profile) if profile else None
    if transform is None:
        return pixels
    return np.asarray(ImageCms.applyTransform(Image.fromarray(np.ascontiguousarray(pixels)), transform))


def _profile(dataset: Dataset) -> bytes:
    """Of the picture, or of its first optical path (microscopy)."""
    path = item(dataset, "OpticalPathSequence", 0)
    for holder in (dataset, path):
        said = value_of(holder, "ICCProfile") if holder is not None else None
        if isinstance(said, bytes) and 128 < len(said) <= MOST_BYTES:
            return b"" if text(dataset, "ColorSpace") == "SRGB" else said
    return b""


@lru_cache(maxsize=4)
def _transform(profile: bytes) -> ImageCms.ImageCmsTransform | None:
    """None where it changes nothing, is no profile of a device with three colours, or is broken."""
    try:
        device = ImageCms.ImageCmsProfile(BytesIO(profile))
        if device.profile.xcolor_space.strip() != "RGB" or "sRGB" in (device.profile.profile_description or ""):
            return None
        screen = ImageCms.createProfile("sRGB")
        return ImageCms.buildTransform(device, screen, "RGB", "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        # A broken profile is no reason to show nothing.
        return None


def warm_profiles() -> None:
    """Make a transform while files can be read."""
    screen = ImageCms.createProfile("sRGB")
    ImageCms.applyTransform(Image.new("RGB", (2, 2)), ImageCms.buildTransform(screen, screen, "RGB", "RGB"))
