"""Files as an attacker would send them, each made in code: small, of nobody, and named for what it tries.

All but a few name a patient and a study, so that they get past the door and everything behind it meets them.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from pydicom.uid import JPEG2000Lossless, RLELossless

from tests.studies.dicom_made import CT, DEFLATED, deflated_bomb, encapsulated, image, meta
from tests.studies.elements_made import ENDLESS, ITEM_END, SEQUENCE_END, element, item, tag

PICTURE = np.arange(64, dtype=np.uint16).reshape(8, 8)
HERS: dict[str, Any] = {
    "PatientID": "P1",
    "StudyInstanceUID": "1.2.826.0.1.77",
    "SeriesInstanceUID": "1.2.826.0.1.77.1",
}

SCRIPT = "\"'><script>alert(1)</script>"
MARKS = "\u202egnp.\u2066exe\u200b\x1b[31m\x07"
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
PREAMBLES = {
    "windows program": b"MZ\x90\0\x03\0\0\0\x04",
    "linux program": b"\x7fELF\x02\x01\x01",
    "mac program": b"\xcf\xfa\xed\xfe\x07\0\0\x01",
    "pdf": b"%PDF-1.7\n1 0 obj<</OpenAction 2 0 R>>",
    "page": b"<html><script>alert(1)</script>",
    "script": b"#!/bin/sh\nrm -rf /\n",
    "zip": b"PK\x03\x04\x14\0",
    "tiff": b"II*\0\x08\0\0\0",
    "virus test": EICAR,
}


def before_the_pixels(more: bytes, content: bytes | None = None) -> bytes:
    """A good file with these raw elements between its description and its pixels."""
    good = content or image(PICTURE, **HERS)
    at = good.rindex(tag(0x7FE00010))
    return good[:at] + more + good[at:]


def nested(depth: int, *, closed: bool) -> bytes:
    """Sequences within sequences: of undefined length, or each of the length of what is in it."""
    if not closed:
        opened = (element(0x00409999, "SQ", length=ENDLESS) + item(length=ENDLESS)) * depth
        return opened + (ITEM_END + SEQUENCE_END) * depth
    inside = element(0x00409998, "LO", "deep")
    for _ in range(depth):
        inside = element(0x00409999, "SQ", item(inside))
    return inside


def shouting() -> bytes:
    """Sixteen sequences around a number of three bytes. pydicom's walk and str repeat the error at each level."""
    inner = struct.pack("<HH2sH", 0x0028, 0x0010, b"US", 3) + b"abc"
    for _ in range(16):
        inner = element(0x00409999, "SQ", item(inner))
    return inner


def jpeg2000(rows: int, columns: int, described: int) -> bytes:
    """A codestream that promises rows x columns and holds nothing (ISO 15444-1 §A.5.1)."""
    size = struct.pack(">HIIIIIIIIHBBB", 0, columns, rows, 0, 0, columns, rows, 0, 0, 1, 7, 1, 1)
    stream = b"\xff\x4f\xff\x51" + struct.pack(">H", len(size) + 2) + size
    return encapsulated(stream + b"\xff\xd9", JPEG2000Lossless, Rows=described, Columns=described, **HERS)


def rle(rows: int, columns: int) -> bytes:
    """One short segment for a picture of four gigabytes."""
    return encapsulated(
        struct.pack("<16I", 1, 64, *[0] * 14) + b"\x81\0" * 20, RLELossless, Rows=rows, Columns=columns, **HERS
    )


def inflated(size: int) -> bytes:
    """A good picture in a deflated file, and behind it a private element of so many zeros."""
    good = image(PICTURE, **HERS)
    packer, zeros = (zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS) for _ in range(2))
    head = good[good.index(tag(0x00080016)) :] + struct.pack("<HH2sHI", 0x7FE1, 0x1001, b"OB", 0, size)
    packed = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    packed += (zeros.compress(bytes(1 << 20)) + zeros.flush(zlib.Z_FULL_FLUSH)) * (size >> 20)
    packed += zeros.flush()
    return meta(DEFLATED) + packed


def with_element(number: int, new: bytes, content: bytes | None = None) -> bytes:
    """A good file with another element in the place of the one of this number (which has a short VR)."""
    good = content or image(PICTURE, **HERS)
    at = good.index(tag(number), 132)
    end = at + 8 + int.from_bytes(good[at + 6 : at + 8], "little")
    return good[:at] + new + good[end:]


def named(name: bytes, character_sets: str) -> bytes:
    """A good file of a patient with this name, byte for byte."""
    good = with_element(0x00100010, element(0x00100010, "PN", name))
    return with_element(0x00080016, element(0x00080005, "CS", character_sets) + element(0x00080016, "UI", CT), good)


