"""What is fuzzed. Each target takes bytes and raises when a promise of ours is broken.

They stand for the four readers that meet foreign bytes in a process with keys: the scanner of a request's body,
the walk over headers, the answer of a sandboxed child that a stranger may have taken over, and a stored object
that somebody has changed on the disk.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID
from zlib import crc32

import pydicom.data
from pydicom import Dataset, dcmread
from pydicom.multival import MultiValue
from pydicom.tag import Tag

from studies import sandbox
from studies.receiving import multipart
from studies.receiving.multipart import Limits, WireError
from studies.receiving.part10 import Facts, Surprise, Walk
from studies.sandbox import SandboxDied, SandboxRefused
from studies.sandbox.wire import LENGTH
from studies.store import sealing
from studies.store.sealing import Sealer, Tampered

KIB = 1 << 10


@dataclass(frozen=True)
class Target:
    """One reader: what to do with an input, what to begin with, and how long an input may become."""

    check: Callable[[bytes], None]
    seeds: Callable[[], Iterator[bytes]]
    longest: int


# --- the scanner of a request's body

_TYPES = (
    'multipart/related; type="application/dicom"; boundary=edge',
    "multipart/related; boundary=edge",
    "application/dicom",
)
_SMALL = Limits(block=KIB, head=256, preamble=512, parts=64)


def scan(content: bytes) -> None:
    """The parts do not depend on how the body is cut into reads, and hold nothing that was not sent."""
    first, body = content[:1] or b"\0", content[1:]
    content_type = _TYPES[first[0] % len(_TYPES)]
    if first[0] < 64:  # the header is the stranger's too
        line, _, body = body.partition(b"\n")
        content_type = line.decode("latin-1")
    whole = _parts(_reading(body, KIB), content_type)
    assert whole == _parts(_reading(body, 1 + len(body) // 16), content_type), "it depends on the reads"
    assert sum(map(len, whole[0])) <= len(body), "more came out than went in"


def _reading(body: bytes, most: int) -> Callable[[int], bytes]:
    source = BytesIO(body)
    return lambda count: source.read(min(count, most))


def _parts(read: Callable[[int], bytes], content_type: str) -> tuple[list[bytes], str]:
    """The bodies, and the code of the refusal that ended them."""
    bodies: list[bytes] = []
    try:
        for part in multipart.parts(read, content_type, _SMALL):
            bodies.append(b"")
            for block in part.blocks():
                bodies[-1] += block
    except WireError as refusal:
        return bodies, refusal.code
    return bodies, ""


def requests() -> Iterator[bytes]:
    """Bodies as real clients send them, and as none should."""
    part = b"Content-Type: application/dicom\r\n\r\n"
    yield b"\xff--edge\r\n" + part + b"first\r\n--edge\r\n" + part + b"second\r\n--edge--"
    yield b"\xff\r\n--edge\r\n\r\n\r\n-second\r\n-\r\n\r\n--edge--\r\n"
    yield b"\xffpreamble\r\n--edge \t\r\nA: b\r\n c\r\n\r\n--edge\r\n--edge-\r\n--edge--\r\nepilogue"
    yield b'\0multipart/related; type=application/dicom; boundary="a b"\n--a b\r\n\r\nx\r\n--a b--'
    yield b"\0application/dicom; transfer-syntax=1.2\nDICM"


# --- the walk over headers

_KEYWORDS = {
    "sop_class_uid": "SOPClassUID",
    "sop_uid": "SOPInstanceUID",
    "study_uid": "StudyInstanceUID",
    "series_uid": "SeriesInstanceUID",
    "patient_id": "PatientID",
    "issuer": "IssuerOfPatientID",
}


def walk(content: bytes) -> None:
    """What is said of a file does not depend on its blocks, stays within it, and is what pydicom says of it."""
    said = _walked(content, len(content) or 1)
    assert said == _walked(content, 1 + len(content) // 20), "it depends on the blocks"
    not_ascii, facts = said
    if not isinstance(facts, Facts):
        return
    places = [place for frame in facts.frames for place in frame]
    assert all(offset >= 0 and offset + length <= len(content) for offset, length in places), "a frame beyond the end"
    assert facts.truncated or (facts.pixel_offset or 0) + facts.pixel_length <= len(content), "pixels beyond the end"
    # pydicom takes as long as ten walks: it judges every fourth input, by chance and the same each time.
    if facts.complete and not not_ascii and crc32(content) % 4 == 0:
        _agree_with_pydicom(content, facts)


def _walked(content: bytes, size: int) -> tuple[bool, Facts | str]:
    walk = Walk()
    for at in range(0, len(content), size):
        walk.feed(content[at : at + size])
    try:
        said: Facts | str = walk.finish()
    except Surprise as surprise:
        said = surprise.reason
    return walk.not_ascii, said


def _agree_with_pydicom(content: bytes, facts: Facts) -> None:
    """Two readers of one file must not see two owners. A reader that fails sees none."""
    try:
        dataset = dcmread(BytesIO(content), force=True, stop_before_pixels=True)
        said = {name: _value(dataset, keyword) for name, keyword in _KEYWORDS.items()}
    except Exception:  # pydicom raises ten types over broken bytes
        return
    for name, value in said.items():
        assert value in (None, getattr(facts.identity, name)), f"{name} differs"


def _value(dataset: Dataset, keyword: str) -> str | None:
    """A value as pydicom reads it, without what pads it; None where it gives no single text."""
    tag = Tag(keyword)
    if tag not in dataset:
        return ""
    value = dataset[tag].value
    return None if isinstance(value, MultiValue | bytes) else str(value or "").rstrip(" \0")


def headers() -> Iterator[bytes]:
    """The beginnings of the files that come with pydicom."""
    for path in sorted((Path(str(pydicom.data.__file__)).parent / "test_files").rglob("*")):
        if path.is_file() and path.suffix in ("", ".dcm"):
            yield path.read_bytes()[: 4 * KIB]


# --- the answer of a sandboxed child


def answer(content: bytes) -> None:
    """Whatever a child says is a result, a refusal or a death, and no longer than allowed."""
    ours, theirs = socket.socketpair()
    with ours:
        ours.settimeout(5)
        with theirs:
            theirs.sendall(content)
        try:
            result = sandbox.understand(ours, 2 * KIB)
        except (SandboxDied, SandboxRefused) as refusal:
            assert str(refusal).isprintable(), "not fit for a log line"
            return
    assert sum(map(len, result.blobs)) <= 2 * KIB, "longer than allowed"
    json.dumps(result.values, allow_nan=False, ensure_ascii=False).encode()  # or no database takes it


def answers() -> Iterator[bytes]:
    """Honest answers, and the kinds of lie."""
    honest_or_not: list[dict[str, Any]] = [
        {"values": {"width": 3, "text": "Müller", "n": [1.5, None, True]}, "sizes": [3, 0]},
        {"refused": {"code": "video", "where": "ValueError in dicom.py:12"}, "sizes": []},
        {"died": "it ran out of memory", "sizes": []},
        {"values": {"n": float("nan"), "m": 10**30}, "sizes": []},
        {"values": {"text": "\ud800"}, "sizes": [-1, 2.5, "3"]},
        {"values": [], "sizes": {}},
    ]
    for said in honest_or_not:
        encoded = json.dumps(said).encode()
        yield LENGTH.pack(len(encoded)) + encoded + b"abc"
    yield LENGTH.pack(KIB) + b"[" * KIB


# --- a stored object

_KEY, _OBJECT, _FACILITY = bytes(range(32)), UUID(int=7), UUID(int=9)
_PLAIN = bytes(range(256)) * 3


def unseal(content: bytes) -> None:
    """What comes out of a changed object is an error, or the very bytes that were sealed."""
    start, length, sealed = content[:1], content[1:2], content[2:]
    if not length:
        return
    try:
        pieces = sealing.unseal(
            lambda at, count: sealed[at : at + count],
            len(sealed),
            _KEY,
            _OBJECT,
            _FACILITY,
            2 * start[0],
            length[0] or None,
        )
        plain = b"".join(pieces)
    except Tampered:
        return
    assert plain in (_PLAIN[2 * start[0] :][: length[0] or None], b""), "bytes nobody sealed"


def stored() -> Iterator[bytes]:
    """Whole objects, one cut off, one with something behind it."""
    for plain in (_PLAIN, b""):
        sealer = Sealer(_KEY, _OBJECT, _FACILITY)
        sealed = sealer.begin() + sealer.update(plain) + sealer.finish()
        yield from (b"\0\0" + sealed, b"\x05\x40" + sealed, b"\0\0" + sealed[:-1], b"\0\0" + sealed + b"more")


TARGETS = {
    "multipart": Target(scan, requests, KIB),
    "walk": Target(walk, headers, 4 * KIB),
    "answer": Target(answer, answers, 4 * KIB),
    "unseal": Target(unseal, stored, 2 * KIB),
}
