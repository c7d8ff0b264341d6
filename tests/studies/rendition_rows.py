"""The table of renditions that DCMTK judges: files that exercise one thing each.

Those of pydicom's wheel and those made here need nothing else on the machine; the others lie in the folder of samples.
"""

# ruff: noqa: E501 (a table is read by its rows)
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from tests.studies.dicom_made import CT, encapsulated, image, written

PREFIX = "1.2.840.10008.1.2."
MG = "1.2.840.10008.5.1.4.1.1.1.2"
RAMP = np.arange(-1000, 3096, dtype=np.int16).reshape(64, 64)
DEEP = (np.add.outer(np.arange(64), np.arange(64)) * 32).astype(np.uint16)
FLAT = (DEEP >> 4).astype(np.uint8)
PHOTO = np.random.default_rng(2).integers(0, 256, (48, 64, 3), np.uint8)
WIDE: dict[str, Any] = {"WindowCenter": 40, "WindowWidth": 401}
FAR: dict[str, Any] = {"WindowCenter": 2000, "WindowWidth": 4000}


@dataclass(frozen=True)
class Row:
    """A file, what it exercises, and which frame (from 0) is looked at."""

    name: str
    what: str
    frame: int = 0
    make: Callable[[], bytes] | None = None
    options: tuple[str, ...] = ()  # for dcm2pnm, where it is to be told what we do by ourselves


def lut(first: int, bits: int, values: Any, *, signed: bool = False) -> Sequence:
    """A sequence of one look-up table (PS3.3 §C.11.1.1)."""
    table = Dataset()
    table.add_new(0x00283002, "SS" if signed else "US", [len(values), first, bits])
    table.add_new(0x00283006, "OW", np.asarray(values, "<u2").tobytes())
    return Sequence([table])


def palettes(entries: int, bits: int, first: int = 0) -> dict[str, Any]:
    """Three tables that differ: rising, falling, and up and down."""
    top, place = (1 << bits) - 1, np.arange(entries)
    rising = place * top // max(1, entries - 1)
    tables = {"Red": rising, "Green": top - rising, "Blue": np.abs(2 * rising - top)}
    said: dict[str, Any] = {}
    for colour, table in tables.items():
        said[f"{colour}PaletteColorLookupTableDescriptor"] = [entries, first, bits]
        said[f"{colour}PaletteColorLookupTableData"] = table.astype(f"<u{bits // 8}").tobytes()
    return said


def overlay(
    group: int, mask: NDArray[np.bool_], kind: str = "G", origin: tuple[int, int] = (1, 1), **more: int
) -> dict[int, tuple[str, Any]]:
    """The elements of an overlay plane of its own data: [rows, columns] or [frames, rows, columns]."""
    packed = np.packbits(mask, bitorder="little").tobytes()
    elements: dict[int, tuple[str, Any]] = {
        0x0010: ("US", mask.shape[-2]),
        0x0011: ("US", mask.shape[-1]),
        0x0040: ("CS", kind),
        0x0050: ("SS", list(origin)),
        0x0100: ("US", 1),
        0x0102: ("US", 0),
        0x3000: ("OW", packed + b"\0" * (len(packed) % 2)),
    }
    if mask.ndim == 3:
        elements |= {0x0015: ("IS", mask.shape[0]), 0x0051: ("US", more.get("first_frame", 1))}
    return {group << 16 | element: said for element, said in elements.items()}


def embedded(group: int, bit: int) -> dict[int, tuple[str, Any]]:
    """The elements of an overlay plane that lies in an unused bit of the pixels."""
    said = {0x0010: ("US", 64), 0x0011: ("US", 64), 0x0040: ("CS", "G"), 0x0050: ("SS", [1, 1])}
    said |= {0x0100: ("US", 16), 0x0102: ("US", bit)}
    return {group << 16 | element: one for element, one in said.items()}


def added(content: bytes, *elements: dict[int, tuple[str, Any]]) -> bytes:
    """The file with these elements as well."""
    ds = dcmread(BytesIO(content))
    for tag, (vr, value) in [pair for some in elements for pair in some.items()]:
        ds.add_new(tag, vr, value)
    return written(ds, ds.file_meta.TransferSyntaxUID)


def mask(top: int, left: int, rows: int = 20, columns: int = 12, side: int = 64) -> NDArray[np.bool_]:
    """A rectangle on a square."""
    drawn = np.zeros((side, side), np.bool_)
    drawn[top : top + rows, left : left + columns] = True
    return drawn


