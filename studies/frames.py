"""Where each frame of a picture lies in its file, found without decoding any (PS3.5 §8.2, §A.4)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

MAX_FRAMES = 100_000
"""More are not listed: a header of a few bytes may claim two thousand million frames of one pixel."""

MAX_PADDING = 1024
"""The most bytes after the last native frame: some writers add more than the one that makes it even."""

Frames = list[list[tuple[int, int]]]
"""Per frame its fragments, each (offset, length) in bytes from the start of the file."""


def native_frames(offset: int, length: int, count: int, bits: int) -> Frames:
    """Divide native pixel data of `length` bytes into `count` frames of `bits` bits each.

    Empty when frames do not start on whole bytes (PS3.5 §8.1.1) or what is there is less than they
    need, or more than they and a little padding.
    """
    size, rest = divmod(bits, 8)
    if rest and count == 1:
        size, rest = size + 1, 0
    whole = size * count
    padding = length - whole
    if not size or rest or count > MAX_FRAMES or padding < 0:
        return []
    if padding > whole % 2 and padding >= min(size, MAX_PADDING):
        return []
    return [[(start, size)] for start in range(offset, offset + whole, size)]


def encapsulated_frames(fragments: Sequence[int], table: Sequence[int], count: int) -> Frames:
    """Put fragments together into `count` frames.

    `fragments` holds offset and length of each in turn; `table` the frames' starts, counted from the
    first fragment's item (Basic or Extended Offset Table). Without a table that fits, frames are told
    apart only when each has one fragment or there is one frame; otherwise the answer is empty.
    """
    pairs = list(zip(fragments[::2], fragments[1::2], strict=True))
    if not pairs or count > MAX_FRAMES:
        return []
    if count == 1:
        return [pairs]
    if count == len(pairs):
        return [[pair] for pair in pairs]
    return _grouped(pairs, table) if len(table) == count else []


def offset_table(table: bytes, item: str) -> tuple[int, ...]:
    """Read a table of offsets, each packed as `item` ("L" in the Basic, "Q" in the Extended one)."""
    size = struct.calcsize(f"<{item}")
    return struct.unpack(f"<{len(table) // size}{item}", table[: len(table) // size * size])


def encode_frames(frames: Frames) -> bytes:
    """Pack frames for a database column: gaps and lengths, which repeat, so that they deflate well."""
    numbers: list[int] = []
    end = 0
    for frame in frames:
        numbers.append(len(frame))
        for offset, length in frame:
            numbers += (offset - end, length)
            end = offset + length
    return zlib.compress(struct.pack(f"<{len(numbers)}q", *numbers))


def decode_frames(packed: bytes) -> Frames:
    """Undo `encode_frames`."""
    raw = zlib.decompress(packed)
    numbers = iter(struct.unpack(f"<{len(raw) // 8}q", raw))
    frames: Frames = []
    end = 0
    for count in numbers:
        frames.append([])
        for _ in range(count):
            offset, length = end + next(numbers), next(numbers)
            frames[-1].append((offset, length))
            end = offset + length
    return frames


def _grouped(pairs: list[tuple[int, int]], starts: Sequence[int]) -> Frames:
    # Offsets count from item headers, which are 8 bytes long; pairs tell where the bytes begin.
    first = pairs[0][0]
    frames: Frames = []
    left = iter(starts)
    start = next(left)
    for pair in pairs:
        if pair[0] - first == start:
            frames.append([])
            start = next(left, -1)
        if not frames:
            return []
        frames[-1].append(pair)
    return frames if len(frames) == len(starts) else []
