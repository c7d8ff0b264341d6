from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom.data
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels import pixel_array
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian

from studies import rendering
from studies.dicom import open_dataset
from studies.refusals import SENTENCES, Refusal
from studies.rendering import Picture, render, shown
from studies.rendering.codestream import jpeg_xl
from studies.rendering.pixels import described, frame_content
from studies.sandbox import Sandbox
from tests.studies.dicom_made import CT, DEFLATED, dataset, encapsulated, image, written

BUNDLED = Path(pydicom.data.__file__).parent / "test_files"
PREFIX = "1.2.840.10008.1.2."

# Every bundled file that shows: rows, columns, samples, mean brightness of its first frame.
SHOWN = {
    "693_J2KI.dcm": (512, 512, 1, 44.3),
    "CT_small.dcm": (128, 128, 1, 101.5),
    "ExplVR_BigEnd.dcm": (60, 80, 3, 171.6),
    "GDCMJ2K_TextGBR.dcm": (400, 400, 3, 124.4),
    "J2K_pixelrep_mismatch.dcm": (512, 512, 1, 63.2),
    "JPEG-lossy.dcm": (1024, 256, 1, 32.4),
    "JPEG2000.dcm": (1024, 256, 1, 49.6),
    "JPEGLSNearLossless_08.dcm": (45, 10, 1, 55.6),
    "JPEGLSNearLossless_16.dcm": (50, 10, 1, 46.7),
    "JPGExtended.dcm": (1024, 256, 1, 32.4),
    "MR_small.dcm": (64, 64, 1, 113.1),
    "MR_small_RLE.dcm": (64, 64, 1, 113.1),
    "MR_small_bigendian.dcm": (64, 64, 1, 113.1),
    "MR_small_expb.dcm": (64, 64, 1, 113.1),
    "MR_small_implicit.dcm": (64, 64, 1, 113.1),
    "MR_small_jp2klossless.dcm": (64, 64, 1, 113.1),
    "MR_small_jpeg_ls_lossless.dcm": (64, 64, 1, 113.1),
    "MR_small_padded.dcm": (64, 64, 1, 113.1),
    "SC_jpeg_no_color_transform.dcm": (256, 256, 3, 244.0),
    "SC_jpeg_no_color_transform_2.dcm": (256, 256, 3, 245.6),
    "SC_rgb_dcmtk_+eb+cr.dcm": (100, 100, 3, 127.7),
    "SC_rgb_dcmtk_+eb+cy+n1.dcm": (100, 100, 3, 127.5),
    "SC_rgb_dcmtk_+eb+cy+n2.dcm": (100, 100, 3, 127.7),
    "SC_rgb_dcmtk_+eb+cy+np.dcm": (100, 100, 3, 127.5),
    "SC_rgb_dcmtk_+eb+cy+s2.dcm": (100, 100, 3, 127.7),
    "SC_rgb_dcmtk_+eb+cy+s4.dcm": (100, 100, 3, 127.7),
    "SC_rgb_gdcm_KY.dcm": (100, 100, 3, 127.7),
    "SC_rgb_jls_lossy_line.dcm": (100, 100, 3, 128.0),
    "SC_rgb_jls_lossy_sample.dcm": (100, 100, 3, 128.0),
    "SC_rgb_jpeg.dcm": (256, 256, 3, 244.0),
    "SC_rgb_jpeg_app14_dcmd.dcm": (256, 256, 3, 245.6),
    "SC_rgb_jpeg_dcmd.dcm": (256, 256, 3, 244.0),
    "SC_rgb_jpeg_dcmtk.dcm": (100, 100, 3, 127.7),
    "SC_rgb_jpeg_gdcm.dcm": (100, 100, 3, 127.7),
    "SC_rgb_jpeg_lossy_gdcm.dcm": (100, 100, 3, 127.5),
    "SC_rgb_rle.dcm": (100, 100, 3, 127.7),
    "SC_rgb_rle_16bit.dcm": (100, 100, 3, 127.7),
    "SC_rgb_rle_16bit_2frame.dcm": (100, 100, 3, 127.7),
    "SC_rgb_rle_2frame.dcm": (100, 100, 3, 127.7),
    "SC_rgb_rle_32bit.dcm": (100, 100, 3, 127.7),
    "SC_rgb_rle_32bit_2frame.dcm": (100, 100, 3, 127.7),
    "SC_rgb_small_odd.dcm": (3, 3, 3, 128.8),
    "SC_rgb_small_odd_big_endian.dcm": (3, 3, 3, 128.8),
    "SC_rgb_small_odd_jpeg.dcm": (3, 3, 3, 128.3),
    "SC_ybr_full_422_uncompressed.dcm": (100, 100, 3, 127.6),
    "examples_jpeg2k.dcm": (480, 640, 3, 34.5),
    "examples_overlay.dcm": (300, 484, 1, 48.4),
    "examples_palette.dcm": (350, 800, 3, 20.5),
    "examples_rgb_color.dcm": (240, 320, 3, 34.3),
    "examples_ybr_color.dcm": (240, 320, 3, 9.5),
    "image_dfl.dcm": (512, 512, 1, 127.1),
    "liver_1frame.dcm": (512, 512, 3, 20.6),
    "liver_expb_1frame.dcm": (512, 512, 3, 20.6),
    "rtdose.dcm": (10, 10, 1, 121.1),
    "rtdose_1frame.dcm": (10, 10, 1, 121.1),
    "rtdose_expb.dcm": (10, 10, 1, 121.1),
    "rtdose_expb_1frame.dcm": (10, 10, 1, 121.1),
    "rtdose_rle.dcm": (10, 10, 1, 121.1),
    "rtdose_rle_1frame.dcm": (10, 10, 1, 121.1),
    "badVR.dcm": (10, 10, 1, 121.1),
}

