"""DICOM files made for the tests of reading and rendering, good and hostile."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

CT = "1.2.840.10008.5.1.4.1.1.2"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
DEFLATED = "1.2.840.10008.1.2.1.99"


def dataset(**attributes: Any) -> Dataset:
    ds = Dataset()
    said = {
        "SOPClassUID": SECONDARY_CAPTURE,
        "SOPInstanceUID": "1.2.826.0.1.3",
        "StudyInstanceUID": "1.2.826.0.1.1",
        "SeriesInstanceUID": "1.2.826.0.1.2",
        "PatientName": "ZEBRAFISH^Maria",
        "PatientID": "LS-1",
        **attributes,
    }
    for keyword, value in said.items():
        setattr(ds, keyword, value)
    return ds


def written(ds: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """The data set as a Part 10 file, of a transfer syntax that pydicom need not know."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.FileMetaInformationGroupLength = 0  # written as it should be
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = syntax  # type: ignore[assignment]
    ds.preamble = b"\0" * 128
    buffer = BytesIO()
    big, implicit = syntax == ExplicitVRBigEndian, syntax == ImplicitVRLittleEndian
    ds.save_as(buffer, implicit_vr=implicit, little_endian=not big, force_encoding=True)
    return buffer.getvalue()


def image(pixels: np.ndarray[Any, Any], syntax: str = ExplicitVRLittleEndian, **attributes: Any) -> bytes:
    """A file of these native pixels: [rows, columns], [rows, columns, 3], or frames of the first."""
    colour = pixels.ndim == 3 and pixels.shape[2] == 3
    frames = pixels.shape[0] if pixels.ndim == 3 and not colour else None
    rows, columns = pixels.shape[:2] if frames is None else pixels.shape[1:]
    bits = pixels.dtype.itemsize * 8
    said = {
        "Rows": rows,
        "Columns": columns,
        "SamplesPerPixel": 3 if colour else 1,
        "PhotometricInterpretation": "RGB" if colour else "MONOCHROME2",
        "BitsAllocated": bits,
        "BitsStored": bits,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        **({"PlanarConfiguration": 0} if colour else {}),
        **({"NumberOfFrames": frames} if frames else {}),
        **attributes,
    }
    ds = dataset(**said)
    ds.HighBit = attributes.get("HighBit", ds.BitsStored - 1)
    big = syntax == ExplicitVRBigEndian
    content = pixels.astype(pixels.dtype.newbyteorder(">" if big else "<")).tobytes()
    ds.PixelData = content + b"\0" * (len(content) % 2)
    ds["PixelData"].VR = "OW" if bits > 8 or syntax == ImplicitVRLittleEndian else "OB"
    return written(ds, syntax)


def encapsulated(frame: bytes | bytearray, syntax: str, **attributes: Any) -> bytes:
    """A file of one compressed frame, described as 8-bit 64 x 64 grey unless said otherwise."""
    said = {
        "Rows": 64,
        "Columns": 64,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
        **attributes,
    }
    ds = dataset(**said)
    ds.PixelData = encapsulate([bytes(frame)])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    return written(ds, syntax)


def meta(syntax: str) -> bytes:
    """Preamble and file meta information alone."""
    value = syntax.encode() + b"\0" * (len(syntax) % 2)
    return b"\0" * 128 + b"DICM" + struct.pack("<HH2sH", 2, 0x10, b"UI", len(value)) + value


def deflated_bomb(size: int = 32 << 20) -> bytes:
    """A short file whose data set unpacks to `size` bytes of zeros inside one private element."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    head = struct.pack("<HH2sHI", 0x0009, 0x1001, b"OB", 0, size)
    block = b"\0" * (1 << 20)
    packed = packer.compress(head) + b"".join(packer.compress(block) for _ in range(size >> 20))
    return meta(DEFLATED) + packed + packer.flush()


def nested_bomb(depth: int, ending: bytes = b"") -> bytes:
    """Sequences within sequences, of undefined length and never closed."""
    level = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    return meta(ExplicitVRLittleEndian) + level * depth + ending


def shouting_bomb(depth: int = 16) -> bytes:
    """Some 900 bytes: defined-length sequences around a US value of three bytes. pydicom's walk and str wrap
    the error once per level, message and traceback included, and never come back."""
    inner = struct.pack("<HH2sH", 0x0028, 0x0010, b"US", 3) + b"abc"
    for _ in range(depth):
        item = struct.pack("<HHI", 0xFFFE, 0xE000, len(inner)) + inner
        inner = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, len(item)) + item
    uid = b"1.2.840.10008.5.1.4.1.1.2\0"
    return meta(ExplicitVRLittleEndian) + struct.pack("<HH2sH", 8, 0x16, b"UI", len(uid)) + uid + inner
