"""Walk over one DICOM file (PS3.10) as its bytes arrive: whose it is, and where its pixels lie.

This is the only reader of foreign bytes outside the sandbox, so it does very little. It steps from
element to element by their lengths, keeps a few short values, and never recurses, decodes or holds a
body: a file of any size costs one header and one value. Deflated files are unpacked in passing, bit by
bit and within bounds. Whatever is not plain (elements out of order, odd lengths, unknown syntaxes) is a
surprise: the walk stops there and the caller asks the sandbox, where pydicom may have an opinion.
"""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Callable
from dataclasses import dataclass, replace

from studies.frames import Frames, encapsulated_frames, native_frames, offset_table
from studies.receiving.elements import (
    DOUBLE_PIXELS,
    EXPLICIT,
    EXTENDED_OFFSETS,
    FIRST_OF_PIXELS,
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
    SHORT_VRS,
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
    explicit_header_big,
    implicit_header,
    item_header_big,
    looks_explicit,
)
from studies.receiving.inflating import Inflation

__all__ = ["Facts", "Identity", "Surprise", "Walk"]

MAX_DEPTH = 32
MAX_ELEMENTS = 1_000_000
MAX_FRAGMENTS = 250_000

IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
NATIVE = (IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE)
# JPIP: the pixels are elsewhere. Two of the four are deflated besides.
_REFERENCED = frozenset(f"1.2.840.10008.1.2.4.{end}" for end in (94, 95, 204, 205))
_DEFLATED_TOO = frozenset(f"1.2.840.10008.1.2.4.{end}" for end in (95, 205))
_ENCAPSULATED = re.compile(r"1\.2\.840\.10008\.1\.2\.(1\.98|4\.\d{2,3}(\.1)?|5|8\.1)")
_VIDEO = re.compile(r"1\.2\.840\.10008\.1\.2\.4\.10\d(\.1)?")
# SOP classes of which pixels are a mandatory part (PS3.3 §A, PS3.4 §B.5): without them something is missing.
_PICTURE = re.compile(
    r"1\.2\.840\.10008\.5\.1\.4\.1\.1\.("
    r"1|1\.[123](\.1)?|2(\.[12])?|3(\.1)?|4(\.[134])?|5|6(\.[123])?|7(\.[1-4])?|12\.[12](\.1)?|12\.3|13\.1\.[1-5]|14\.[12]"
    r"|20|30|66\.4|77\.1\.[124](\.1)?|77\.1\.[3678]|77\.1\.5\.[124]|128(\.1)?|130|481\.1)"
)
_NEVER = sys.maxsize

