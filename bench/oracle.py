"""A picture as DCMTK's dcm2pnm shows it, to hold ours against; by a presentation state as its dcmp2pgm does.

What dcm2pnm cannot unpack (JPEG 2000, HTJ2K) GDCM or OpenJPEG unpacks for it. What it does not look for (windows and
rescaling in functional groups) is put where it looks. Where the file gives no window that shows anything, it is given
the range we have chosen. Nothing of ours reads the pixels on this side.
"""

from __future__ import annotations

import subprocess
import tempfile
import warnings
from collections.abc import Iterator, Sequence
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
GROUPS = {0x28, *range(0x6000, 0x6020, 2)}
KEPT = ("SOPClassUID", "SOPInstanceUID", "Modality", "PresentationLUTShape")
MACROS = ("FrameVOILUTSequence", "PixelValueTransformationSequence")
MOVED = ("WindowCenter", "WindowWidth", "RescaleSlope", "RescaleIntercept", "VOILUTFunction", "VOILUTSequence")


def picture(
    file: Path, chosen: tuple[float, float] | None, frame: int = 0, more: Sequence[str] = ()
) -> tuple[str, Pixels] | None:
    """Who made it, and the frame (from 0) as [rows, columns] or [rows, columns, 3]; None when nobody can.

    `chosen` is the darkest and the brightest value for a file that says nothing, or nothing sensible, of it; `more`
    are options of dcm2pnm.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = dcmread(file, force=True)
        options = [*_options(header, chosen, frame), *more]
        for unpacker, plain, number in _unpacked(file, header, frame):
            for shower in SHOWERS:
                shown = _shown([shower, *options, "--frame", number, plain])
                if shown is not None:
                    return f"{unpacker} {shower}".strip(), shown
    return None


def presented(image: Path, state: Path, frame: int = 0) -> Pixels:
    """The frame (from 0) of an image as dcmp2pgm shows it by a presentation state. It draws no lines and no words, and
    pads its rows."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "shown.pgm")
        command = ["dcmp2pgm", "--pstate", state, "--frame", frame + 1, image, out]
        subprocess.run([str(part) for part in command], capture_output=True, timeout=120, check=True)
        return np.asarray(Image.open(out))


def _options(header: Dataset, chosen: tuple[float, float] | None, frame: int) -> list[str]:
    # Overlays are drawn; those that outline a region would dim everything around it by default.
    common = [
        "--quiet",
        "--display-overlay",
        "0",
        "--ovl-replace",
        "--write-raw-pnm",
        "--check-lut-depth",
    ]
    if header.get("SamplesPerPixel", 1) != 1 or header.get("PhotometricInterpretation") == "PALETTE COLOR":
        return common
    if chosen:
        return [*common, *_window(dict(_of_frame(header, frame)) or header, *chosen)]
    return [*common, "--use-voi-lut" if "VOILUTSequence" in header else "--use-window", "1"]


def _window(said: Any, low: float, high: float) -> list[str]:
    """From the darkest to the brightest, in stored values: dcm2pnm rounds rescaled ones to whole numbers."""
    slope, intercept = float(said.get("RescaleSlope") or 1), float(said.get("RescaleIntercept") or 0)
    low, high = (low - intercept) / slope, (high - intercept) / slope
    window = ["--set-window", f"{(low + high + 1) / 2:.9f}", f"{high - low + 1:.9f}", "--linear-function"]
    return window if "ModalityLUTSequence" in said else ["--no-modality", *window]


def _unpacked(file: Path, header: Dataset, frame: int) -> Iterator[tuple[str, Path, int]]:
    """The file as it is and then as others unpack it, with what the frame says of itself at the top."""
    grouped = "SharedFunctionalGroupsSequence" in header or "PerFrameFunctionalGroupsSequence" in header
    if not grouped:
        yield "", file, frame + 1
    for name, (_, unpack) in other_tools.TOOLS.items():
        pixels = unpack(file, frame)
        if pixels is not None:
            with tempfile.TemporaryDirectory() as folder:
                plain = Path(folder, "plain.dcm")
                _write_plain(header, pixels, plain, frame)
                yield name, plain, 1


def _write_plain(header: Dataset, pixels: NDArray[Any], path: Path, frame: int) -> None:
    """A single native frame under the parts of the header that tell how it looks."""
    plain = Dataset()
    for element in header:
        if element.tag.group in GROUPS or element.keyword in KEPT:
            plain.add(element)
    for keyword, value in _of_frame(header, frame):
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


def _of_frame(header: Dataset, frame: int) -> Iterator[tuple[str, Any]]:
    for holder, place in (("SharedFunctionalGroupsSequence", 0), ("PerFrameFunctionalGroupsSequence", frame)):
        for groups in list(header.get(holder) or [])[place : place + 1]:
            for macro in MACROS:
                for item in list(groups.get(macro) or [])[:1]:
                    yield from ((keyword, item[keyword].value) for keyword in MOVED if keyword in item)


def _shown(command: list[Any]) -> Pixels | None:
    done = subprocess.run([str(part) for part in command], capture_output=True, timeout=120, check=False)
    if done.returncode or not done.stdout.startswith((b"P5", b"P6")):
        return None
    return np.asarray(Image.open(BytesIO(done.stdout)))