Macros = dict[str, dict[str, Any]]


def grouped(*frames: Macros, shared: Macros | None = None) -> dict[str, Any]:
    """Functional groups: of each frame, by macro."""
    said: dict[str, Any] = {"PerFrameFunctionalGroupsSequence": Sequence([_group(one) for one in frames])}
    return said | ({"SharedFunctionalGroupsSequence": Sequence([_group(shared)])} if shared else {})


def _group(macros: Macros) -> Dataset:
    group = Dataset()
    for name, attributes in macros.items():
        macro = Dataset()
        for keyword, value in attributes.items():
            setattr(macro, keyword, value)
        setattr(group, name, Sequence([macro]))
    return group


def bits(stored: int, high_bit: int | None = None, *, signed: bool = False) -> bytes:
    """Grey of so many bits up to this one, with noise in those that are not used."""
    high_bit = stored - 1 if high_bit is None else high_bit
    plain = (np.arange(4096, dtype=np.int64) * ((1 << stored) - 1) // 4095).reshape(64, 64)
    shift, noise = high_bit + 1 - stored, np.random.default_rng(stored).integers(0, 1 << 16, (64, 64))
    pixels = (plain << shift | noise & ~(((1 << stored) - 1) << shift)).astype(np.uint16)
    half = 1 << stored - 1
    said: dict[str, Any] = {
        "WindowCenter": 0 if signed else half,
        "WindowWidth": 1 << stored,
        "PixelRepresentation": int(signed),
    }
    return image(pixels, BitsStored=stored, HighBit=high_bit, **said)


def one_bit() -> bytes:
    ds = dcmread(BytesIO(image((FLAT > 100).astype(np.uint8), BitsAllocated=8, BitsStored=1)))
    ds.BitsAllocated, ds.PixelData = 1, np.packbits(FLAT > 100, bitorder="little").tobytes()
    return written(ds)


def wide(values: NDArray[Any]) -> bytes:
    """Thirty-two bits."""
    return image(values, WindowCenter=float(values.max()) / 2, WindowWidth=float(values.max()))


def planar(pixels: NDArray[np.uint8], **said: Any) -> bytes:
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1)).reshape(pixels.shape)
    return image(planes, PlanarConfiguration=1, **said)


def subsampled(photometric: str) -> bytes:
    """Two pixels share their chroma (§C.7.6.3.1.2)."""
    y, cb, cr = PHOTO[..., 0] // 2 + 60, PHOTO[:, ::2, 1] // 4 + 96, PHOTO[:, ::2, 2] // 4 + 96
    pairs = np.dstack([y[:, ::2], y[:, 1::2], cb, cr]).astype(np.uint8)
    ds = dcmread(BytesIO(image(PHOTO, PhotometricInterpretation=photometric)))
    ds.PixelData = pairs.tobytes()
    return written(ds)


def compressed(syntax: str, encode: Callable[[NDArray[Any]], Any], pixels: NDArray[Any], **said: Any) -> bytes:
    depth = pixels.dtype.itemsize * 8
    stored = 12 if depth == 16 else 8
    described = {"Rows": pixels.shape[0], "Columns": pixels.shape[1], "BitsAllocated": depth, "BitsStored": stored}
    described |= {"HighBit": stored - 1, **said}
    if pixels.ndim == 3:
        described = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0} | described
    return encapsulated(encode(pixels), PREFIX + syntax, **described)