Step = Callable[[Buffer, int], None]
ReadHeader = Callable[[Buffer, int], Header | None]
ItemHeader = Callable[[Buffer, int], Header]


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
    """Of the first pixel byte; when encapsulated, of the first item, which is the Basic Offset Table. None when
    deflated: then it is no place in the file."""
    pixel_length: int
    """When encapsulated, of all items, without the closing delimiter."""
    frames: Frames
    """Empty without pixels and when frames cannot be told apart without decoding."""
    truncated: bool
    """The file ends before its last declared length. Then no numbers and texts are told."""
    trailing: int
    """Bytes after the data set that are no elements."""

    @property
    def picture_missing(self) -> bool:
        """It must be a picture, and has no pixels: what a cut between two elements leaves behind."""
        if self.has_pixels or self.truncated or self.transfer_syntax in _REFERENCED:
            return False
        described = self.rows and self.columns and self.bits_allocated
        return bool(described or (self.identity and _PICTURE.fullmatch(self.identity.sop_class_uid)))

    @property
    def complete(self) -> bool:
        """Every byte the file declares is there, and a picture where there must be one.

        A cut between two elements of anything else cannot be seen by anybody: no file says how long it is.
        """
        return not (self.truncated or self.picture_missing)


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
        self._item_header: ItemHeader = implicit_header
        # What to go back to after each open sequence and item of undefined length: no recursion.
        self._levels: list[tuple[Step, ReadHeader]] = []
        self._pixel_tag = 0
        self._pixel_offset = 0
        self._pixel_length = 0
        self._table: bytes | None = None
        self._fragments = array("Q")
        # Of a deflated file: what comes out of it, and a walk over that.
        self._inflation: Inflation | None = None
        self._inside: Walk | None = None

    def feed(self, block: bytes) -> None:
        """Walk on over the next block of the file."""
        start = self.size
        self.size += len(block)
        if self._inflation:
            self._inflate(block)
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
        if self._inflation and self._inside:
            return self._inflated(self._inflation, self._inside)
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
        """Pass the preamble. Some files have none and begin with their meta header or their data set."""
        if data[at + 128 : at + 132] == b"DICM":
            self._step = self._read_meta
            self._pass(132)
        elif data[at : at + 2] == b"\x02\0":
            self._step = self._read_meta
            self._pass(0)
        elif data[at : at + 2] in (b"\x08\0", b"\0\x08"):
            self._read_as(_syntax_of(data, at))
        else:
            raise Surprise("no preamble")

    def _read_meta(self, data: Buffer, at: int) -> None:
        """Read an element of group 2, always Explicit VR; its group length is often absent or wrong."""
        if data[at : at + 2] == b"\x02\x00":
            self._read_one(data, at)
        else:
            self._begin_data_set(data, at)

    def _begin_data_set(self, data: Buffer, at: int) -> None:
        syntax = self._values.text(TRANSFER_SYNTAX)
        if syntax == IMPLICIT_LE and looks_explicit(data, at):
            # Some writers declare implicit and write explicit; the lengths would be nonsense.
            raise Surprise("explicit elements under an implicit transfer syntax")
        if syntax == DEFLATED:
            self._begin_inflating(bytes(data[at:]))
        elif syntax in NATIVE or (_ENCAPSULATED.fullmatch(syntax) and syntax not in _DEFLATED_TOO):
            self._read_as(syntax)
        else:
            raise Surprise("unknown transfer syntax")

    def _read_as(self, syntax: str) -> None:
        """Read a data set of this syntax from the next header on."""
        if syntax == IMPLICIT_LE:
            self._header = implicit_header
        elif syntax == EXPLICIT_BE:
            self._header, self._item_header, self._values.order = explicit_header_big, item_header_big, "big"
        self.transfer_syntax = syntax
        self._step = self._read_element
        self._needed = self._next + 8

    def _read_element(self, data: Buffer, at: int) -> None:
        if self._header is explicit_header and not self._levels:
            at = self._pass_plain(data, at)
        if self._needed <= self.size:
            self._read_one(data, at)

    def _pass_plain(self, data: Buffer, at: int) -> int:
        """Pass what needs no more than a look, as `_pass_top` would but all at once; return the place of what does."""
        values, last, elements = self._values, self._last, self._elements
        until = FIRST_OF_PIXELS if self.identity or self.surprise else SERIES_UID + 1
        start, end = at, len(data)
        while at + 8 <= end and elements < MAX_ELEMENTS:
            group, element, vr, length = EXPLICIT.unpack_from(data, at)
            tag, behind = group << 16 | element, at + 8 + length
            if vr not in SHORT_VRS or not last < tag < until:
                break
            if tag in WANTED:
                if behind > end or length > MAX_TEXT:
                    break
                values[tag] = bytes(data[at + 8 : behind])
            last, elements, at = tag, elements + 1, behind
        self._last, self._elements = last, elements
        self._next += at - start
        self._needed = max(self._needed, self._next + 8)
        return at

    def _read_one(self, data: Buffer, at: int) -> None:
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
        native = self.transfer_syntax in NATIVE
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
        if vr not in (b"", b"SQ", b"UN", b"OB", b"OW") or (vr == b"UN" and self.transfer_syntax == EXPLICIT_BE):
            raise Surprise("undefined length")
        self._enter(self._read_item, implicit_header if vr == b"UN" else self._header)
        self._pass(size)

    def _read_item(self, data: Buffer, at: int) -> None:
        tag, _, length, size = self._item_header(data, at)
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

    # Deflated files

    def _begin_inflating(self, packed: bytes) -> None:
        self.transfer_syntax = DEFLATED
        self._inflation, self._inside = Inflation(), Walk()
        self._inside._values = self._values
        self._inside._read_as(EXPLICIT_LE)
        self._next = self._needed = _NEVER
        self._inflate(packed)

    def _inflate(self, packed: bytes) -> None:
        """Walk over what is in the next bytes, as long as anybody can make something of it."""
        inflation, inside = self._inflation, self._inside
        if not inflation or not inside or self._stopped:
            return
        try:
            for plain in inflation.pieces(packed):
                inside.feed(plain)
        except Surprise as surprise:
            self._stop(surprise)
        self.identity, self.not_ascii = inside.identity, inside.not_ascii
        self.surprise = self.surprise or inside.surprise

    def _inflated(self, inflation: Inflation, inside: Walk) -> Facts:
        """What the file is, by what is in it; no place in that is one in the file.

        Of a stream that is cut or damaged nothing counts: how much came out of it before is chance.
        """
        inflation.check()
        facts = inside.finish() if inflation.ended else Walk()._facts(truncated=True, trailing=0)
        return replace(
            facts,
            transfer_syntax=DEFLATED,
            pixel_offset=None,
            pixel_length=0,
            frames=[],
            trailing=facts.trailing + inflation.trailing,
        )

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
        # A file that is cut off describes nothing: a bad value in it must not hide the cut.
        values = Values() if truncated else self._values
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


def _syntax_of(data: Buffer, at: int) -> str:
    """The transfer syntax of a data set that nobody names: pixels in it can only be native."""
    if not looks_explicit(data, at):
        return IMPLICIT_LE
    return EXPLICIT_BE if data[at] == 0 else EXPLICIT_LE
