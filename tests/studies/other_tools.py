"""Pixels by other people's software: the commands of DCMTK, GDCM and OpenJPEG, as Debian builds them.

None knows our reading of the data set. OpenJPEG is within imagecodecs and GDCM, too: for JPEG 2000 the witnesses
differ in version and in everything around the codec.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels import convert_color_space, pixel_array
from pydicom.uid import ExplicitVRLittleEndian

Pixels = NDArray[Any]
SECONDS = 120
JPEG = {f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 53, 55, 57, 70)}
JPEG_LS = {"1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"}
JPEG_2000 = {f"1.2.840.10008.1.2.4.{number}" for number in (90, 91, 201, 202, 203)}
RLE = "1.2.840.10008.1.2.5"


def dcmtk(file: Path, frame: int = 0) -> Pixels | None:
    """A frame (from 0) as dcmdjpeg, dcmdjpls, dcmdrle or dcmconv unpacks it."""
    syntax = _syntax(file)
    tool = "dcmdjpeg" if syntax in JPEG else "dcmdjpls" if syntax in JPEG_LS else "dcmdrle" if syntax == RLE else ""
    if not tool and syntax.startswith("1.2.840.10008.1.2.4."):
        return None
    return _frame([tool, file] if tool else ["dcmconv", "+te", file], frame)


def gdcm(file: Path, frame: int = 0) -> Pixels | None:
    """A frame (from 0) as `gdcmconv --raw` unpacks it."""
    return _frame(["gdcmconv", "--raw", file], frame)


def openjpeg(file: Path, frame: int = 0) -> Pixels | None:
    """A frame (from 0) as opj_decompress unpacks it; None for all but JPEG 2000."""
    if _syntax(file) not in JPEG_2000:
        return None
    header = _read(file)
    with tempfile.TemporaryDirectory() as folder:
        stream, raw = Path(folder, "frame.j2k"), Path(folder, "frame.rawl")
        frames = int(header.get("NumberOfFrames") or 1)
        stream.write_bytes(next(islice(generate_frames(header.PixelData, number_of_frames=frames), frame, None)))
        if not _run(["opj_decompress", "-i", stream, "-o", raw]) or not raw.exists():
            return None
        content = raw.read_bytes()
    planes = np.frombuffer(content, f"<u{header.BitsAllocated // 8}")
    planes = planes.reshape(header.SamplesPerPixel, header.Rows, header.Columns)
    return planes[0] if len(planes) == 1 else planes.transpose(1, 2, 0)


TOOLS: dict[str, tuple[str, Callable[..., Pixels | None]]] = {
    "DCMTK": ("dcmdjpeg", dcmtk),
    "GDCM": ("gdcmconv", gdcm),
    "OpenJPEG": ("opj_decompress", openjpeg),
}
"""By name: a command that must be there, and what asks it for [rows, columns] or [rows, columns, 3]."""


def missing() -> list[str]:
    """Which of them are not installed."""
    return [name for name, (command, _) in TOOLS.items() if not shutil.which(command)]


def _frame(command: list[Any], frame: int) -> Pixels | None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "native.dcm")
        return _native(out, frame) if _run([*command, out]) and out.exists() else None


def _native(file: Path, frame: int) -> Pixels | None:
    """Unsigned bits of a native file, colours as RGB; None when it is still compressed."""
    header = _read(file)
    if header.file_meta.TransferSyntaxUID.is_encapsulated or "PixelData" not in header:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pixels = pixel_array(header, index=frame, raw=True)
    if str(header.PhotometricInterpretation).startswith("YBR_FULL"):
        pixels = convert_color_space(pixels, "YBR_FULL", "RGB")
    return pixels.view(pixels.dtype.str.replace("i", "u"))


def _read(file: Path) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dcmread(file, force=True)


def _syntax(file: Path) -> str:
    return str(_read(file).file_meta.get("TransferSyntaxUID", ExplicitVRLittleEndian))


def _run(command: list[Any]) -> bool:
    done = subprocess.run([str(part) for part in command], capture_output=True, timeout=SECONDS, check=False)
    return done.returncode == 0
