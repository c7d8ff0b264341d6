"""The first picture of a file as DCMTK's dcm2pnm shows it, to hold ours against.

What dcm2pnm cannot unpack (JPEG 2000, HTJ2K) GDCM or OpenJPEG unpacks for it. What it does not look for (windows and
rescaling in functional groups) is put where it looks. Where the file gives no window that shows anything, it is given
the range we have chosen. Nothing of ours reads the pixels on this side.
"""

from __future__ import annotations

import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from tests.studies import other_tools

Pixels = NDArray[np.uint8]
SHOWERS = ("dcm2pnm", "dcmj2pnm", "dcml2pnm")
MACROS = ("FrameVOILUTSequence", "PixelValueTransformationSequence")
MOVED = ("WindowCenter", "WindowWidth", "RescaleSlope", "RescaleIntercept", "VOILUTFunction", "VOILUTSequence")


def picture(file: Path, chosen: tuple[float, float] | None) -> tuple[str, Pixels] | None:
    """Who made it, and the first frame as [rows, columns] or [rows, columns, 3]; None when nobody can.

    `chosen` is the darkest and the brightest value for a file that says nothing, or nothing sensible, of it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = dcmread(file, force=True)
        options = _options(header, chosen)
        for unpacker, plain in _unpacked(file, header):
            for shower in SHOWERS:
                shown = _shown([shower, *options, plain])
                if shown is not None:
                    return f"{unpacker} {shower}".strip(), shown
    return None


def _options(header: Dataset, chosen: tuple[float, float] | None) -> list[str]:
    common = ["--quiet", "--no-overlays", "--frame", "1", "--write-raw-pnm"]
    if header.get("SamplesPerPixel", 1) != 1 or header.get("PhotometricInterpretation") == "PALETTE COLOR":
        return common
    if chosen:
        return [*common, *_window(dict(_of_first_frame(header)) or header, *chosen)]
    return [*common, "--use-voi-lut" if "VOILUTSequence" in header else "--use-window", "1"]


def _window(said: Any, low: float, high: float) -> list[str]:
    """From the darkest to the brightest, in stored values: dcm2pnm rounds rescaled ones to whole numbers."""
    slope, intercept = float(said.get("RescaleSlope") or 1), float(said.get("RescaleIntercept") or 0)
    low, high = (low - intercept) / slope, (high - intercept) / slope
    window = ["--set-window", f"{(low + high + 1) / 2:.9f}", f"{high - low + 1:.9f}", "--linear-function"]
    return window if "ModalityLUTSequence" in said else ["--no-modality", *window]


def _unpacked(file: Path, header: Dataset) -> Iterator[tuple[str, Path]]:
    """The file as it is and then as others unpack it, with what its first frame says of itself at the top."""
    grouped = "SharedFunctionalGroupsSequence" in header or "PerFrameFunctionalGroupsSequence" in header
    if not grouped and "NumberOfFrames" not in header:
        yield "", file
    for name, (_, unpack) in other_tools.TOOLS.items():
        pixels = unpack(file)
        if pixels is not None:
            with tempfile.TemporaryDirectory() as folder:
                plain = Path(folder, "plain.dcm")
                _write_plain(header, pixels, plain)
                yield name, plain


def _write_plain(header: Dataset, pixels: NDArray[Any], path: Path) -> None:
    """A single native frame under the parts of the header that tell how it looks."""
    plain = Dataset()
    for element in header:
        if element.tag.group == 0x28 or element.keyword in ("SOPClassUID", "SOPInstanceUID", "Modality"):
            plain.add(element)
    for keyword, value in _of_first_frame(header):
        setattr(plain, keyword, value)
    colours = pixels.ndim == 3
    plain.NumberOfFrames = 1
    if colours:
        plain.PhotometricInterpretation, plain.PlanarConfiguration = "RGB", 0
    plain.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    plain["PixelData"].VR = "OW" if pixels.dtype.itemsize > 1 else "OB"
    plain.file_meta = FileMetaDataset()
    plain.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    plain.save_as(path, enforce_file_format=True)


def _of_first_frame(header: Dataset) -> Iterator[tuple[str, Any]]:
    for holder in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for groups in list(header.get(holder) or [])[:1]:
            for macro in MACROS:
                for item in list(groups.get(macro) or [])[:1]:
                    yield from ((keyword, item[keyword].value) for keyword in MOVED if keyword in item)


def _shown(command: list[Any]) -> Pixels | None:
    done = subprocess.run([str(part) for part in command], capture_output=True, timeout=120, check=False)
    if done.returncode or not done.stdout.startswith((b"P5", b"P6")):
        return None
    return np.asarray(Image.open(BytesIO(done.stdout)))
