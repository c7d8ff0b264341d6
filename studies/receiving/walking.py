"""Walk over one data set from element to element, by their lengths, as its bytes arrive.

It keeps a few short values, and never decodes or holds a body. Whatever is not plain (elements out of order, odd
lengths) is a surprise: the walk stops there and the caller asks the sandbox, where pydicom may have an opinion.
"""

from __future__ import annotations

from studies.receiving.elements import (
    EXPLICIT,
    EXTENDED_OFFSETS,
    FIRST_OF_PIXELS,
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
)
from studies.receiving.pixels import Pixels
from studies.receiving.steps import NEVER, Steps
from studies.receiving.syntaxes import EXPLICIT_BE, IMPLICIT_LE, NATIVE
from studies.receiving.verdict import Facts


class DataSetWalk(Steps):
    """Feed it blocks in order; it never raises before `finish`. Say with `read_as` how the data set is written.

    `identity` is there as soon as the elements up to the Series Instance UID have passed, always
    before the pixels. `not_ascii` then says that some of its text is more than one part of printable
    ASCII and must be read by the sandbox. `surprise` is "" or why the walk cannot vouch for the file.
    """

    def __init__(self, values: Values) -> None:
        super().__init__()
        self.identity: Identity | None = None
        self.not_ascii = False
        self.transfer_syntax = ""
        self._step = self._read_element
        self._values = values
        self._last = -1
        self._pixels = Pixels()
        # Where in the file garbage begins.
        self._end = NEVER

    def read_as(self, syntax: str) -> None:
        """Read a data set of this syntax from the next header on."""
        if syntax == IMPLICIT_LE:
            self._header = implicit_header
        elif syntax == EXPLICIT_BE:
            self._header, self._item_header, self._values.order = explicit_header_big, item_header_big, "big"
        self.transfer_syntax = syntax
        self._step = self._read_element
        self._needed = self._next + 8

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
        return self.facts(truncated, trailing)

    def _stop(self, surprise: Surprise) -> None:
        # Writers pad files; what follows the pixels and is no element takes nothing away from them.
        if surprise.garbage and self._pixels.tag and not self._levels:
            self._end, self._next = self._next, NEVER
        else:
            super()._stop(surprise)

    def _trailing(self) -> int:
        if self._pixels.tag and not self._levels and self._held and not any(self._held):
            return len(self._held)
        return max(0, self.size - self._end)

    # Steps: called with the bytes and the place of a header in them; they pass it or ask for more bytes.

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
        while at + 8 <= end and elements < self.MOST_ELEMENTS:
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
        if self._pixels.tag or native == (length == UNDEFINED):
            raise Surprise("pixel data do not fit their transfer syntax")
        self._pixels.tag, self._pixels.offset = tag, self._next + size
        if native:
            self._pixels.length = length
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
            self._pixels.length = self._next - self._pixels.offset
            self._leave(length)
        elif tag != ITEM or length == UNDEFINED:
            raise Surprise("no fragment in pixel data")
        elif self._pixels.table is not None:
            self._pixels.note_fragment(self._next + size, length)
            self._pass(size + length)
        elif length > MAX_TABLE or self._arrived(size + length):
            self._pixels.table = bytes(data[at + size : at + size + length]) if length <= MAX_TABLE else b""
            self._pass(size + length)

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

    def facts(self, truncated: bool, trailing: int) -> Facts:
        """Tell what has passed."""
        # A file that is cut off describes nothing: a bad value in it must not hide the cut.
        values = Values() if truncated else self._values
        return Facts(
            identity=self.identity,
            transfer_syntax=self.transfer_syntax,
            **values.numbers(),
            photometric=values.text(PHOTOMETRIC),
            number_of_frames=values.frame_count(),
            instance_number=values.text(INSTANCE_NUMBER),
            has_pixels=bool(self._pixels.tag),
            pixel_offset=self._pixels.offset if self._pixels.tag else None,
            pixel_length=self._pixels.length,
            frames=[] if truncated else self._pixels.frames(values, self.transfer_syntax),
            truncated=truncated,
            trailing=trailing,
        )
