"""Samples against pydicom and numpy: sample times slope plus intercept is the value, within half a step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.pixels.processing import apply_rescale
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian

from studies.dicom import open_dataset
from studies.refusals import CannotShow
from studies.rendering import showable
from studies.rendering.pixels import frame_content
from studies.rendering.samples import MOST_SAMPLES, large, samples_of
from tests.studies.dicom_made import encapsulated, image, written

Array = np.ndarray[Any, Any]
RAMP = np.arange(48, dtype=np.uint16).reshape(6, 8)


def bundled(name: str) -> bytes:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return Path(path).read_bytes()


def taken(file: bytes, frame: int = 0, *, whole: bool = False) -> tuple[dict[str, Any], Array]:
    """Header and samples, as a browser reads them."""
    opened = open_dataset(file)
    shape = showable(opened)
    header, content = samples_of(opened, shape, frame, frame_content(opened, shape, frame), whole=whole)
    stored = np.frombuffer(content, "<i2" if header["signed"] else "<u2")
    return header, stored.reshape(header["rows"], header["columns"])


def values(file: bytes, frame: int = 0, *, whole: bool = False) -> Array:
    header, stored = taken(file, frame, whole=whole)
    return np.asarray(stored * header["slope"] + header["intercept"])


def said_by_pydicom(file: bytes) -> Array:
    dataset = dcmread(DicomBytesIO(file))
    return np.asarray(apply_rescale(dataset.pixel_array, dataset), np.float64)


@pytest.mark.parametrize(
    "name",
    [
        "CT_small.dcm",  # 16 bits, signed
        "MR_small.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_RLE.dcm",
        "JPEG2000.dcm",
        "MR_small_jp2klossless.dcm",
        "J2K_pixelrep_mismatch.dcm",
        "image_dfl.dcm",
    ],
)
def test_values_are_pydicoms(name: str) -> None:
    file = bundled(name)
    assert np.array_equal(values(file, whole=True), said_by_pydicom(file))


@pytest.mark.parametrize(
    ("pixels", "attributes"),
    [
        (RAMP.astype(np.int16) - 24, {"RescaleSlope": "1", "RescaleIntercept": "-1024"}),
        (RAMP, {"BitsStored": 12, "RescaleSlope": "0.5", "RescaleIntercept": "3"}),
        (RAMP.astype(np.uint8), {}),
        (RAMP.astype(np.int8) - 24, {"RescaleSlope": "-2", "RescaleIntercept": "0"}),
    ],
    ids=["signed", "twelve bits", "eight bits", "signed, falling"],
)
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", ExplicitVRBigEndian])
def test_stored_bits_come_as_they_are(pixels: Array, attributes: dict[str, Any], syntax: str) -> None:
    file = image(pixels, syntax, **attributes)
    header, stored = taken(file)
    assert np.array_equal(stored, pixels)
    assert header["signed"] == (pixels.dtype.kind == "i")
    assert np.array_equal(values(file), said_by_pydicom(file))
    assert (header["padding"], header["aspect"]) == (None, 1.0)


def test_single_bits_come_as_noughts_and_ones() -> None:
    bits = np.random.default_rng(3).integers(0, 2, (5, 16)).astype(np.uint8)
    packed = np.packbits(bits.reshape(-1), bitorder="little")
    ds = dcmread(DicomBytesIO(image(np.zeros((5, 16), np.uint8))))
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelData = 1, 1, 0, packed.tobytes()
    header, stored = taken(written(ds))
    assert np.array_equal(stored, bits)
    assert (header["window"]["center"], header["window"]["width"]) == (0.5, 1.0)


def test_unused_bits_do_not_count() -> None:
    """Overlays hide above twelve bits, and signed numbers of twelve end there."""
    signed = (RAMP.astype(np.int16) - 24) & 0x0FFF | 0x5000
    header, stored = taken(image(signed.astype(np.uint16), BitsStored=12, PixelRepresentation=1))
    assert header["signed"]
    assert np.array_equal(stored, RAMP.astype(np.int16) - 24)


def test_monochrome1_says_invert_and_keeps_its_values() -> None:
    header, stored = taken(image(RAMP, PhotometricInterpretation="MONOCHROME1"))
    assert header["invert"]
    assert np.array_equal(stored, RAMP)
    assert not taken(image(RAMP))[0]["invert"]


def test_each_frame_of_an_enhanced_object_has_its_own_line_and_windows() -> None:
    def group(slope: float, center: float) -> Dataset:
        rescale, window, frame = Dataset(), Dataset(), Dataset()
        rescale.RescaleSlope, rescale.RescaleIntercept, rescale.RescaleType = slope, -5, "HU"
        window.WindowCenter, window.WindowWidth, window.WindowCenterWidthExplanation = center, 100, "LUNG"
        frame.PixelValueTransformationSequence = Sequence([rescale])
        frame.FrameVOILUTSequence = Sequence([window])
        return frame

    frames = Sequence([group(1, 10), group(4, 40)])
    file = image(np.stack([RAMP, RAMP]), PerFrameFunctionalGroupsSequence=frames)
    (first, _), (second, stored) = taken(file, 0), taken(file, 1)
    assert [(one["slope"], one["intercept"], one["unit"]) for one in (first, second)] == [(1, -5, "HU"), (4, -5, "HU")]
    assert second["windows"] == [{"center": 40, "width": 100, "function": "LINEAR", "name": "LUNG"}]
    assert second["window"] == {"center": 40, "width": 100, "function": "LINEAR"}
    assert np.array_equal(stored, RAMP)


@pytest.mark.parametrize("depth", [np.uint32, np.int32])
def test_thirty_two_bits_are_spread_over_sixteen(depth: type) -> None:
    pixels: Array = (np.arange(400).reshape(20, 20) * 5_000_017).astype(depth)
    file = image(pixels, RescaleSlope="0.001", RescaleIntercept="0")
    header, _ = taken(file)
    assert np.abs(values(file) - said_by_pydicom(file)).max() <= header["slope"] * 0.5001


def test_fractions_are_spread_over_sixteen_bits() -> None:
    pixels = np.linspace(-0.3, 1.7, 400, dtype=np.float32).reshape(20, 20)
    file = floats(pixels)
    header, _ = taken(file)
    assert np.abs(values(file) - pixels).max() <= header["slope"] * 0.5001
    assert header["window"]["function"] == "LINEAR_EXACT"


def floats(pixels: Array, **attributes: Any) -> bytes:
    """A file of float pixels, by moving those of integers to the element of floats (PS3.3 §C.7.6.24)."""
    file = image(pixels.view(np.uint32), **attributes)
    ow, of = b"\xe0\x7f\x10\x00OW", b"\xe0\x7f\x08\x00OF"
    assert ow in file
    return file.replace(ow, of)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_costs_nothing_but_itself(odd: float) -> None:
    pixels = np.ones((4, 4), np.float32)
    pixels[0, 0] = odd
    header, stored = taken(floats(pixels))
    assert all(np.isfinite([header["slope"], header["intercept"]]))
    assert stored.shape == (4, 4)


def test_a_picture_of_one_value_has_it() -> None:
    assert np.array_equal(values(floats(np.full((4, 4), 2.5, np.float32))), np.full((4, 4), 2.5))


def test_a_modality_table_is_applied_before() -> None:
    table = Dataset()
    table.LUTDescriptor, table.ModalityLUTType = [48, 0, 16], "OD"
    table.LUTData = (np.arange(48, dtype=np.uint16) ** 2).tobytes()
    table["LUTData"].VR = "OW"
    file = image(RAMP, ModalityLUTSequence=Sequence([table]))
    header, _ = taken(file)
    assert np.abs(values(file) - RAMP.astype(float) ** 2).max() <= header["slope"] * 0.5001


def test_padding_is_named_where_there_is_some() -> None:
    pixels = RAMP.astype(np.int16)
    pixels[0] = -2000
    header, stored = taken(image(pixels, PixelPaddingValue=-2000))
    assert header["padding"] == [-2000, -2000]
    assert np.array_equal(stored, pixels)
    assert taken(image(RAMP, PixelPaddingValue=999))[0]["padding"] is None
    ranged = taken(image(RAMP, PixelPaddingValue=0, PixelPaddingRangeLimit=5))[0]
    assert ranged["padding"] == [0, 5]


def test_padding_of_spread_values_has_a_sample_of_its_own() -> None:
    pixels = (np.arange(400).reshape(20, 20) * 1_000_003).astype(np.uint32)
    header, stored = taken(image(pixels, PixelPaddingValue=0))
    assert header["padding"] == [65535, 65535]
    assert (stored == 65535).sum() == 1
    assert stored[0, 0] == 65535


def test_a_large_frame_is_averaged_down() -> None:
    pixels = np.random.default_rng(1).integers(0, 4096, (2048, 1536)).astype(np.uint16)
    header, stored = taken(image(pixels))
    assert (header["rows"], header["columns"]) == (1024, 768)
    means = pixels.reshape(1024, 2, 768, 2).mean(axis=(1, 3))
    assert np.abs(stored - means).max() <= 0.5
    assert np.array_equal(taken(image(pixels), whole=True)[1], pixels)


def test_padding_is_no_part_of_an_average() -> None:
    pixels = np.full((2048, 2048), 1000, np.int16)
    pixels[:, :513] = -2000  # half a pixel of the smaller picture, at its edge
    file = image(pixels, PixelPaddingValue=-2000)
    header, stored = taken(file)
    assert header["padding"] == [-2000, -2000]
    assert set(np.unique(stored)) == {-2000, 1000}
    assert (stored[:, :256] == -2000).all()
    assert (stored[:, 256:] == 1000).all()


def test_an_average_is_never_taken_for_padding() -> None:
    pixels = np.tile(np.array([[0, 2]], np.uint16), (2048, 1024))
    pixels[:2] = 1
    _, stored = taken(image(pixels, PixelPaddingValue=1))
    assert (stored[0] == 1).all()
    assert not (stored[1:] == 1).any()


def test_a_frame_beyond_what_is_sent_is_made_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studies.rendering.samples.MOST_SAMPLES", 12)
    assert MOST_SAMPLES > 12
    header, _ = taken(image(RAMP), whole=True)
    assert (header["rows"], header["columns"]) == (3, 4)


def test_pixels_that_are_not_square_say_so() -> None:
    header, _ = taken(image(RAMP, PixelSpacing=["2", "1"]))
    assert header["aspect"] == 2.0


def test_an_automatic_stretch_is_told_as_a_window() -> None:
    header, _ = taken(image(RAMP))
    low, high = np.percentile(RAMP, (0.5, 99.5))
    assert header["windows"] == []
    assert header["window"]["function"] == "LINEAR_EXACT"
    assert header["window"]["center"] == pytest.approx((low + high) / 2)
    assert header["window"]["width"] == pytest.approx(high - low)


def test_a_table_of_brightness_is_no_window() -> None:
    table = Dataset()
    table.LUTDescriptor = [48, 0, 8]
    table.LUTData = np.arange(48, dtype=np.uint16).tobytes()
    table["LUTData"].VR = "OW"
    assert taken(image(RAMP, VOILUTSequence=Sequence([table])))[0]["window"] is None


@pytest.mark.parametrize(
    "file",
    [
        image(np.zeros((4, 4, 3), np.uint8)),
        image(RAMP.astype(np.uint8), PhotometricInterpretation="PALETTE COLOR"),
    ],
    ids=["colour", "palette"],
)
def test_colours_have_no_samples(file: bytes) -> None:
    with pytest.raises(CannotShow):
        taken(file)


def whole_picture(file: bytes) -> Array:
    opened = open_dataset(file)
    shape = showable(opened)
    jpeg, width, height = large(opened, shape, 0, frame_content(opened, shape, 0))
    pixels = np.asarray(imagecodecs.jpeg8_decode(jpeg))
    assert pixels.shape[:2] == (height, width)
    return pixels


def test_the_whole_picture_has_all_pixels_and_the_window_of_its_preview() -> None:
    y, x = np.mgrid[:1500, :2000]
    file = image((x // 8 + y // 16).astype(np.uint16), WindowCenter=150, WindowWidth=201)
    pixels = whole_picture(file)
    assert pixels.shape == (1500, 2000)
    expected = np.clip((x // 8 + y // 16 - 149.5) / 200 + 0.5, 0, 1) * 255
    assert np.abs(pixels - expected).mean() < 1


def test_the_whole_picture_is_of_square_pixels_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert whole_picture(image(np.zeros((100, 100), np.uint16), PixelSpacing=["2", "1"])).shape == (200, 100)
    monkeypatch.setattr("studies.rendering.samples.MOST_SAMPLES", 5000)
    assert whole_picture(image(np.zeros((100, 100), np.uint16))).shape == (70, 70)
    monkeypatch.setattr("studies.rendering.samples.LONGEST", 50)
    assert whole_picture(image(np.zeros((100, 100, 3), np.uint8))).shape == (50, 50, 3)


def test_a_codec_that_can_stop_early_does() -> None:
    pixels = np.random.default_rng(2).integers(0, 4096, (64, 64)).astype(np.uint16)
    pixels = np.kron(pixels, np.ones((32, 32), np.uint16))
    file = encapsulated(
        imagecodecs.jpeg2k_encode(pixels, level=0, codecformat="J2K", reversible=True),
        "1.2.840.10008.1.2.4.90",
        Rows=2048,
        Columns=2048,
        BitsAllocated=16,
        BitsStored=16,
        HighBit=15,
    )
    header, stored = taken(file)
    assert (header["rows"], header["columns"]) == (1024, 1024)
    inside = stored.reshape(64, 16, 64, 16)[:, 4:12, :, 4:12]  # away from edges, where wavelets ring
    assert np.abs(inside.mean(axis=(1, 3)) - pixels[::32, ::32]).max() <= 1
