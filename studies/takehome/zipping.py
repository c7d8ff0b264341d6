"""Write a ZIP while it is being read: nothing is compressed, nothing is kept, and its size is known before.

    for each member   local header | its bytes, as they are
    then              a central header for each | end of the directory, with ZIP64's two records when needed

Names and lengths decide where everything lies, so `Zip.size` is exact before the first byte is read. The
checksum of a member that is not compressed stands before its bytes; one that nobody knows is made when its
member's turn comes. Numbers: PKWARE, APPNOTE.TXT 6.3.10 (§4.3.7, §4.3.12, §4.3.14 to §4.3.16, §4.5.3).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Final

from isal import isal_zlib

BLOCK: Final = 256 * 1024
HELD: Final = 1024 * 1024
"""A member without a known checksum is held in memory up to this size, and read twice beyond it."""

LARGE = MARK_32 = 0xFFFF_FFFF
MANY = MARK_16 = 0xFFFF
"""From these numbers on ZIP64 is used, and the mark stands where the number does not fit."""

_PLAIN, _WITH_ZIP64 = 10, 45  # the version of ZIP a reader must know
_UNIX, _FILE_MODE = 3 << 8, 0o100644 << 16

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_END_64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR_64 = struct.Struct("<4sIQI")


class MemberChanged(Exception):
    """A member gave other bytes than promised. The ZIP breaks off here: half of it is better than a lie."""


@dataclass(frozen=True)
class Member:
    """One file in the ZIP: its name (ASCII, `/` between), length and bytes, which may be asked for twice."""

    name: str
    length: int
    blocks: Callable[[], Iterable[bytes]]
    crc32: int | None = None


class Zip:
    """A ZIP of stored members in their order. `size` is exact; `blocks()` may be called again."""

    def __init__(self, members: Sequence[Member], made_at: datetime) -> None:
        self._members = members
        self._stamp = _dos_time(made_at)
        spans = (_LOCAL.size + len(_name(m)) + len(_local_extra(m)) + m.length for m in members)
        *self._offsets, self._directory_at = accumulate(spans, initial=0)
        self._directory_size = sum(
            _CENTRAL.size + len(_name(m)) + len(_central_extra(m, at))
            for m, at in zip(members, self._offsets, strict=True)
        )
        self.size = self._directory_at + self._directory_size + len(self._end())

    def blocks(self) -> Iterator[bytes]:
        """Yield the ZIP in blocks of 256 KiB or a little more. Raises `MemberChanged`."""
        return _gathered(self._pieces())

    def _pieces(self) -> Iterator[bytes]:
        directory = []
        for member, offset in zip(self._members, self._offsets, strict=True):
            crc32, blocks = _opened(member)
            yield self._local_header(member, crc32)
            yield from _checked(member, crc32, blocks)
            directory.append(self._central_header(member, crc32, offset))
        yield from directory
        yield self._end()

    def _local_header(self, member: Member, crc32: int) -> bytes:
        name, extra = _name(member), _local_extra(member)
        length = _in_32(member.length)
        version = _WITH_ZIP64 if extra else _PLAIN
        numbers = (version, 0, 0, *self._stamp, crc32, length, length, len(name), len(extra))
        return _LOCAL.pack(b"PK\3\4", *numbers) + name + extra

    def _central_header(self, member: Member, crc32: int, offset: int) -> bytes:
        name, extra = _name(member), _central_extra(member, offset)
        length = _in_32(member.length)
        version = _WITH_ZIP64 if extra else _PLAIN
        numbers = (_UNIX | version, version, 0, 0, *self._stamp, crc32, length, length, len(name), len(extra))
        place = (0, 0, 0, _FILE_MODE, _in_32(offset))
        return _CENTRAL.pack(b"PK\1\2", *numbers, *place) + name + extra

    def _end(self) -> bytes:
        count, size, start = len(self._members), self._directory_size, self._directory_at
        short = count if count < MANY else MARK_16
        end = _END.pack(b"PK\5\6", 0, 0, short, short, _in_32(size), _in_32(start), 0)
        if count < MANY and max(size, start) < LARGE:
            return end
        versions = (_UNIX | _WITH_ZIP64, _WITH_ZIP64)
        end_64 = _END_64.pack(b"PK\6\6", _END_64.size - 12, *versions, 0, 0, count, count, size, start)
        return end_64 + _LOCATOR_64.pack(b"PK\6\7", 0, start + size, 1) + end


def _name(member: Member) -> bytes:
    return member.name.encode("ascii")


def _local_extra(member: Member) -> bytes:
    return _zip64(member.length, member.length) if member.length >= LARGE else b""


def _central_extra(member: Member, offset: int) -> bytes:
    """Only what does not fit its place of 32 bits, in this order (APPNOTE §4.5.3)."""
    lengths = [member.length, member.length] if member.length >= LARGE else []
    large = [*lengths, *([offset] if offset >= LARGE else [])]
    return _zip64(*large) if large else b""


def _in_32(number: int) -> int:
    return number if number < LARGE else MARK_32


def _zip64(*numbers: int) -> bytes:
    return struct.pack(f"<2H{len(numbers)}Q", 1, 8 * len(numbers), *numbers)


def _dos_time(moment: datetime) -> tuple[int, int]:
    """Time and date as MS-DOS had them: from 1980 on, in steps of two seconds."""
    time = moment.hour << 11 | moment.minute << 5 | moment.second // 2
    return time, max(moment.year - 1980, 0) << 9 | moment.month << 5 | moment.day


def _opened(member: Member) -> tuple[int, Iterable[bytes]]:
    if member.crc32 is not None:
        return member.crc32, member.blocks()
    if member.length > HELD:
        return _checksum(member.blocks()), member.blocks()
    body = b"".join(member.blocks())
    return isal_zlib.crc32(body), (body,)


def _checksum(blocks: Iterable[bytes]) -> int:
    crc32 = 0
    for block in blocks:
        crc32 = isal_zlib.crc32(block, crc32)
    return crc32


def _checked(member: Member, crc32: int, blocks: Iterable[bytes]) -> Iterator[bytes]:
    seen, length = 0, 0
    for block in blocks:
        seen, length = isal_zlib.crc32(block, seen), length + len(block)
        yield block
    if (seen, length) != (crc32, member.length):
        raise MemberChanged(f"{member.name}: not the {member.length} bytes that were promised")


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Join headers and small members: a server pays for every block it is handed."""
    waiting, size = [], 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= BLOCK:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)
