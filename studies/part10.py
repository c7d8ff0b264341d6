"""Walk over one DICOM file (PS3.10) as its bytes arrive: whose it is, and where its pixels lie.

This is the only reader of foreign bytes outside the sandbox, so it does very little. It steps from
element to element by their lengths, keeps a few short values, and never recurses, decodes or holds a
body: a file of any size costs one header and one value. Whatever is not plain (deflated, big endian,
no preamble, elements out of order, odd lengths) is a surprise: the walk stops there and the caller
asks the sandbox, where pydicom may have an opinion.
"""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Callable
from dataclasses import dataclass

from studies.elements import (
    DOUBLE_PIXELS,
    EXTENDED_OFFSETS,
    FLOAT_PIXELS,
    INSTANCE_NUMBER,
    ITEM,
    ITEM_END,
    MAX_TABLE,
    MAX_TEXT,
    PHOTOMETRIC,
    PIXEL_TAGS,
    PIXELS,
    SEQUENCE_END,
    SERIES_UID,
    TEXTS,
    TRANSFER_SYNTAX,
    UNDEFINED,
    WANTED,
    Buffer,
    Header,
    Identity,
    Surprise,
    Values,
    explicit_header,
    implicit_header,
    looks_explicit,
)
from studies.frames import Frames, encapsulated_frames, native_frames, offset_table

__all__ = ["Facts", "Identity", "Surprise", "Walk"]

MAX_DEPTH = 32
MAX_ELEMENTS = 1_000_000
MAX_FRAGMENTS = 250_000

IMPLICIT_LE, EXPLICIT_LE = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
ODD_SYNTAXES = {
    "1.2.840.10008.1.2.1.99": "deflated",
    "1.2.840.10008.1.2.2": "big endian",
    "1.2.840.10008.1.2.4.95": "deflated",
    "1.2.840.10008.1.2.4.205": "deflated",
}
_ENCAPSULATED = re.compile(r"1\.2\.840\.10008\.1\.2\.(1\.98|4\.\d{2,3}(\.1)?|5|8\.1)")
_VIDEO = re.compile(r"1\.2\.840\.10008\.1\.2\.4\.10\d(\.1)?")
_NEVER = sys.maxsize

Step = Callable[[Buffer, int], None]
ReadHeader = Callable[[Buffer, int], Header | None]


@dataclass(frozen=True)
class Facts:
    """What the walk saw. Numbers are 0 and texts "" where absent; offsets count from the file's start."""

    identity: Identity | None
    """None only when the file is truncated."""
    transfer_syntax: str
    samples: int
    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    pixel_representation: int
    photometric: str
    number_of_frames: int
    """1 where absent."""
    instance_number: str
    has_pixels: bool
    pixel_offset: int | None
    """Of the first pixel byte; when encapsulated, of the first item, which is the Basic Offset Table."""
    pixel_length: int
    """When encapsulated, of all items, without the closing delimiter."""
    frames: Frames
    """Empty without pixels and when frames cannot be told apart without decoding."""
    truncated: bool
    """The file ends before its last declared length. A cut between two elements cannot be seen."""
    trailing: int
    """Bytes after the data set that are no elements."""
    meta_differs: bool = False
    """The meta header names another SOP instance or class. The data set's count: every reader goes by them."""

    @property
    def complete(self) -> bool:
        """Every byte the file declares is there."""
        return not self.truncated