def mammogram(side: str, orientation: list[str], **said: Any) -> bytes:
    taper = (DEEP // 2 + np.arange(64) * 8).astype(np.uint16)
    about: dict[str, Any] = {
        "Modality": "MG",
        "SOPClassUID": MG,
        "ImageLaterality": side,
        "PatientOrientation": orientation,
    }
    return image(taper, BitsStored=12, WindowCenter=1024, WindowWidth=2048, **about, **said)


VOI = {"FrameVOILUTSequence": {"WindowCenter": 1000, "WindowWidth": 800}}
NARROW = {"FrameVOILUTSequence": {"WindowCenter": 200, "WindowWidth": 300}}
RESCALED = {"PixelValueTransformationSequence": {"RescaleSlope": 2, "RescaleIntercept": -100, "RescaleType": "US"}}
STACK = np.stack([DEEP, DEEP[::-1]])

MADE = [
    Row("window", "LINEAR", make=lambda: image(RAMP, **WIDE)),
    Row("sigmoid", "SIGMOID", make=lambda: image(RAMP, **WIDE, VOILUTFunction="SIGMOID")),
    Row("window rescaled", "Rescale Slope and Intercept", make=lambda: image(RAMP, **WIDE, RescaleSlope=2, RescaleIntercept=-512)),
    Row("window half", "a window of fractions", make=lambda: image(RAMP, WindowCenter=40.5, WindowWidth=400.5)),
    Row("window one", "a window one value wide", make=lambda: image(RAMP, WindowCenter=100, WindowWidth=1)),
    Row("windows", "several windows: the first", make=lambda: image(RAMP, WindowCenter=[40, 900], WindowWidth=[401, 90])),
    Row("no window", "no window: what most pixels lie within", make=lambda: image(DEEP)),
    Row("no window, 8 bits", "all of a screen's eight bits", make=lambda: image(FLAT)),
    Row("ct, no window", "soft tissue", make=lambda: image(RAMP, Modality="CT", SOPClassUID=CT, RescaleSlope=1, RescaleIntercept=-24)),
    Row("modality lut", "Modality LUT Sequence, 16 bits", make=lambda: image(DEEP, BitsStored=12, ModalityLUTSequence=lut(0, 16, np.arange(4096)[::-1] * 16), WindowCenter=30000, WindowWidth=50000)),
    Row("modality lut signed", "Modality LUT, signed first value", make=lambda: image(RAMP, ModalityLUTSequence=lut(-500, 12, np.arange(2000) * 2, signed=True), WindowCenter=2000, WindowWidth=4000)),
    Row("voi lut 16", "VOI LUT Sequence, 16 bits", make=lambda: image(DEEP, BitsStored=12, VOILUTSequence=lut(0, 16, (np.arange(4096) ** 2) // 256))),
    Row("voi lut 8", "VOI LUT Sequence, 8 bits", make=lambda: image(DEEP, BitsStored=12, VOILUTSequence=lut(500, 8, np.arange(256)))),
    Row("voi lut signed", "VOI LUT Sequence, signed first value", make=lambda: image(RAMP, VOILUTSequence=lut(-300, 12, np.arange(1024) * 4, signed=True))),
    Row("voi lut before window", "a table comes before a window", make=lambda: image(DEEP, BitsStored=12, VOILUTSequence=lut(0, 10, np.arange(1024)), **WIDE)),
    Row("monochrome1", "MONOCHROME1", make=lambda: image(RAMP, **WIDE, PhotometricInterpretation="MONOCHROME1")),
    Row("inverse", "DX: Presentation LUT Shape INVERSE", make=lambda: image(RAMP, **WIDE, Modality="DX", PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE")),
    Row("identity", "DX: Presentation LUT Shape IDENTITY", make=lambda: image(RAMP, **WIDE, Modality="DX", PresentationLUTShape="IDENTITY")),
    Row("shape first", "the shape comes before MONOCHROME1", make=lambda: image(RAMP, **WIDE, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="IDENTITY")),
    Row("1 bit", "1 bit", make=one_bit),
    Row("8 bits", "8 bits", make=lambda: bits(8)),
    Row("10 bits", "10 bits", make=lambda: bits(10)),
    Row("12 bits", "12 bits, noise above", make=lambda: bits(12)),
    Row("12 bits, high bit 13", "odd high bit", make=lambda: bits(12, 13)),
    Row("11 bits, high bit 15", "odd high bit", make=lambda: bits(11, 15)),
    Row("12 bits signed", "signed, 12 bits", make=lambda: bits(12, signed=True)),
    Row("12 bits signed, high bit 14", "signed, odd high bit", make=lambda: bits(12, 14, signed=True)),
    Row("16 bits", "16 bits", make=lambda: bits(16)),
    Row("16 bits signed", "16 bits signed", make=lambda: bits(16, signed=True)),
    Row("32 bits", "32 bits", make=lambda: wide(DEEP.astype(np.uint32) * 70_000)),
    Row("8 bits signed", "8 bits signed", make=lambda: image(FLAT.view(np.int8), WindowCenter=0, WindowWidth=256)),
    Row("implicit", "implicit little endian", make=lambda: image(RAMP, ImplicitVRLittleEndian, **WIDE)),
    Row("big endian", "explicit big endian", make=lambda: image(RAMP, ExplicitVRBigEndian, **WIDE)),
    Row("rgb", "RGB by pixel", make=lambda: image(PHOTO)),
    Row("rgb planar", "RGB by plane", make=lambda: planar(PHOTO)),
    Row("rgb 16", "RGB of 16 bits", make=lambda: image(PHOTO.astype(np.uint16) * 257)),
    Row("ybr_full", "YBR_FULL", make=lambda: image(PHOTO, PhotometricInterpretation="YBR_FULL")),
    Row("ybr_full planar", "YBR_FULL by plane", make=lambda: planar(PHOTO, PhotometricInterpretation="YBR_FULL")),
    Row("ybr_full_422", "YBR_FULL_422", make=lambda: subsampled("YBR_FULL_422")),
    Row("palette 8", "PALETTE COLOR, 8 bits", make=lambda: image(FLAT, PhotometricInterpretation="PALETTE COLOR", **palettes(256, 8))),
    Row("palette 16", "PALETTE COLOR, tables of 16 bits", make=lambda: image(FLAT, PhotometricInterpretation="PALETTE COLOR", **palettes(256, 16))),
    Row("palette first", "PALETTE COLOR that begins at 40", make=lambda: image(FLAT, PhotometricInterpretation="PALETTE COLOR", **palettes(100, 16, 40))),
    Row("palette deep", "PALETTE COLOR over 16-bit pixels", make=lambda: image(DEEP, BitsStored=12, PhotometricInterpretation="PALETTE COLOR", **palettes(4096, 16))),
    Row("overlay", "G overlay", make=lambda: added(image(DEEP, **FAR), overlay(0x6000, mask(5, 9)))),
    Row("overlays", "several overlays", make=lambda: added(image(DEEP, **FAR), overlay(0x6000, mask(5, 9)), overlay(0x6004, mask(30, 40)))),
    Row("overlay outside", "an overlay that begins outside", make=lambda: added(image(DEEP, **FAR), overlay(0x6002, mask(0, 0), origin=(-7, -3)))),
    Row("overlay small", "an overlay smaller than the picture", make=lambda: added(image(DEEP, **FAR), overlay(0x6002, mask(2, 3, 8, 8, 16), origin=(40, 20)))),
    Row("overlay embedded", "an overlay in the pixels' high bits", make=lambda: added(image(DEEP | (mask(9, 9).astype(np.uint16) << 14), BitsStored=12, WindowCenter=2000, WindowWidth=4000), embedded(0x6000, 14))),
    Row("overlay mono1", "an overlay over MONOCHROME1", make=lambda: added(image(DEEP, **FAR, PhotometricInterpretation="MONOCHROME1"), overlay(0x6000, mask(5, 9)))),
    Row("overlay of a frame", "an overlay of the second frame", 1, lambda: added(image(STACK, **FAR), overlay(0x6000, mask(5, 9)[None], first_frame=2)), ("--display-overlay", "0")),
    Row("frame window 1", "a window of the frame", 0, lambda: image(STACK, **grouped(VOI, NARROW))),
    Row("frame window 2", "a window of the frame", 1, lambda: image(STACK, **grouped(VOI, NARROW))),
    Row("shared window", "a shared window and slope", 1, lambda: image(STACK, **grouped({}, {}, shared=VOI | RESCALED))),
    Row("frame slope", "a slope of the frame", 1, lambda: image(STACK, **grouped({}, RESCALED, shared=VOI))),
    Row("jpeg grey", "JPEG baseline", make=lambda: compressed("4.50", imagecodecs.jpeg8_encode, FLAT)),
    Row("jpeg rgb", "RGB within JPEG", make=lambda: compressed("4.50", lambda p: imagecodecs.jpeg8_encode(p, colorspace="RGB", outcolorspace="RGB", level=95), PHOTO)),
    Row("jpeg-ls", "JPEG-LS", make=lambda: compressed("4.80", imagecodecs.jpegls_encode, DEEP, WindowCenter=2000, WindowWidth=4000)),
    Row("j2k grey", "JPEG 2000", make=lambda: compressed("4.90", lambda p: imagecodecs.jpeg2k_encode(p, codecformat="j2k", reversible=True), DEEP, WindowCenter=2000, WindowWidth=4000)),
    Row("ybr_rct", "YBR_RCT", make=lambda: compressed("4.90", lambda p: imagecodecs.jpeg2k_encode(p, codecformat="j2k", reversible=True, mct=True), PHOTO, PhotometricInterpretation="YBR_RCT")),
    Row("ybr_ict", "YBR_ICT", make=lambda: compressed("4.91", lambda p: imagecodecs.jpeg2k_encode(p, codecformat="j2k", level=45, mct=True), PHOTO, PhotometricInterpretation="YBR_ICT")),
    Row("mg right", "a right breast as it should hang", make=lambda: mammogram("R", ["P", "FL"])),
    Row("mg right, mirrored", "a right breast the wrong way round", make=lambda: mammogram("R", ["A", "FL"]), options=("--flip-horizontally",)),
    Row("mg left, mirrored", "a left breast the wrong way round", make=lambda: mammogram("L", ["P", "FR"]), options=("--flip-horizontally",)),
    Row("mg left, on its head", "a left breast, feet up", make=lambda: mammogram("L", ["A", "HL"]), options=("--flip-vertically",)),
    Row("mg right cc, both", "seen from above, turned by half", make=lambda: mammogram("R", ["A", "R"]), options=("--flip-both-axes",)),
]  # fmt: skip

BUNDLED_WHAT = {
    "693_J2KI.dcm": "JPEG 2000, CT, padding",
    "CT_small.dcm": "CT without a window",
    "ExplVR_BigEnd.dcm": "big endian RGB",
    "GDCMJ2K_TextGBR.dcm": "YBR_RCT in JPEG 2000",
    "J2K_pixelrep_mismatch.dcm": "JPEG 2000 that contradicts its sign",
    "JPEG-lossy.dcm": "JPEG extended, 12 bits",
    "JPEG2000.dcm": "JPEG 2000 irreversible",
    "JPEGLSNearLossless_08.dcm": "JPEG-LS near lossless",
    "JPEGLSNearLossless_16.dcm": "JPEG-LS near lossless, 16 bits",
    "MR_small.dcm": "MR with a window",
    "MR_small_RLE.dcm": "RLE, 16 bits",
    "MR_small_bigendian.dcm": "big endian, 16 bits",
    "MR_small_jp2klossless.dcm": "JPEG 2000 lossless",
    "MR_small_jpeg_ls_lossless.dcm": "JPEG-LS",
    "MR_small_padded.dcm": "more bytes than pixels",
    "SC_jpeg_no_color_transform.dcm": "JPEG of RGB without markers",
    "SC_rgb_dcmtk_+eb+cr.dcm": "JPEG of RGB",
    "SC_rgb_dcmtk_+eb+cy+n1.dcm": "JPEG of YBR, 4:4:4",
    "SC_rgb_dcmtk_+eb+cy+n2.dcm": "JPEG of YBR, 4:2:2",
    "SC_rgb_dcmtk_+eb+cy+np.dcm": "JPEG of YBR",
    "SC_rgb_gdcm_KY.dcm": "RLE of RGB",
    "SC_rgb_jls_lossy_line.dcm": "JPEG-LS by line",
    "SC_rgb_jls_lossy_sample.dcm": "JPEG-LS by sample",
    "SC_rgb_jpeg_dcmtk.dcm": "JPEG baseline",
    "SC_rgb_jpeg_gdcm.dcm": "JPEG lossless",
    "SC_rgb_rle.dcm": "RLE of RGB by plane",
    "SC_rgb_rle_16bit.dcm": "RLE of RGB, 16 bits",
    "SC_rgb_rle_2frame.dcm": "RLE, first frame",
    "SC_rgb_small_odd.dcm": "an odd number of bytes",
    "SC_rgb_small_odd_big_endian.dcm": "an odd number of bytes in big-endian words",
    "SC_ybr_full_422_uncompressed.dcm": "YBR_FULL_422",
    "examples_jpeg2k.dcm": "JPEG 2000 in colour",
    "examples_overlay.dcm": "an overlay in a cardiac MR",
    "examples_palette.dcm": "PALETTE COLOR, tables of 16 bits, segmented",
    "examples_rgb_color.dcm": "ultrasound, RGB",
    "examples_ybr_color.dcm": "ultrasound cine, JPEG of YBR_FULL_422",
    "image_dfl.dcm": "deflated",
    "rtdose_1frame.dcm": "RT dose, 32 bits",
    "rtdose.dcm": "RT dose, several frames",
}
BUNDLED_ROWS = [Row(name, what) for name, what in BUNDLED_WHAT.items()] + [
    Row("SC_rgb_rle_2frame.dcm", "RLE, second frame", 1),
    Row("examples_ybr_color.dcm", "a cine's tenth frame", 9),
    Row("rtdose.dcm", "RT dose, eighth frame", 7),
]

SAMPLE_ROWS = [
    Row("cr-modality-lut-sequence/CR-ModalitySequenceLUT.dcm", "CR, Modality LUT Sequence, MONOCHROME1"),
    Row("lut-tests/mlut_18.dcm", "Modality LUT Sequence, signed"),
    Row("lut-tests/vlut_04.dcm", "VOI LUT Sequence"),
    Row("lut-tests/test16signed.dcm", "signed, 16 bits"),
    Row("rf-single/KarstenHilbertRF.dcm", "RF, Modality LUT Sequence and aspect ratio"),
    Row("cr-mono1-chest/cxr.dcm", "CR, MONOCHROME1, 10 bits"),
    Row("study-dx-chest-c3l00277/1000.dcm", "DX, VOI LUT Sequence, 14 bits"),
    Row("mg-ge/GH133.dcm", "MG, VOI LUT, JPEG lossless"),
    Row("overlays/ovly_p01.dcm", "six overlays, some in high bits"),
    Row("missing-attributes/slicethickness_empty_string.dcm", "overlay in an MR, JPEG 2000"),
    Row("pt-acrin/1.dcm", "PET with its window"),
    Row("synthetic-mammo-dbt/RCC.dcm", "mammogram, right, from above"),
    Row("synthetic-mammo-dbt/RMLO.dcm", "mammogram, right, oblique"),
    Row("synthetic-mammo-dbt/L_tomo.dcm", "tomosynthesis, slice 11 of 20", 10),
    Row("study-mr-enhanced-xa10/6_1.dcm", "enhanced MR, a window of its third frame", 2),
    Row("study-mr-philips-enhanced/IM_0027_fMAP.dcm", "enhanced MR, slopes of its frames", 7),
    Row("ts-pydicom-data/emri_small.dcm", "enhanced MR, fifth frame", 4),
    Row("ts-pydicom-data/OT-PAL-8-face.dcm", "PALETTE COLOR without preamble"),
    Row("ts-pydicom-data/OBXXXX1A_expb_2frame.dcm", "PALETTE COLOR in big endian, second frame", 1),
    Row("ts-pydicom-data/color-pl.dcm", "RGB by plane, pixels not square"),
    Row("ts-pydicom-data/SC_ybr_full_uncompressed.dcm", "YBR_FULL"),
    Row("ts-testpattern-colour/TestPattern_JPEG-Baseline_YBR422.dcm", "JPEG of YBR_FULL_422"),
    Row("ts-testpattern-colour/TestPattern_JPEG-Baseline_YBRFull.dcm", "JPEG of YBR_FULL"),
    Row("us-single/US-YBR_FULL_422-EVRLE.dcm", "ultrasound, YBR_FULL_422"),
    Row("us-single/YBR_FULL-RLE.dcm", "ultrasound, YBR_FULL in RLE"),
    Row("us-single/US-RGB-8-epicard-Banded-bigendian.dcm", "RGB by plane in big endian"),
    Row("us-cine/Issue16.dcm", "ultrasound cine, thirtieth frame", 29),
    Row("xa-cine-96f/jpeg_baseline_8bit.dcm", "angiogram, fiftieth frame", 49),
    Row("ts-wg04-subset/JPLY/RG3_JPLY", "CR, JPEG extended, MONOCHROME1"),
    Row("vl-endoscopy-photos/VL1_RLE", "endoscopy, RLE"),
    Row("op-oct/sample-op.dcm", "eye photograph, JPEG lossless"),
    Row("rt-set/rtdose.dcm", "RT dose, 32 bits"),
    Row("patient-cd/philips-partial/DICOM/S21570/S4010/I10", "overlay in a secondary capture"),
    Row("study-ctmrpt-sts002/PET/image/000020.dcm", "PET without a window"),
    Row("study-mr-siemens-mosaic/mr_0003/epi_pe_ap-00001.dcm", "MR mosaic"),
]