def palette() -> bytes:
    """A palette whose table is far shorter than it says, under indices far beyond it (CVE-2026-5444)."""
    lut: dict[str, Any] = {
        f"{c}PaletteColorLookupTableDescriptor": [65535, 65535, 16] for c in ("Red", "Green", "Blue")
    }
    short: dict[str, Any] = {f"{c}PaletteColorLookupTableData": b"\xff\xff" for c in ("Red", "Green", "Blue")}
    return image(np.full((8, 8), 0xFFFF, np.uint16), **HERS, **lut, **short, PhotometricInterpretation="PALETTE COLOR")


def dimensions() -> bytes:
    """Rows and columns of four bytes each, that multiply to zero in 32 bits (CVE-2026-5442)."""
    tall = with_element(0x00280010, element(0x00280010, "UL", b"\0\0\1\0"))
    return with_element(0x00280011, element(0x00280011, "UL", b"\0\0\1\0"), tall)


def with_preamble(start: bytes) -> bytes:
    """A good file that is also something else."""
    return start.ljust(128, b"\0") + image(PICTURE, **HERS)[128:]


def directory() -> bytes:
    """A picture with the records of a DICOMDIR, that refer to files outside its folder (CVE-2026-32711)."""
    climbing = element(0x00041220, "SQ", item(element(0x00041500, "CS", "..\\..\\..\\etc\\passwd")))
    good = image(PICTURE, **HERS)
    at = good.index(tag(0x00080016), 132)
    return good[:at] + climbing + good[at:]


FILES: dict[str, Callable[[], bytes]] = {
    "963 bytes that shout": lambda: before_the_pixels(shouting()),
    "nested 1,000 deep, of undefined length": lambda: before_the_pixels(nested(1000, closed=False)),
    "nested 1,000 deep, of defined length": lambda: before_the_pixels(nested(1000, closed=True)),
    "nested 1,000 deep and never closed": lambda: before_the_pixels(nested(1000, closed=False)[:-16000]),
    "deflated, 400 MB of zeros in 400 KB": lambda: inflated(400 << 20),
    "deflated, nothing but zeros": lambda: deflated_bomb(32 << 20),
    "JPEG 2000 of 20,000 x 20,000, as described": lambda: jpeg2000(20_000, 20_000, 20_000),
    "JPEG 2000 of 20,000 x 20,000, described as 64": lambda: jpeg2000(20_000, 20_000, 64),
    "RLE of 65,535 x 65,535": lambda: rle(65_535, 65_535),
    "99,999 frames of 65,535 x 65,535": lambda: image(
        PICTURE, **HERS, NumberOfFrames=99_999, Rows=65_535, Columns=65_535
    ),
    "a length of 2 GB": lambda: before_the_pixels(element(0x00411001, "OB", b"abc", length=0x7FFFFFF0)),
    "a negative length": lambda: before_the_pixels(element(0x00411001, "OB", b"abc", length=0xFFFFFFF0)),
    "a sequence of negative length": lambda: before_the_pixels(element(0x00409999, "SQ", item(), length=0xFFFFFFFE)),
    "an item of negative length": lambda: before_the_pixels(element(0x00409999, "SQ", item(b"", length=0xFFFFFFF1))),
    "a text of undefined length": lambda: before_the_pixels(element(0x00409999, "UT", length=ENDLESS)),
    "a palette shorter than it says": palette,
    "rows and columns of four bytes": dimensions,
    "no rows": lambda: image(PICTURE, **HERS, Rows=0),
    "a directory that climbs out of its folder": directory,
    "a virus test in a private element": lambda: before_the_pixels(element(0x00411001, "OB", EICAR)),
    **{f"also a {kind}": lambda start=start: with_preamble(start) for kind, start in PREAMBLES.items()},  # type: ignore[misc]
    "escapes of ISO 2022 left open": lambda: named(
        b"ZEBRAFISH^\x1b$B;3\x1b$)C\x1b", "\\ISO 2022 IR 87\\ISO 2022 IR 149"
    ),
    "escapes that hide what ends a name": lambda: named(
        b"ZEBRAFISH^\x1b$B^=\\\x1b(B=\x1b$B<script>", "\\ISO 2022 IR 87"
    ),
    "a character set that is none": lambda: named(b"ZEBRAFISH^\xe9", "../../x\r\n"),
    "a name of a thousand parts": lambda: named(b"ZEBRAFISH" + b"^=" * 500, "ISO_IR 192"),
    "overlong UTF-8": lambda: named(b"ZEBRAFISH^\xc0\xbcscript\xc0\xbe\xf8\x88\x80\x80\x80", "ISO_IR 192"),
}
