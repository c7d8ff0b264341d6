"""What we decode is what two independent tools decode: exactly, but where a lossy stream leaves room to round."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.pixels import get_encoder
from pydicom.uid import RLELossless

from studies.dicom import open_dataset
from studies.rendering.codecs import decode, leaves_rgb
from studies.rendering.colour import colour
from studies.rendering.pixels import described, frame_content
from tests.studies import other_tools
from tests.studies.dicom_made import encapsulated, image
from tests.studies.test_rendering import BUNDLED, PREFIX, SHOWN

pytestmark = pytest.mark.skipif(
    bool(other_tools.missing()), reason=f"not installed (.ci/packages): {', '.join(other_tools.missing())}"
)

NATIVE, JPEG_2000, HTJ2K = {"DCMTK", "GDCM"}, {"GDCM", "OpenJPEG"}, {"OpenJPEG"}
WITNESSES = {
    **dict.fromkeys(("", "1", "1.99", "2", "5"), NATIVE),
    **dict.fromkeys(("4.50", "4.51", "4.57", "4.70", "4.80", "4.81"), NATIVE),
    **dict.fromkeys(("4.90", "4.91"), JPEG_2000),
    **dict.fromkeys(("4.201", "4.202", "4.203"), HTJ2K),
}
# Cosines, chroma and irreversible wavelets are computed in fractions, which two libraries may round differently.
ROUNDED, TOLERANCE = ("4.50", "4.51", "4.203"), 2
UNABLE = {
    "SC_rgb_jpeg.dcm": NATIVE,  # no item for the table of offsets: DCMTK refuses it, GDCM takes four seconds
    # Thirty-two bits in big-endian words: both turn each half of a number and leave the halves as they lie.
    **dict.fromkeys(("rtdose_expb.dcm", "rtdose_expb_1frame.dcm"), NATIVE),
    "badVR.dcm": NATIVE,  # a number of frames that is none
    # GDCM takes no colours of more than eight bits.
    **{f"SC_rgb_rle_{kind}.dcm": {"GDCM"} for kind in ("16bit", "32bit", "16bit_2frame", "32bit_2frame")},
}


def ours(content: bytes) -> NDArray[Any]:
    """The first frame: stored bits of grey ones, RGB of the others."""
    opened = open_dataset(content)
    shape = described(opened)
    samples = decode(frame_content(opened, shape, 0), opened, shape, 0, 1 << 20)
    if shape.samples == 3 and samples.dtype == np.uint8:
        return colour(samples, shape, leaves_rgb(opened))
    stored: NDArray[Any] = samples & samples.dtype.type((1 << shape.stored) - 1)
    return stored


def theirs(name: str, path: Path) -> NDArray[Any]:
    pixels = other_tools.TOOLS[name][1](path)
    assert pixels is not None, f"{name} cannot read it"
    bits = described(open_dataset(path.read_bytes())).stored
    stored: NDArray[Any] = pixels & pixels.dtype.type((1 << bits) - 1)
    return stored


def agree(path: Path, without: Collection[str] = ()) -> None:
    """Ask all witnesses for the file's syntax; there is at least one."""
    opened = open_dataset(path.read_bytes())
    syntax = opened.transfer_syntax.removeprefix(PREFIX.rstrip(".")).removeprefix(".")
    rounded = syntax in ROUNDED or str(opened.dataset.PhotometricInterpretation).startswith("YBR_FULL")
    names = WITNESSES[syntax].difference(without)
    pixels = ours(path.read_bytes()).astype(np.int64)
    differences = {name: int(np.abs(theirs(name, path).astype(np.int64) - pixels).max()) for name in names}
    assert names
    assert max(differences.values()) <= (TOLERANCE if rounded else 0), differences


@pytest.mark.parametrize("name", [name for name in SHOWN if UNABLE.get(name) != NATIVE])
def test_a_bundled_file_has_the_pixels_that_other_tools_see(name: str) -> None:
    agree(BUNDLED / name, UNABLE.get(name, ()))