class Walk:
    """Feed it the blocks of a file in order; it never raises before `finish`.

    `identity` is there as soon as the elements up to the Series Instance UID have passed, always
    before the pixels. `not_ascii` then says that some of its text is more than one part of printable
    ASCII and must be read by the sandbox. `surprise` is "" or why the walk cannot vouch for the file.
    """

    def __init__(self) -> None:
        self.size = 0
        self.surprise = ""
        self.identity: Identity | None = None
        self.not_ascii = False
        self.transfer_syntax = ""
        self._values = Values()
        self._elements = 0
        self._last = -1
        # Places in the file: the next header, up to where the next step needs bytes, where garbage begins.
        self._next = 0
        self._needed = 132
        self._end = _NEVER
        self._stopped = False
        # The bytes from `_next` on, when a block ended inside a header or a wanted value.
        self._held = bytearray()
        self._step: Step = self._read_preamble
        self._header: ReadHeader = explicit_header
        # What to go back to after each open sequence and item of undefined length: no recursion.
        self._levels: list[tuple[Step, ReadHeader]] = []
        self._pixel_tag = 0
        self._pixel_offset = 0
        self._pixel_length = 0
        self._table: bytes | None = None
        self._fragments = array("Q")

    def feed(self, block: bytes) -> None:
        """Walk on over the next block of the file."""
        start = self.size
        self.size += len(block)
        if self._next >= self.size:
            return
        data, base = self._join(block, start)
        try:
            while self._needed <= self.size:
                self._step(data, self._next - base)
        except Surprise as surprise:
            self._stop(surprise)
        self._hold(data, base)

    def finish(self) -> Facts:
        """Tell what the file is, after its last block.

        Raises `Surprise` when only the sandbox can say. A file seen to be cut off is told so even
        when its identity is a surprise.
        """
        if self._stopped or not self._elements:
            raise Surprise(self.surprise or "no preamble")
        trailing = self._trailing()
        truncated = not trailing and (self._next != self.size or bool(self._levels))
        if not truncated:
            self._identify()
            if self.surprise:
                raise Surprise(self.surprise)
        return self._facts(truncated, trailing)

    # Blocks

    def _join(self, block: bytes, start: int) -> tuple[Buffer, int]:
        """Return the bytes to walk over and where in the file they begin."""
        if not self._held:
            return block, start
        self._held += block
        return self._held, self._next

    def _hold(self, data: Buffer, base: int) -> None:
        if self._next >= self.size:
            self._held = bytearray()
        elif data is not self._held or base != self._next:
            self._held = bytearray(data[self._next - base :])

    def _stop(self, surprise: Surprise) -> None:
        # Writers pad files; what follows the pixels and is no element takes nothing away from them.
        if surprise.garbage and self._pixel_tag and not self._levels:
            self._end = self._next
        else:
            self._stopped = True
            self.surprise = self.surprise or surprise.reason
        self._next = _NEVER

    def _trailing(self) -> int:
        if self._pixel_tag and not self._levels and self._held and not any(self._held):
            return len(self._held)
        return max(0, self.size - self._end)

    # Steps: called with the bytes and the place of a header in them; they pass it or ask for more bytes.

    def _read_preamble(self, data: Buffer, at: int) -> None:
        if data[at + 128 : at + 132] != b"DICM":
            raise Surprise("no preamble")
        self._step = self._read_meta
        self._pass(132)

    def _read_meta(self, data: Buffer, at: int) -> None:
        """Read an element of group 2, always Explicit VR; its group length is often absent or wrong."""
        if data[at : at + 2] == b"\x02\x00":
            self._read_element(data, at)
        else:
            self._begin_data_set(data, at)

    def _begin_data_set(self, data: Buffer, at: int) -> None:
        syntax = self._values.text(TRANSFER_SYNTAX)
        if syntax in ODD_SYNTAXES or not (syntax in (IMPLICIT_LE, EXPLICIT_LE) or _ENCAPSULATED.fullmatch(syntax)):
            raise Surprise(ODD_SYNTAXES.get(syntax, "unknown transfer syntax"))
        if syntax == IMPLICIT_LE:
            # Some writers declare implicit and write explicit; the lengths would be nonsense.
            if looks_explicit(data, at):
                raise Surprise("explicit elements under an implicit transfer syntax")
            self._header = implicit_header
        self.transfer_syntax = syntax
        self._step = self._read_element

    def _read_element(self, data: Buffer, at: int) -> None:
        header = self._header(data, at)
        if header is None:
            self._needed = self._next + 12
        elif self._levels:
            self._pass_nested(header)
        else:
            self._pass_top(header, data, at)

    def _pass_nested(self, header: Header) -> None:
        tag, _, length, size = header
        if tag == ITEM_END:
            self._leave(length)
        elif tag >= ITEM:
            raise Surprise("stray delimiter")
        elif length == UNDEFINED:
            self._open(header)
        else:
            self._pass(size + length)

    def _pass_top(self, header: Header, data: Buffer, at: int) -> None:
        tag, _, length, size = header
        if tag <= self._last or tag >= ITEM:
            # pydicom lets the last of two equal tags win: whose a file is must not depend on its reader.
            raise Surprise("elements out of order", garbage=tag < 0x00080000 or tag >= ITEM)
        if tag in WANTED and not self._keep(header, data, at):
            return
        if tag > SERIES_UID:
            self._identify()
        self._last = tag
        if tag in PIXEL_TAGS:
            self._pass_pixels(header)
        elif length == UNDEFINED:
            self._open(header)
        else:
            self._pass(size + length)

    def _keep(self, header: Header, data: Buffer, at: int) -> bool:
        """Keep a wanted value; False when its bytes have not all arrived."""
        tag, _, length, size = header
        if tag == EXTENDED_OFFSETS and length > MAX_TABLE:
            return True
        if tag != EXTENDED_OFFSETS and length > MAX_TEXT:
            raise Surprise("a value is too long")
        if not self._arrived(size + length):
            return False
        self._values[tag] = bytes(data[at + size : at + size + length])
        return True

    def _pass_pixels(self, header: Header) -> None:
        tag, vr, length, size = header
        native = self.transfer_syntax in (IMPLICIT_LE, EXPLICIT_LE)
        if self._pixel_tag or native == (length == UNDEFINED):
            raise Surprise("pixel data do not fit their transfer syntax")
        self._pixel_tag, self._pixel_offset = tag, self._next + size
        if native:
            self._pixel_length = length
            self._pass(size + length)
        elif tag == PIXELS and vr in (b"OB", b"OW"):
            self._enter(self._read_fragment, self._header)
            self._pass(size)
        else:
            raise Surprise("pixel data of an odd kind")

    def _open(self, header: Header) -> None:
        """Enter a value of undefined length: a sequence, UN hiding one, or fragments (PS3.5 §6.2.2, §7.5)."""
        _, vr, _, size = header
        if vr not in (b"", b"SQ", b"UN", b"OB", b"OW"):
            raise Surprise("undefined length")
        self._enter(self._read_item, implicit_header if vr == b"UN" else self._header)
        self._pass(size)

    def _read_item(self, data: Buffer, at: int) -> None:
        tag, _, length, size = implicit_header(data, at)
        if tag == SEQUENCE_END:
            self._leave(length)
        elif tag != ITEM:
            raise Surprise("no item in a sequence")
        elif length == UNDEFINED:
            self._enter(self._read_element, self._header)
            self._pass(size)
        else:
            self._pass(size + length)

    def _read_fragment(self, data: Buffer, at: int) -> None:
        """Read an item of encapsulated pixel data; the first is the Basic Offset Table (PS3.5 §A.4)."""
        tag, _, length, size = implicit_header(data, at)
        if tag == SEQUENCE_END:
            self._pixel_length = self._next - self._pixel_offset
            self._leave(length)
        elif tag != ITEM or length == UNDEFINED:
            raise Surprise("no fragment in pixel data")
        elif self._table is not None:
            self._note_fragment(self._next + size, length)
            self._pass(size + length)
        elif length > MAX_TABLE or self._arrived(size + length):
            self._table = bytes(data[at + size : at + size + length]) if length <= MAX_TABLE else b""
            self._pass(size + length)

    def _note_fragment(self, offset: int, length: int) -> None:
        if len(self._fragments) >= 2 * MAX_FRAGMENTS:
            raise Surprise("too many fragments")
        self._fragments.append(offset)
        self._fragments.append(length)

    def _arrived(self, count: int) -> bool:
        """Tell whether `count` bytes from the next header on are there; if not, wait for them."""
        self._needed = self._next + count
        return self._needed <= self.size

    def _pass(self, count: int) -> None:
        """Go on to the header `count` bytes further on, wherever that is."""
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise Surprise("too many elements")
        self._next += count
        self._needed = self._next + 8

    def _enter(self, step: Step, header: ReadHeader) -> None:
        # A sequence and its open item are two levels of ours and one of the file's.
        if len(self._levels) >= 2 * MAX_DEPTH:
            raise Surprise("nested too deep")
        self._levels.append((self._step, self._header))
        self._step, self._header = step, header

    def _leave(self, length: int) -> None:
        if length:
            raise Surprise("a delimiter with a length")
        self._step, self._header = self._levels.pop()
        self._pass(8)

    # What it comes to

    def _identify(self) -> None:
        """Settle whose the file is. When that fails the walk goes on: a cut must still be noticed."""
        if self.identity or self.surprise:
            return
        self.not_ascii = not all(self._values.plain(tag) for tag in TEXTS.values())
        try:
            self.identity = self._values.identity()
        except Surprise as surprise:
            self.surprise = surprise.reason

    def _facts(self, truncated: bool, trailing: int) -> Facts:
        values = self._values
        return Facts(
            identity=self.identity,
            transfer_syntax=self.transfer_syntax,
            **values.numbers(),
            photometric=values.text(PHOTOMETRIC),
            number_of_frames=values.frame_count(),
            instance_number=values.text(INSTANCE_NUMBER),
            has_pixels=bool(self._pixel_tag),
            pixel_offset=self._pixel_offset if self._pixel_tag else None,
            pixel_length=self._pixel_length,
            frames=[] if truncated or not self._pixel_tag else self._frames(),
            truncated=truncated,
            trailing=trailing,
            meta_differs=values.meta_differs(),
        )

    def _frames(self) -> Frames:
        count = self._values.frame_count()
        if self._table is None:
            return native_frames(self._pixel_offset, self._pixel_length, count, self._frame_bits())
        if _VIDEO.fullmatch(self.transfer_syntax) and count > 1:
            # A video's fragments are cut anywhere, never by picture (PS3.5 §8.2.5).
            return []
        extended = offset_table(self._values.get(EXTENDED_OFFSETS, b""), "Q")
        return encapsulated_frames(self._fragments, extended or offset_table(self._table, "L"), count)

    def _frame_bits(self) -> int:
        numbers = self._values.numbers()
        pixels = numbers["rows"] * numbers["columns"]
        if self._values.text(PHOTOMETRIC) == "YBR_FULL_422":
            # Two pixels share their colour: two samples each, not three (PS3.3 §C.7.6.3.1.2).
            return pixels * 2 * numbers["bits_allocated"]
        widths = {FLOAT_PIXELS: 32, DOUBLE_PIXELS: 64, PIXELS: numbers["bits_allocated"]}
        return pixels * numbers["samples"] * widths[self._pixel_tag]
