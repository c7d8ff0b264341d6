"""What a compressed frame says of itself, read before a decoder believes it.

A header is a promise that decoders allocate memory for: 20,000 x 20,000 pixels in a kilobyte. So it must
agree with the data set, whose size was checked already.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from studies.refusals import CannotShow

MOST_SEGMENTS = 1000
START_OF_FRAME = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # ISO 10918-1 table B.1; JPEG-LS is FFF7
LOSSLESS = {0xC3, 0xC7, 0xCB, 0xCF}
END = b"\xff\xd9"  # EOI of JPEG and JPEG-LS, EOC of JPEG 2000
JPEG_XL = b"\xff\x0a"
JPEG_2000 = b"\xff\x4f\xff\x51"  # SOC, SIZ


@dataclass(frozen=True)
class Codestream:
    rows: int
    columns: int
    samples: int
    precision: int
    signed: bool = False
    lossless: bool = False
    colours: str = ""  # what the stream itself says of its three samples: "RGB", "YBR", or nothing


def jpeg(content: bytes) -> Codestream:
    """The frame header of a JPEG or JPEG-LS stream; raise `CannotShow`."""
    jfif, adobe, at = False, -1, 2
    try:
        for _ in range(MOST_SEGMENTS):
            marker, length = struct.unpack_from(">HH", content, at)
            if marker == 0xFFFF:  # fill byte
                at += 1
                continue
            body = content[at + 4 : at + 2 + length]
            if marker & 0xFF in START_OF_FRAME and marker >= 0xFF00:
                return _frame_header(marker & 0xFF, body, jfif, adobe)
            jfif |= marker == 0xFFE0 and body.startswith(b"JFIF")
            if marker == 0xFFEE and body.startswith(b"Adobe") and len(body) >= 12:
                adobe = body[11]
            at += 2 + max(2, length)
    except (struct.error, IndexError) as error:
        raise CannotShow("unreadable") from error
    raise CannotShow("unreadable")


def _frame_header(marker: int, body: bytes, jfif: bool, adobe: int) -> Codestream:
    precision, rows, columns, samples = struct.unpack_from(">BHHB", body)
    names = bytes(body[6 + 3 * index] for index in range(samples))
    if adobe >= 0:
        colours = "YBR" if adobe else "RGB"
    elif jfif:
        colours = "YBR"
    else:
        colours = "RGB" if names == b"RGB" else ""
    return Codestream(rows, columns, samples, precision, lossless=marker in LOSSLESS, colours=colours)


def jpeg_2000(content: bytes) -> Codestream:
    """The SIZ segment of a JPEG 2000 stream, bare or in a JP2 box (ISO 15444-1 §A.5.1); raise `CannotShow`."""
    at = content.find(JPEG_2000, 0, 1 << 16)
    if at < 0:
        raise CannotShow("unreadable")
    try:
        right, bottom, left, top = struct.unpack_from(">IIII", content, at + 8)
        samples, depth = struct.unpack_from(">HB", content, at + 40)
    except struct.error as error:
        raise CannotShow("unreadable") from error
    return Codestream(bottom - top, right - left, samples, (depth & 0x7F) + 1, signed=depth >= 0x80)


def whole(content: bytes) -> None:
    """Raise `CannotShow` unless the stream has an end, behind which some writers put padding.

    Decoders of JPEG and HTJ2K make up what is cut off, in grey, and call it a picture. That of JPEG-LS looks for it:
    a file of 64 x 64 pixels cut off at the right place took it twenty seconds.
    """
    if END not in content.rstrip(b"\0\xff")[-64:]:
        raise CannotShow("incomplete")


def jpeg_xl(content: bytes) -> tuple[int, int]:
    """Rows and columns by the size header of a JPEG XL stream, bare or in its first box (ISO 18181-1 §D.2,
    ISO 18181-2 §9.9); raise `CannotShow`. What each sample is, stands behind and is checked when decoded."""
    at = content.find(JPEG_XL, 0, 1 << 10)
    if at < 0 or len(content) < at + 12:
        raise CannotShow("unreadable")
    bits = _Bits(content[at + 2 : at + 12])
    eighths = bits.take(1)
    rows = bits.side(eighths)
    ratio = bits.take(3)
    numerator, denominator = _RATIOS.get(ratio, (0, 1))
    return rows, rows * numerator // denominator if ratio else bits.side(eighths)


_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}  # width to height


class _Bits:
    """Numbers of some bits each, the least significant first."""

    def __init__(self, content: bytes) -> None:
        self._left = int.from_bytes(content, "little")

    def take(self, count: int) -> int:
        taken = self._left & ((1 << count) - 1)
        self._left >>= count
        return taken

    def side(self, eighths: int) -> int:
        """A length in pixels, maybe written as so many times eight."""
        return 8 * (self.take(5) + 1) if eighths else self.take((9, 13, 18, 30)[self.take(2)]) + 1