# And every one that does not, with the reason.
REFUSED = {
    "ExplVR_BigEndNoMeta.dcm": "rt",
    "ExplVR_LitEndNoMeta.dcm": "rt",
    "JPEG2000-embedded-sequence-delimiter.dcm": "contradiction",
    "MR_truncated.dcm": "incomplete",
    "UN_sequence.dcm": "not dicom",
    "empty_charset_LEI.dcm": "not dicom",
    "meta_missing_tsyntax.dcm": "not dicom",
    "nested_priv_SQ.dcm": "not dicom",
    "no_meta.dcm": "not dicom",
    "no_meta_group_length.dcm": "not dicom",
    "priv_SQ.dcm": "not dicom",
    "reportsi.dcm": "sr",
    "reportsi_with_empty_number_tags.dcm": "sr",
    "rtplan.dcm": "rt",
    "rtplan_truncated.dcm": "rt",
    "rtstruct.dcm": "rt",
    "test-SR.dcm": "sr",
    "waveform_ecg.dcm": "waveform",
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox(["studies.rendering"])
    yield sandbox
    sandbox.stop()


def seen(content: bytes, frame: int = 0, longest: int = 1 << 20) -> NDArray[np.uint8]:
    """A frame as it is shown, at full size and before any lossy file of it; of any kind of object."""
    opened = open_dataset(content)
    shape = described(opened)
    return shown(opened, shape, frame, frame_content(opened, shape, frame), longest)


def refusal(content: bytes, frame: int = 0) -> str:
    with pytest.raises(Refusal) as refused:
        list(render(content, [frame]))
    assert refused.value.sentence == SENTENCES[refused.value.code]
    return refused.value.code


def opened_picture(picture: Picture) -> Image.Image:
    return Image.open(BytesIO(picture.content))


# --- the bundled files


@pytest.mark.parametrize("name", SHOWN)
def test_a_bundled_picture_is_shown(name: str) -> None:
    rows, columns, samples, mean = SHOWN[name]
    pixels = seen((BUNDLED / name).read_bytes())
    assert pixels.shape == ((rows, columns) if samples == 1 else (rows, columns, samples))
    assert pixels.mean() == pytest.approx(mean, abs=0.6)  # builds of a lossy codec differ by a step or two


@pytest.mark.parametrize("name", REFUSED)
def test_a_bundled_file_that_is_no_picture_says_why(name: str) -> None:
    assert refusal((BUNDLED / name).read_bytes()) == REFUSED[name]


def test_no_bundled_file_is_forgotten() -> None:
    assert {path.name for path in BUNDLED.glob("*.dcm")} == SHOWN.keys() | REFUSED.keys()


def by_hand(name: str) -> NDArray[np.uint8]:
    """What pydicom decodes, windowed as the standard's formula says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = dcmread(BUNDLED / name)
        pixels = pixel_array(ds)
    if int(ds.get("NumberOfFrames") or 1) > 1:
        pixels = pixels[0]
    if pixels.ndim == 3:
        return (pixels >> (8 * pixels.dtype.itemsize - 8)).astype(np.uint8)
    values = pixels * float(ds.get("RescaleSlope", 1)) + float(ds.get("RescaleIntercept", 0))
    center, width = (float(np.atleast_1d(ds[k].value)[0]) for k in ("WindowCenter", "WindowWidth"))
    light = np.clip((values - (center - 0.5)) / (width - 1) + 0.5, 0, 1)
    return (light * 255 + 0.5).astype(np.uint8)


@pytest.mark.parametrize(
    "name",
    [
        "MR_small.dcm",
        "MR_small_implicit.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_RLE.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_padded.dcm",
        "693_J2KI.dcm",
        "J2K_pixelrep_mismatch.dcm",
        "ExplVR_BigEnd.dcm",
        "SC_rgb_rle_16bit_2frame.dcm",
        "SC_rgb_rle_32bit.dcm",
        "SC_rgb_small_odd.dcm",
        "SC_rgb_gdcm_KY.dcm",
        "SC_rgb_dcmtk_+eb+cy+np.dcm",
        "SC_jpeg_no_color_transform.dcm",
        "SC_jpeg_no_color_transform_2.dcm",
        "SC_rgb_jpeg_dcmtk.dcm",
        "SC_ybr_full_422_uncompressed.dcm",
        "examples_jpeg2k.dcm",
        "examples_rgb_color.dcm",
        "examples_ybr_color.dcm",
    ],
)
def test_a_picture_is_what_pydicom_sees_through_the_window(name: str) -> None:
    difference = seen((BUNDLED / name).read_bytes()).astype(int) - by_hand(name)
    assert np.abs(difference).max() <= 2
    assert np.abs(difference).mean() < 0.2


@pytest.mark.parametrize("other", ["MR_small_jpeg_ls_lossless.dcm", "MR_small_RLE.dcm", "MR_small_expb.dcm"])
def test_lossless_copies_show_the_same(other: str) -> None:
    original = seen((BUNDLED / "MR_small.dcm").read_bytes())
    assert np.array_equal(seen((BUNDLED / other).read_bytes()), original)


@pytest.mark.parametrize("name", ["rtdose_1frame.dcm", "rtdose_expb_1frame.dcm", "rtdose_rle_1frame.dcm"])
def test_values_of_32_bits_are_spread_over_the_screen(name: str) -> None:
    pixels = seen((BUNDLED / name).read_bytes())
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert np.array_equal(pixels, seen((BUNDLED / "rtdose_1frame.dcm").read_bytes()))


# --- files


def test_a_thumbnail_is_webp_and_a_preview_jpeg_of_bearable_size() -> None:
    wide = np.tile(np.arange(2000, dtype=np.uint16), (500, 1))
    thumbnail, preview = render(image(wide))
    assert (thumbnail.size, thumbnail.width, thumbnail.height) == ("thumbnail", 256, 64)
    assert (preview.size, preview.width, preview.height) == ("preview", 1024, 256)
    assert (opened_picture(thumbnail).format, opened_picture(preview).format) == ("WEBP", "JPEG")
    assert opened_picture(preview).size == (1024, 256)


def test_a_preview_keeps_the_colour_of_each_pixel() -> None:
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::2], stripes[:, 1::2] = (200, 40, 40), (40, 40, 200)
    (preview,) = render(image(stripes), sizes={"preview": 1024})
    kept = np.asarray(opened_picture(preview)).astype(int)
    assert np.abs(kept - stripes).mean() < 6


def test_a_small_picture_is_not_enlarged() -> None:
    for picture in render((BUNDLED / "MR_small.dcm").read_bytes()):
        assert (picture.width, picture.height) == (64, 64)


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ({"PixelSpacing": [2, 1]}, (40, 40)),
        ({"PixelSpacing": [1, 2]}, (80, 20)),
        ({"PixelAspectRatio": [1, 2]}, (80, 20)),
        ({"PixelSpacing": [1, 1], "PixelAspectRatio": [1, 2]}, (40, 20)),
        ({"PixelSpacing": [1, 500]}, (40, 20)),
        ({"PixelSpacing": [0, 1]}, (40, 20)),
    ],
)
def test_pixels_that_are_not_square_are_stretched(attributes: dict[str, Any], size: tuple[int, int]) -> None:
    (preview,) = render(image(np.zeros((20, 40), np.uint8), **attributes), sizes={"preview": 1024})
    assert (preview.width, preview.height) == size


# --- grey

RAMP = np.arange(-1000, 3096, dtype=np.int16).reshape(64, 64)


def shown_at(value: int, **attributes: Any) -> int:
    """The brightness of this stored value of the ramp."""
    return int(seen(image(RAMP, **attributes)).flat[value + 1000])


@pytest.mark.parametrize(
    ("function", "at", "brightness"),
    [
        # PS3.3 §C.11.2.1.2: y = ((x - (c - 0.5)) / (w - 1) + 0.5), c 40, w 401
        ("LINEAR", -161, 0),
        ("LINEAR", 39, 127),
        ("LINEAR", 40, 128),
        ("LINEAR", 240, 255),
        # §C.11.2.1.3.2: y = (x - c) / w + 0.5
        ("LINEAR_EXACT", -160, 0),
        ("LINEAR_EXACT", 40, 128),
        ("LINEAR_EXACT", 240, 255),
        # §C.11.2.1.3.1: y = 1 / (1 + exp(-4 (x - c) / w))
        ("SIGMOID", 40, 128),
        ("SIGMOID", 140, 186),
        ("SIGMOID", -1000, 0),
    ],
)
def test_a_window_follows_the_standard(function: str, at: int, brightness: int) -> None:
    assert shown_at(at, WindowCenter=40, WindowWidth=401, VOILUTFunction=function) == brightness


def test_a_window_of_one_is_a_threshold() -> None:
    assert [shown_at(at, WindowCenter=100, WindowWidth=1) for at in (99, 100)] == [0, 255]


def test_a_window_speaks_of_rescaled_values() -> None:
    said = {"WindowCenter": 40, "WindowWidth": 401, "RescaleSlope": 2, "RescaleIntercept": -1024}
    assert shown_at(532, **said) == 128


def test_the_first_of_several_windows_counts() -> None:
    assert shown_at(100, WindowCenter=[100, 0], WindowWidth=[2, 2000]) == 255


def test_monochrome1_is_inverted() -> None:
    said = {"WindowCenter": 40, "WindowWidth": 401, "PhotometricInterpretation": "MONOCHROME1"}
    assert (shown_at(-1000, **said), shown_at(3000, **said)) == (255, 0)


def test_padding_is_black_and_does_not_count() -> None:
    said: dict[str, Any] = {"PixelPaddingValue": -1000, "PixelPaddingRangeLimit": -900}
    assert [shown_at(at, PhotometricInterpretation="MONOCHROME1", **said) for at in (-1000, -900)] == [0, 0]
    assert shown_at(-899, PhotometricInterpretation="MONOCHROME1", **said) == 255
    ramp = np.full((64, 64), -2000, np.int16)
    ramp[0] = np.arange(64)
    assert int(seen(image(ramp, PixelPaddingValue=-2000))[0, 32]) == pytest.approx(130, abs=3)


def test_without_a_window_most_pixels_fill_the_screen() -> None:
    assert (shown_at(-1000), shown_at(3095)) == (0, 255)
    assert shown_at(1048) == pytest.approx(128, abs=1)


def test_one_hot_pixel_does_not_darken_the_rest() -> None:
    ramp = np.tile(np.arange(100, dtype=np.uint16), (100, 1))
    ramp[0, 0] = 60_000
    assert int(seen(image(ramp))[1, 50]) == pytest.approx(128, abs=2)


def test_ct_without_a_window_gets_a_customary_one() -> None:
    said: dict[str, Any] = {"Modality": "CT", "SOPClassUID": CT, "RescaleIntercept": -1024, "RescaleSlope": 1}
    assert [shown_at(at, **said) for at in (1024 - 200, 1024 + 40, 1024 + 240)] == [0, 128, 255]


def test_a_slice_of_air_is_black_and_no_noise() -> None:
    said: dict[str, Any] = {"Modality": "CT", "SOPClassUID": CT, "RescaleIntercept": -1024, "RescaleSlope": 1}
    air = np.random.default_rng(6).integers(4, 40, (64, 64)).astype(np.int16)
    assert seen(image(air, **said)).max() == 0
    assert seen(image(air, **said, WindowCenter=50, WindowWidth=350)).max() == 0
    # A window that means stored values shows nothing of tissue; the customary one does.
    assert np.ptp(seen(image(air + 1040, **said, WindowCenter=5000, WindowWidth=100))) > 10


def test_eight_bits_without_a_window_are_shown_as_they_are() -> None:
    pixels = np.arange(50, 150, dtype=np.uint8).reshape(10, 10)
    assert np.array_equal(seen(image(pixels)), pixels)


def test_a_window_that_shows_nothing_is_not_believed() -> None:
    assert shown_at(1048, WindowCenter=30_000, WindowWidth=10) == pytest.approx(128, abs=1)


def test_a_flat_picture_is_flat() -> None:
    assert np.ptp(seen(image(np.full((8, 8), 700, np.uint16)))) == 0


def lut(entries: int, first: int, bits: int, values: list[int]) -> Sequence:
    table = Dataset()
    table.add_new(0x00283002, "SS" if first < 0 else "US", [entries, first, bits])
    table.add_new(0x00283006, "US", values)
    return Sequence([table])


def test_a_voi_table_comes_before_a_window() -> None:
    table = lut(3, 100, 12, [0, 1000, 4095])
    brightness = [shown_at(at, VOILUTSequence=table, WindowCenter=0, WindowWidth=10) for at in (99, 101, 400)]
    assert brightness == [0, 62, 255]


@pytest.mark.parametrize("promised", [16, 8], ids=["more bits than it uses", "fewer"])
def test_a_table_is_as_deep_as_its_values(promised: int) -> None:
    table = lut(3, 100, promised, [0, 1000, 4095])
    assert [shown_at(at, VOILUTSequence=table) for at in (99, 101, 400)] == [0, 62, 255]


def test_the_second_window_counts_where_the_first_shows_nothing() -> None:
    assert shown_at(1040, WindowCenter=[30_000, 1040], WindowWidth=[10, 401]) == 128


@pytest.mark.parametrize(("shape", "dark"), [("INVERSE", 255), ("IDENTITY", 0), ("LIN OD", 255)])
def test_the_shape_of_a_presentation_comes_before_the_photometric_interpretation(shape: str, dark: int) -> None:
    said = {"WindowCenter": 40, "WindowWidth": 401, "PhotometricInterpretation": "MONOCHROME1"}
    assert shown_at(-1000, PresentationLUTShape=shape, **said) == dark


def test_a_modality_table_is_applied_first() -> None:
    table = lut(4, -1, 16, [10, 20, 30, 40])
    said = {"ModalityLUTSequence": table, "WindowCenter": 25, "WindowWidth": 20, "VOILUTFunction": "LINEAR_EXACT"}
    assert [shown_at(at, **said) for at in (-1000, 0, 1, 3000)] == [0, 64, 191, 255]


def test_a_broken_table_is_passed_over() -> None:
    assert shown_at(40, VOILUTSequence=Sequence([Dataset()]), WindowCenter=40, WindowWidth=401) == 128


def test_bits_beyond_those_stored_are_not_seen() -> None:
    pixels = np.array([[0, 0x0800], [0x0FFF, 0x0400]], np.uint16)
    overlaid = pixels | np.array([[0xF000, 0x1000], [0, 0xF000]], np.uint16)
    said: dict[str, Any] = {"BitsStored": 12, "WindowCenter": 2048, "WindowWidth": 4096}
    assert np.array_equal(seen(image(overlaid, **said)), seen(image(pixels, **said)))


def test_twelve_bits_may_be_signed() -> None:
    pixels = np.array([[0x0FFF, 0x0000], [0x0800, 0x07FF]], np.uint16)
    said: dict[str, Any] = {"BitsStored": 12, "PixelRepresentation": 1, "WindowCenter": 0, "WindowWidth": 4096}
    assert seen(image(pixels, **said)).tolist() == [[127, 128], [0, 255]]


def test_floats_are_shown() -> None:
    ds = dataset(Rows=2, Columns=2, SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2", BitsAllocated=32)
    ds.FloatPixelData = np.array([0, 0.5, 1, np.nan], "<f4").tobytes()
    ds.WindowCenter, ds.WindowWidth = 0.5, 1
    ds.VOILUTFunction = "LINEAR_EXACT"
    assert seen(written(ds)).tolist() == [[0, 128], [255, 0]]


def test_a_window_over_fractions_is_no_threshold() -> None:
    ds = dataset(Rows=1, Columns=4, SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2", BitsAllocated=32)
    ds.FloatPixelData = np.array([0, 0.25, 0.5, 1], "<f4").tobytes()
    ds.WindowCenter, ds.WindowWidth = 0.5, 1
    assert seen(written(ds)).tolist() == [[0, 64, 128, 255]]


def test_each_frame_has_its_own_window() -> None:
    windows = [Dataset(), Dataset()]
    frames = [Dataset(), Dataset()]
    for holder, macro, center in zip(frames, windows, (40, 1000), strict=True):
        macro.WindowCenter, macro.WindowWidth = center, 401
        holder.FrameVOILUTSequence = Sequence([macro])
    content = image(np.stack([RAMP, RAMP]), PerFrameFunctionalGroupsSequence=Sequence(frames))
    assert [int(seen(content, frame).flat[2000]) for frame in (0, 1)] == [255, 128]


def test_frames_of_single_bits_may_begin_within_a_byte() -> None:
    bits = np.random.default_rng(1).integers(0, 2, (3, 5, 5), np.uint8)
    said = {"Rows": 5, "Columns": 5, "NumberOfFrames": 3, "SamplesPerPixel": 1, "BitsAllocated": 1}
    ds = dataset(**said, BitsStored=1, HighBit=0, PixelRepresentation=0, PhotometricInterpretation="MONOCHROME2")
    ds.PixelData = np.packbits(bits, bitorder="little").tobytes()
    ds["PixelData"].VR = "OB"
    content = written(ds)
    assert all(np.array_equal(seen(content, frame), bits[frame] * 255) for frame in range(3))


# --- colour

COLOURS = np.random.default_rng(2).integers(0, 256, (5, 7, 3), np.uint8)


def test_rgb_is_shown_as_it_is_in_either_arrangement() -> None:
    assert np.array_equal(seen(image(COLOURS)), COLOURS)
    planes = np.ascontiguousarray(COLOURS.transpose(2, 0, 1)).reshape(5, 7, 3)
    assert np.array_equal(seen(image(planes, PlanarConfiguration=1)), COLOURS)
    assert list(render(image(planes, PlanarConfiguration=1))) == list(render(image(COLOURS)))


def test_bytes_in_big_endian_words_are_put_in_order() -> None:
    words = COLOURS.tobytes() + b"\0"
    swapped = np.frombuffer(words, "<u2").byteswap().tobytes()
    big = image(COLOURS, ExplicitVRBigEndian).replace(b"OB\0\0", b"OW\0\0").replace(words, swapped)
    assert np.array_equal(seen(big), COLOURS)


def test_ybr_becomes_rgb() -> None:
    red = np.tile(np.array([76, 85, 255], np.uint8), (4, 4, 1))
    assert np.abs(seen(image(red, PhotometricInterpretation="YBR_FULL"))[0, 0].astype(int) - [255, 0, 0]).max() < 3


def test_palettes_colour_their_indices() -> None:
    said: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour, values in (("Red", [0, 65535]), ("Green", [65535, 0]), ("Blue", [0, 0])):
        said[f"{colour}PaletteColorLookupTableDescriptor"] = [2, 0, 16]
        said[f"{colour}PaletteColorLookupTableData"] = np.array(values, "<u2").tobytes()
    pixels = np.array([[0, 1]], np.uint8)
    assert seen(image(pixels, **said)).tolist() == [[[0, 255, 0], [255, 0, 0]]]
    del said["RedPaletteColorLookupTableData"]
    assert refusal(image(pixels, **said)) == "pixels"


# --- compressed

SMOOTH = (np.add.outer(np.arange(64), np.arange(64)) * 32).astype(np.uint16)
DEEP = {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11, "WindowCenter": 2048, "WindowWidth": 4096}


@pytest.mark.parametrize(
    ("syntax", "encode"),
    [
        ("4.57", lambda pixels: imagecodecs.ljpeg_encode(pixels, bitspersample=12)),
        ("4.70", lambda pixels: imagecodecs.ljpeg_encode(pixels, bitspersample=12)),
        ("4.80", imagecodecs.jpegls_encode),
        ("4.90", lambda pixels: imagecodecs.jpeg2k_encode(pixels, reversible=True, codecformat="j2k")),
        ("4.92", lambda pixels: imagecodecs.jpeg2k_encode(pixels, reversible=True, codecformat="j2k")),
        ("4.110", lambda pixels: imagecodecs.jpegxl_encode(pixels, lossless=True, bitspersample=12)),
        ("4.201", lambda pixels: imagecodecs.htj2k_encode(pixels, reversible=True)),
        ("4.202", lambda pixels: imagecodecs.htj2k_encode(pixels, reversible=True)),
        ("4.203", lambda pixels: imagecodecs.htj2k_encode(pixels, reversible=True)),
        ("8.1", lambda pixels: imagecodecs.deflate_encode(pixels.tobytes(), raw=True)),
    ],
)
def test_a_lossless_frame_shows_as_the_native_one(syntax: str, encode: Any) -> None:
    native = seen(image(SMOOTH, BitsStored=12, WindowCenter=2048, WindowWidth=4096))
    assert np.array_equal(seen(encapsulated(encode(SMOOTH), PREFIX + syntax, **DEEP)), native)


@pytest.mark.parametrize(("syntax", "container"), [("4.110", False), ("4.111", True), ("4.112", False)])
def test_jpeg_xl_in_colour_and_in_boxes(syntax: str, container: bool) -> None:
    photo = np.random.default_rng(5).integers(0, 256, (48, 40, 3), np.uint8)
    stream = imagecodecs.jpegxl_encode(photo, lossless=True, usecontainer=container)
    said = {"Rows": 48, "Columns": 40, "SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}
    assert np.array_equal(seen(encapsulated(stream, PREFIX + syntax, PlanarConfiguration=0, **said)), photo)


@pytest.mark.parametrize(("rows", "columns"), [(8, 8), (256, 512), (64, 48), (100, 75), (1, 300), (700, 1), (90, 160)])
def test_the_size_of_a_jpeg_xl_is_known_before_it_is_decoded(rows: int, columns: int) -> None:
    assert jpeg_xl(bytes(imagecodecs.jpegxl_encode(np.zeros((rows, columns), np.uint8)))) == (rows, columns)


def test_what_libjpeg_refuses_another_decoder_may_read(monkeypatch: pytest.MonkeyPatch) -> None:
    content = encapsulated(imagecodecs.ljpeg_encode(SMOOTH, bitspersample=12), PREFIX + "4.70", **DEEP)
    usual = seen(content)
    monkeypatch.setattr(imagecodecs, "jpeg8_decode", refuses)
    assert np.array_equal(seen(content), usual)
    monkeypatch.setattr(imagecodecs, "ljpeg_decode", refuses)
    assert np.array_equal(seen(content), usual)
    monkeypatch.setattr(imagecodecs, "jpegsof3_decode", refuses)
    assert refusal(content) == "unreadable"


def test_what_openjph_refuses_openjpeg_may_read(monkeypatch: pytest.MonkeyPatch) -> None:
    content = encapsulated(imagecodecs.htj2k_encode(SMOOTH, reversible=True), PREFIX + "4.201", **DEEP)
    usual = seen(content)
    monkeypatch.setattr(imagecodecs, "htj2k_decode", refuses)
    assert np.array_equal(seen(content), usual)


def refuses(*_: Any, **__: Any) -> None:
    raise RuntimeError("it does not")


@pytest.mark.parametrize(
    ("syntax", "encode"),
    [
        ("4.50", lambda pixels: imagecodecs.jpeg8_encode((pixels >> 4).astype(np.uint8))),
        ("4.70", lambda pixels: imagecodecs.ljpeg_encode(pixels, bitspersample=12)),
        ("4.80", imagecodecs.jpegls_encode),
        ("4.90", lambda pixels: imagecodecs.jpeg2k_encode(pixels, codecformat="j2k")),
        ("4.110", lambda pixels: imagecodecs.jpegxl_encode(pixels, lossless=True)),
        ("4.201", imagecodecs.htj2k_encode),
        ("5", lambda pixels: struct.pack("<16I", 2, 64, 64 + 64 * 65, *[0] * 13) + (b"\x3f" + b"\1" * 64) * 128),
        ("8.1", lambda pixels: imagecodecs.deflate_encode(pixels.tobytes(), raw=True)),
    ],
)
def test_a_stream_that_is_cut_off_is_not_shown_in_part(syntax: str, encode: Any) -> None:
    stream, said = encode(SMOOTH), {} if syntax == "4.50" else DEEP
    seen(encapsulated(stream, PREFIX + syntax, **said))
    for share in (0.2, 0.5, 0.9):
        cut = encapsulated(stream[: int(len(stream) * share)], PREFIX + syntax, **said)
        assert refusal(cut) in ("incomplete", "unreadable", "contradiction")


def test_padding_behind_the_end_of_a_stream_is_no_harm() -> None:
    stream = imagecodecs.jpeg8_encode((SMOOTH >> 4).astype(np.uint8))
    padded = encapsulated(stream + b"\0" * 300 + b"\xff" * 20, PREFIX + "4.50")
    assert np.array_equal(seen(padded), seen(encapsulated(stream, PREFIX + "4.50")))


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("syntax", ["4.90", "4.201"])
def test_a_large_jpeg_2000_is_decoded_no_larger_than_needed(syntax: str, signed: bool) -> None:
    large = (np.add.outer(np.arange(512), np.arange(512)) * 4 - signed * 2048).astype(np.int16 if signed else np.uint16)
    encode = imagecodecs.jpeg2k_encode if syntax == "4.90" else imagecodecs.htj2k_encode
    said = DEEP | {"Rows": 512, "Columns": 512, "BitsStored": 16, "HighBit": 15, "PixelRepresentation": int(signed)}
    said |= {"WindowCenter": 0 if signed else 2048}
    content = encapsulated(encode(large, reversible=True), PREFIX + syntax, **said)
    whole, reduced = seen(content), seen(content, longest=128)
    assert (whole.shape, reduced.shape) == ((512, 512), (128, 128))
    assert np.abs(whole[::4, ::4].astype(int) - reduced).max() <= 3


def test_a_multi_frame_without_a_table_of_offsets_is_found_frame_by_frame() -> None:
    content = (BUNDLED / "SC_rgb_rle_2frame.dcm").read_bytes()
    first, second = seen(content, 0), seen(content, 1)
    assert np.array_equal(255 - first, second)
    assert refusal(content, 2) == "no such frame"


def test_a_frame_that_is_cut_off_is_incomplete_and_costs_no_other(sandbox: Sandbox) -> None:
    native = image(np.zeros((2, 4, 4), np.uint8), DataSetTrailingPadding=b"\0" * 400)
    rle = (BUNDLED / "SC_rgb_rle_2frame.dcm").read_bytes()
    more = [content.replace(b"IS\2\0" + b"2 ", b"IS\2\0" + b"9 ") for content in (native, rle)]
    wanted = {"frames": [2, 8, 1]}
    told = sandbox.run("render", {"instances": [wanted] * 2, "sizes": {"preview": 64}}, more).values
    assert [(picture["instance"], picture["frame"]) for picture in told["pictures"]] == [(0, 1), (1, 1)]
    assert {refused["code"] for refused in told["refused"]} == {"incomplete"}


# --- what is not shown, and hostile frames


@pytest.mark.parametrize(
    ("attributes", "syntax", "code"),
    [
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.104.1"}, "1", "pdf"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.59"}, "1", "key objects"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.66"}, "1", "other"),
        ({"Rows": 4, "Columns": 4}, "1", "other"),
        ({"Rows": 4, "Columns": 4}, "4.102", "video"),
    ],
)
def test_an_object_without_a_picture_names_itself(attributes: dict[str, Any], syntax: str, code: str) -> None:
    assert refusal(written(dataset(**attributes), PREFIX + syntax)) == code


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({"Rows": 65535, "Columns": 65535}, "too large"),
        ({"SamplesPerPixel": 4}, "pixels"),
        ({"BitsStored": 17}, "pixels"),
        ({"BitsAllocated": 12}, "pixels"),
        ({"HighBit": 3}, "pixels"),
    ],
)
def test_a_description_that_cannot_be_is_refused_before_decoding(attributes: dict[str, Any], code: str) -> None:
    assert refusal(encapsulated(b"\0" * 64, PREFIX + "5", **attributes)) == code


@pytest.mark.parametrize("syntax", ["4.50", "4.70", "4.80", "4.90", "4.201", "5", "8.1", "4.111", "4.999"])
def test_noise_is_refused_by_every_codec(syntax: str) -> None:
    noise = np.random.default_rng(3).bytes(2000)
    assert refusal(encapsulated(noise, PREFIX + syntax)) in {
        "unreadable",
        "contradiction",
        "codec",
        "incomplete",
        "bomb",
    }


@pytest.mark.parametrize("start", [0, 63, 66, 900, 1 << 31])
def test_rle_segments_that_lie_elsewhere_are_not_looked_for(start: int) -> None:
    frame = struct.pack("<16I", 2, 64, start, *[0] * 13) + b"\x81\1" * 64
    code = refusal(encapsulated(frame, PREFIX + "5", **DEEP))
    assert code == ("incomplete" if start == 66 else "contradiction")


@pytest.mark.parametrize("syntax", ["4.50", "4.80", "4.90", "4.110", "4.201"])
def test_a_stream_of_another_size_than_described_is_refused(syntax: str) -> None:
    encode = {
        "4.50": imagecodecs.jpeg8_encode,
        "4.80": imagecodecs.jpegls_encode,
        "4.90": imagecodecs.jpeg2k_encode,
        "4.110": imagecodecs.jpegxl_encode,
        "4.201": imagecodecs.htj2k_encode,
    }[syntax]
    assert refusal(encapsulated(encode(np.zeros((65, 64), np.uint8)), PREFIX + syntax)) == "contradiction"


def jpeg_xl_bomb() -> bytes:
    """A hundred bytes whose header speaks of 20,000 x 20,000 pixels (div8 0, 18 bits, ratio 1)."""
    stream = bytes(imagecodecs.jpegxl_encode(np.zeros((64, 64), np.uint8)))
    at = stream.index(b"\xff\x0a") + 2
    header = 0 | 2 << 1 | (20_000 - 1) << 3 | 1 << 21
    return stream[:at] + header.to_bytes(3, "little") + stream[at + 2 :]


def jpeg_2000_bomb() -> bytes:
    """A kilobyte whose header speaks of 20,000 x 20,000 pixels."""
    frame = bytearray(imagecodecs.jpeg2k_encode(np.zeros((64, 64), np.uint8), codecformat="j2k"))
    side = (20_000).to_bytes(4, "big")
    frame[8:16] = side + side
    frame[24:32] = side + side
    return bytes(frame)


BOMBS = {
    "J2K 20000 in 64": (encapsulated(jpeg_2000_bomb(), PREFIX + "4.90"), "contradiction"),
    "J2K 20000": (encapsulated(jpeg_2000_bomb(), PREFIX + "4.90", Rows=20_000, Columns=20_000), "too large"),
    "JPEG XL 20000 in 64": (encapsulated(jpeg_xl_bomb(), PREFIX + "4.110"), "contradiction"),
    "JPEG XL 20000": (encapsulated(jpeg_xl_bomb(), PREFIX + "4.110", Rows=20_000, Columns=20_000), "too large"),
    "RLE 65535": (encapsulated(b"\1" + b"\0" * 999, PREFIX + "5", Rows=65535, Columns=65535), "too large"),
    "RLE 16000": (encapsulated(b"\1" + b"\0" * 999, PREFIX + "5", Rows=16_000, Columns=16_000), "contradiction"),
    "frame deflated": (
        encapsulated(imagecodecs.deflate_encode(b"\0" * (8 << 20), raw=True), PREFIX + "8.1"),
        "bomb",
    ),
    "file deflated": (image(np.zeros((5000, 5000), np.uint16), DEFLATED), "bomb"),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused(bomb: str) -> None:
    content, code = BOMBS[bomb]
    assert len(content) < 80_000
    assert refusal(content) == code


DAMAGEABLE = [
    "MR_small.dcm",
    "MR_small_RLE.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_jp2klossless.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "SC_ybr_full_422_uncompressed.dcm",
    "image_dfl.dcm",
]


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(DAMAGEABLE), data=st.data())
def test_no_damage_makes_rendering_raise_anything_but_a_refusal(name: str, data: st.DataObject) -> None:
    content = bytearray((BUNDLED / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(132, min(len(content), 3000) - 1))] = data.draw(st.integers(0, 255))
    with suppress(Refusal):
        list(render(bytes(content), sizes={"thumbnail": 64}))


# --- in the sandbox

CODECS = [
    "CT_small.dcm",
    "JPEG-lossy.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "693_J2KI.dcm",
    "MR_small_RLE.dcm",
    "image_dfl.dcm",
    "examples_palette.dcm",
    "SC_ybr_full_422_uncompressed.dcm",
]


def test_every_codec_works_without_files_or_threads(sandbox: Sandbox) -> None:
    contents = [(BUNDLED / name).read_bytes() for name in CODECS]
    contents.append(encapsulated(imagecodecs.htj2k_encode(SMOOTH), PREFIX + "4.201", **DEEP))
    contents.append(encapsulated(imagecodecs.jpegxl_encode(SMOOTH, lossless=True), PREFIX + "4.110", **DEEP))
    large = np.zeros((2048, 2048), np.uint16)
    large_said = DEEP | {"Rows": 2048, "Columns": 2048}
    contents.append(encapsulated(imagecodecs.jpeg2k_encode(large), PREFIX + "4.90", **large_said))
    result = sandbox.run("render", {"instances": [{"frames": [0]}] * len(contents)}, contents)
    assert result.values["refused"] == []
    assert result.blobs == [picture.content for content in contents for picture in render(content)]


def test_a_bad_instance_costs_no_other(sandbox: Sandbox) -> None:
    good = (BUNDLED / "MR_small.dcm").read_bytes()
    files = [good, b"rubbish", BOMBS["J2K 20000"][0], good]
    result = sandbox.run("render", {"instances": [{"frames": [0]}] * 4, "sizes": {"thumbnail": 64}}, files)
    assert [picture["instance"] for picture in result.values["pictures"]] == [0, 3]
    assert result.blobs[0] == result.blobs[1]
    assert result.values["refused"] == [
        {"instance": 1, "frame": 0, "code": "not dicom"},
        {"instance": 2, "frame": 0, "code": "too large"},
    ]


def test_our_own_mistake_is_not_blamed_on_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "grey", refuses)
    args = {"instances": [{"frames": [0]}], "sizes": {"preview": 64}}
    told, _ = rendering._render(args, [(BUNDLED / "MR_small.dcm").read_bytes()])
    assert told == {"pictures": [], "refused": [{"instance": 0, "frame": 0, "code": "no preview"}]}


def test_a_film_can_be_sent_in_pieces(sandbox: Sandbox) -> None:
    content = (BUNDLED / "examples_ybr_color.dcm").read_bytes()
    opened = open_dataset(content)
    header = content[: opened.pixel_offset]
    frames = [frame_content(opened, described(opened), frame) for frame in (3, 29)]
    wanted = {"frames": [3, 29], "parts": 3}
    result = sandbox.run("render", {"instances": [wanted], "sizes": {"preview": 1024}}, [header, *frames])
    assert [picture["frame"] for picture in result.values["pictures"]] == [3, 29]
    assert result.blobs == [picture.content for picture in render(content, [3, 29], {"preview": 1024})]


def test_a_frame_that_is_not_there_is_refused_alone(sandbox: Sandbox) -> None:
    content = (BUNDLED / "SC_rgb_rle_2frame.dcm").read_bytes()
    result = sandbox.run("render", {"instances": [{"frames": [0, 7, 1]}], "sizes": {"preview": 64}}, [content])
    assert [picture["frame"] for picture in result.values["pictures"]] == [0, 1]
    assert result.values["refused"] == [{"instance": 0, "frame": 7, "code": "no such frame"}]


@pytest.mark.samples
def test_real_files_are_shown_or_say_why(samples: Path) -> None:
    unread = [path.name for path in sorted(samples.rglob("*.dcm"))[::7] if reason(path) == "unreadable"]
    assert unread == []


def reason(path: Path) -> str:
    try:
        return ", ".join(picture.size for picture in render(path.read_bytes()))
    except Refusal as refused:
        return refused.code
