"""Where the pixels of one file lie, and each of its frames, as the walk passes them."""

from __future__ import annotations

from array import array

from studies.frames import Frames, encapsulated_frames, native_frames, offset_table
from studies.receiving.elements import (
    DOUBLE_PIXELS,
    EXTENDED_OFFSETS,
    FLOAT_PIXELS,
    PHOTOMETRIC,
    PIXELS,
    Surprise,
    Values,
)
from studies.receiving.syntaxes import is_video

MAX_FRAGMENTS = 250_000


class Pixels:
    """The one element of the data set that holds pixels; `tag` is 0 until it is met."""

    def __init__(self) -> None:
        self.tag = 0
        self.offset = 0
        """In the file: of the first pixel byte; when encapsulated, of the first item."""
        self.length = 0
        self.table: bytes | None = None
        """The Basic Offset Table; None when native, or not yet met."""
        self._fragments = array("Q")

    def note_fragment(self, offset: int, length: int) -> None:
        """Keep a fragment's place in the file. Raises `Surprise` when there are too many."""
        if len(self._fragments) >= 2 * MAX_FRAGMENTS:
            raise Surprise("too many fragments")
        self._fragments.append(offset)
        self._fragments.append(length)

    def frames(self, values: Values, syntax: str) -> Frames:
        """Return each frame's places in the file; none without pixels, or when only a decoder can tell them apart."""
        if not self.tag:
            return []
        count = values.frame_count()
        if self.table is None:
            return native_frames(self.offset, self.length, count, self._frame_bits(values))
        if is_video(syntax) and count > 1:
            # A video's fragments are cut anywhere, never by picture (PS3.5 §8.2.5).
            return []
        extended = offset_table(values.get(EXTENDED_OFFSETS, b""), "Q")
        return encapsulated_frames(self._fragments, extended or offset_table(self.table, "L"), count)

    def _frame_bits(self, values: Values) -> int:
        numbers = values.numbers()
        pixels = numbers["rows"] * numbers["columns"]
        if values.text(PHOTOMETRIC) == "YBR_FULL_422":
            # Two pixels share their colour: two samples each, not three (PS3.3 §C.7.6.3.1.2).
            return pixels * 2 * numbers["bits_allocated"]
        widths = {FLOAT_PIXELS: 32, DOUBLE_PIXELS: 64, PIXELS: numbers["bits_allocated"]}
        return pixels * numbers["samples"] * widths[self.tag]