DEEP = (np.add.outer(np.arange(61), np.arange(75)) * 30 % 4096).astype(np.uint16)
FLAT = (DEEP >> 4).astype(np.uint8)
PHOTO = np.random.default_rng(7).integers(0, 256, (61, 75, 3), np.uint8)
Encode = Callable[[NDArray[Any]], Any]


def rle(pixels: NDArray[Any]) -> bytes:
    colours = pixels.shape[2] if pixels.ndim == 3 else 1
    bits = pixels.dtype.itemsize * 8
    said: dict[str, Any] = {
        "rows": 61,
        "columns": 75,
        "samples_per_pixel": colours,
        "bits_allocated": bits,
        "bits_stored": bits,
    }
    said |= {"photometric_interpretation": "RGB" if colours == 3 else "MONOCHROME2", "pixel_representation": 0}
    said |= {"planar_configuration": 0} if colours == 3 else {}
    return get_encoder(RLELossless).encode(pixels, number_of_frames=1, **said)


MADE: list[tuple[str, Encode, tuple[NDArray[Any], ...]]] = [
    ("4.50", imagecodecs.jpeg8_encode, (FLAT,)),
    ("4.51", lambda pixels: imagecodecs.jpeg8_encode(pixels, bitspersample=12, level=95), (DEEP,)),
    ("4.57", lambda pixels: imagecodecs.ljpeg_encode(pixels, bitspersample=12), (DEEP,)),
    ("4.70", lambda pixels: imagecodecs.ljpeg_encode(pixels, bitspersample=12), (DEEP,)),
    ("4.80", imagecodecs.jpegls_encode, (FLAT, DEEP)),
    ("4.81", lambda pixels: imagecodecs.jpegls_encode(pixels, level=3), (FLAT, DEEP)),
    ("4.90", lambda pixels: imagecodecs.jpeg2k_encode(pixels, codecformat="j2k", reversible=True), (FLAT, DEEP, PHOTO)),
    ("4.91", lambda pixels: imagecodecs.jpeg2k_encode(pixels, codecformat="j2k", level=40), (FLAT, DEEP, PHOTO)),
    ("4.201", lambda pixels: imagecodecs.htj2k_encode(pixels, reversible=True), (FLAT, DEEP)),
    ("4.203", lambda pixels: imagecodecs.htj2k_encode(pixels, reversible=False), (FLAT,)),
    ("5", rle, (FLAT, DEEP, PHOTO)),
]


@pytest.mark.parametrize(("syntax", "encode", "pixels"), [(s, e, one) for s, e, many in MADE for one in many])
def test_a_made_file_has_the_pixels_that_other_tools_see(
    syntax: str, encode: Encode, pixels: NDArray[Any], tmp_path: Path
) -> None:
    colours, bits = pixels.ndim == 3, pixels.dtype.itemsize * 8
    stored = 12 if bits == 16 else 8
    said: dict[str, Any] = {"Rows": 61, "Columns": 75, "BitsAllocated": bits, "BitsStored": stored}
    if colours:
        said |= {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    path = tmp_path / "made.dcm"
    path.write_bytes(encapsulated(encode(pixels), PREFIX + syntax, HighBit=stored - 1, **said))
    agree(path)
    if syntax not in (*ROUNDED, "4.81", "4.91"):
        assert np.array_equal(ours(path.read_bytes()), pixels)


@pytest.mark.parametrize("syntax", ["", ".1", ".1.99", ".2"])
@pytest.mark.parametrize("signed", [False, True])
def test_an_unpacked_file_has_the_pixels_that_other_tools_see(syntax: str, signed: bool, tmp_path: Path) -> None:
    path = tmp_path / "made.dcm"
    path.write_bytes(image(DEEP.astype(np.int16) - 2048 if signed else DEEP, PREFIX.rstrip(".") + syntax))
    agree(path)


@pytest.mark.samples
def test_a_sample_of_each_kind_has_the_pixels_that_other_tools_see(samples: Path) -> None:
    for path in sorted((samples / "ts-wg04-subset").rglob("CT1_*")):
        agree(path)
