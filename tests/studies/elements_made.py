"""DICOM files put together element by element, so that any of them may lie; and what a walk says of them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pydicom.data
import pytest

from studies.receiving.part10 import Facts, Identity, Surprise, Walk

BUNDLED = Path(pydicom.data.__file__).parent / "test_files"

BIG, DEFLATED = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
IMPLICIT, EXPLICIT, JPEG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50"
CT = "1.2.840.10008.5.1.4.1.1.2"
PIXELS = 0x7FE00010
LONG_VRS = {"OB", "OW", "OF", "OD", "OV", "SQ", "UN", "UT"}


def tag(number: int) -> bytes:
    return struct.pack("<HH", number >> 16, number & 0xFFFF)


def element(number: int, vr: str, value: bytes | str | int = b"", *, length: int | None = None) -> bytes:
    """An Explicit VR element; a number is a US value, a length may lie."""
    raw = struct.pack("<H", value) if isinstance(value, int) else value
    raw = raw.encode("latin-1") if isinstance(raw, str) else raw
    raw += (b"\0" if vr in ("UI", "OB") else b" ") * (len(raw) % 2)
    declared = len(raw) if length is None else length
    packed = struct.pack("<HI", 0, declared) if vr in LONG_VRS else struct.pack("<H", declared)
    return tag(number) + vr.encode() + packed + raw


def item(value: bytes = b"", *, number: int = 0xFFFEE000, length: int | None = None) -> bytes:
    return tag(number) + struct.pack("<I", len(value) if length is None else length) + value


ENDLESS = 0xFFFFFFFF
ITEM_END, SEQUENCE_END = item(number=0xFFFEE00D), item(number=0xFFFEE0DD)


def elements(**changed: str) -> list[bytes]:
    """The elements of a CT's data set up to its Series Instance UID."""
    said = {"sop_uid": "1.2.3", "patient_id": "ZF-1", "patient_name": "ZEBRAFISH^MARIA", "charset": ""}
    said |= {"study_uid": "1.2.3.4", "series_uid": "1.2.3.5"} | changed
    return [
        element(0x00080005, "CS", said["charset"]),
        element(0x00080016, "UI", CT),
        element(0x00080018, "UI", said["sop_uid"]),
        element(0x00100010, "PN", said["patient_name"]),
        element(0x00100020, "LO", said["patient_id"]),
        element(0x0020000D, "UI", said["study_uid"]),
        element(0x0020000E, "UI", said["series_uid"]),
    ]


def picture(rows: int = 2, columns: int = 2, *, frames: str = "1", bits: int = 8) -> list[bytes]:
    return [
        element(0x00280002, "US", 1),
        element(0x00280008, "IS", frames),
        element(0x00280010, "US", rows),
        element(0x00280011, "US", columns),
        element(0x00280100, "US", bits),
    ]


def meta(syntax: str = EXPLICIT, sop_uid: str = "1.2.3") -> bytes:
    return (
        bytes(128)
        + b"DICM"
        + element(0x00020002, "UI", CT)
        + element(0x00020003, "UI", sop_uid)
        + element(0x00020010, "UI", syntax)
    )


def file(*more: bytes, syntax: str = EXPLICIT, **changed: str) -> bytes:
    return meta(syntax) + b"".join(elements(**changed)) + b"".join(more)


def implicit(explicit: bytes) -> bytes:
    """The same element without its VR."""
    return explicit[:4] + struct.pack("<I", len(explicit) - 8) + explicit[8:]


def walk(raw: bytes, size: int = 0) -> Walk:
    walk = Walk()
    for start in range(0, len(raw), size or len(raw) or 1):
        walk.feed(raw[start : start + (size or len(raw))])
    return walk


def facts(raw: bytes) -> Facts:
    return walk(raw).finish()


def outcome(walk: Walk) -> tuple[Identity | None, bool, Facts | str]:
    """All that a walk says, to compare."""
    try:
        found: Facts | str = walk.finish()
    except Surprise as raised:
        found = raised.reason
    return walk.identity, walk.not_ascii, found


def surprise(raw: bytes) -> str:
    with pytest.raises(Surprise) as raised:
        facts(raw)
    return raised.value.reason


def bundled() -> Iterator[Path]:
    """pydicom's own test files, those of its file sets included."""
    for path in sorted(BUNDLED.rglob("*")):
        if path.is_file() and path.suffix in ("", ".dcm") and path.name != "README":
            yield path


def cut(raw: bytes, found: Facts) -> list[bytes]:
    return [b"".join(raw[at : at + length] for at, length in frame) for frame in found.frames]


def encapsulated(table: bytes, *fragments: bytes) -> bytes:
    items = item(table) + b"".join(map(item, fragments)) + SEQUENCE_END
    return element(PIXELS, "OB", items, length=ENDLESS)
