"""The DICOMDIR of an archive (PS3.10 §8.6, PS3.3 §F): records in a tree, linked by their places in the file.

Only the sandbox looks into headers (`studies.takehome.directory_records`). What it answers is put in order here, as
bytes: one patient, one study, its series, their instances.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby, islice, zip_longest
from typing import Any, Final
from uuid import UUID

from studies import sandbox
from studies.refusals import Refusal
from studies.sandbox import SandboxDied

BATCH: Final = 128
SECONDS: Final = 30

_IMPLEMENTATION: Final = "2.25.45525119515323737415427429518817097621"
_EXPLICIT_LE, _MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.2.1", "1.2.840.10008.1.3.10"
_IN_USE = 0xFFFF
_LINKS = struct.Struct("<2H2sHI 2H2sHH 2H2sHI")
_ITEM = struct.Struct("<2HI")

Records = list[bytes]
"""What the sandbox made of one instance: its own record; after the first of a series also the PATIENT, STUDY
and SERIES records above it; or nothing."""


@dataclass(frozen=True)
class Place:
    """Where an instance stands in the archive, and what is known of it without its header."""

    file_id: tuple[str, ...]
    sop_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    number: int  # within its series, from 1
    series_number: int  # of its series within the study, from 1
    date: str  # of the study as DA, or ""


@dataclass(frozen=True)
class Listed:
    """An instance to list, and the beginning of its file: up to its pixels or a good part of that."""

    place: Place
    header: bytes


@dataclass(frozen=True)
class Directory:
    """A DICOMDIR (empty when nothing could be listed), and the instances that it had to leave out."""

    body: bytes
    left_out: list[Place]


@dataclass
class _Record:
    content: bytes
    below: list[_Record] = field(default_factory=list)
    at: int = 0  # where its item begins in the file


def directory(instances: Iterable[Listed], study_id: UUID) -> Directory:
    """Return the DICOMDIR over `instances`, which come in the order of their series, a batch at a time.

    The same instances give the same bytes. Raises nothing over foreign bytes: what cannot be listed is
    left out and named.
    """
    made = list(_made(iter(instances)))
    tree = _tree([(place, records) for place, records in made if records])
    left_out = [place for place, records in made if not records]
    return Directory(_file(tree, study_id) if tree else b"", left_out)


def _made(instances: Iterator[Listed]) -> Iterator[tuple[Place, Records]]:
    while batch := list(islice(instances, BATCH)):
        try:
            answers = _ask(batch)
        except (SandboxDied, Refusal):
            # One of them takes the child down with it; alone it takes nobody.
            answers = [_ask_alone(listed) for listed in batch]
        yield from zip((listed.place for listed in batch), answers, strict=True)


def _ask_alone(listed: Listed) -> Records:
    try:
        return _ask([listed])[0]
    except (SandboxDied, Refusal):
        return []


def _ask(batch: Sequence[Listed]) -> list[Records]:
    places = [asdict(listed.place) for listed in batch]
    headers = (listed.header for listed in batch)
    result = sandbox.run("directory records", {"places": places}, headers, seconds=SECONDS)
    match result.values:
        case {"counts": list() as counts} if _fit(counts, batch, result.blobs):
            blobs = iter(result.blobs)
            return [list(islice(blobs, count)) for count in counts]
    raise SandboxDied("the answer does not fit the question")


def _fit(counts: list[Any], batch: Sequence[Listed], blobs: Sequence[bytes]) -> bool:
    """Tell whether the answer has the form of one: whoever gave it has read foreign bytes."""
    if len(counts) != len(batch) or not all(type(count) is int and count in (0, 1, 4) for count in counts):
        return False
    first: dict[int, int] = {}
    for listed, count in zip(batch, counts, strict=True):
        if count:
            first.setdefault(listed.place.series_number, count)
    return sum(counts) == len(blobs) and all(count == 4 for count in first.values())


def _tree(made: Sequence[tuple[Place, Records]]) -> list[_Record]:
    """One patient and one study: an archive holds no more."""
    series = [_series([records for _, records in group]) for _, group in groupby(made, _series_number)]
    if not series:
        return []
    _, patient, study, _ = made[0][1]
    return [_Record(patient, [_Record(study, series)])]


def _series(members: Sequence[Records]) -> _Record:
    """The first of a series speaks for all of it."""
    return _Record(members[0][3], [_Record(records[0]) for records in members])


def _series_number(made: tuple[Place, Records]) -> int:
    return made[0].series_number


def _file(tree: list[_Record], study_id: UUID) -> bytes:
    start = len(_head(study_id, [], 0))
    end = _place(tree, start)
    return _head(study_id, tree, end - start) + b"".join(_items(tree))


def _place(records: Sequence[_Record], at: int) -> int:
    """Give every record its place from `at` on, each before those below it, and return the end."""
    for record in records:
        record.at = at
        at = _place(record.below, at + _ITEM.size + _LINKS.size + len(record.content))
    return at


def _items(records: Sequence[_Record]) -> Iterator[bytes]:
    for record, following in zip_longest(records, records[1:]):
        lower = record.below[0].at if record.below else 0
        yield _item(record.content, following.at if following else 0, lower)
        yield from _items(record.below)


def _item(content: bytes, later: int, lower: int) -> bytes:
    """An item of the Directory Record Sequence (PS3.3 Table F.3-3); `content` follows its three links."""
    links = _LINKS.pack(
        *(0x0004, 0x1400, b"UL", 4, later),
        *(0x0004, 0x1410, b"US", 2, _IN_USE),
        *(0x0004, 0x1420, b"UL", 4, lower),
    )
    return _ITEM.pack(0xFFFE, 0xE000, len(links) + len(content)) + links + content


def _head(study_id: UUID, tree: Sequence[_Record], length: int) -> bytes:
    """Everything before the first record (PS3.10 §7.1, PS3.3 Table F.3-2)."""
    meta = (
        _element(0x00020001, b"OB", b"\0\1")
        + _element(0x00020002, b"UI", _MEDIA_STORAGE_DIRECTORY.encode())
        + _element(0x00020003, b"UI", f"2.25.{study_id.int}".encode())
        + _element(0x00020010, b"UI", _EXPLICIT_LE.encode())
        + _element(0x00020012, b"UI", _IMPLEMENTATION.encode())
        + _element(0x00020013, b"SH", b"LIGHTBOX")
    )
    first, last = (tree[0].at, tree[-1].at) if tree else (0, 0)
    root = (
        _element(0x00041130, b"CS", b"LIGHTBOX")
        + _element(0x00041200, b"UL", struct.pack("<I", first))
        + _element(0x00041202, b"UL", struct.pack("<I", last))
        + _element(0x00041212, b"US", struct.pack("<H", 0))
        + struct.pack("<2H2sHI", 0x0004, 0x1220, b"SQ", 0, length)
    )
    return bytes(128) + b"DICM" + _element(0x00020000, b"UL", struct.pack("<I", len(meta))) + meta + root


def _element(tag: int, vr: bytes, value: bytes) -> bytes:
    """One element in Explicit VR Little Endian (PS3.5 §7.1.2), a UID padded with NUL, text with a space."""
    value += (b"\0" if vr == b"UI" else b" ") * (len(value) % 2)
    if vr == b"OB":
        return struct.pack("<2H2sHI", tag >> 16, tag & 0xFFFF, vr, 0, len(value)) + value
    return struct.pack("<2H2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value
