"""Undo raw deflate (PS3.5 §A.5) as the bytes arrive, a piece at a time and within bounds, and walk over what comes out.

Only to know whose a deflated file is and whether it is whole: nothing of what comes out is kept. A stream says
itself where it ends, so a cut is always seen.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from studies.receiving.elements import Surprise, Values
from studies.receiving.syntaxes import DEFLATED, EXPLICIT_LE
from studies.receiving.verdict import Facts
from studies.receiving.walking import DataSetWalk

PIECE: Final = 64 * 1024
LIMIT: Final = 512 << 20
"""A data set that unpacks to more is not looked at, here or by whoever shows it."""
RATIO: Final = 200
ALWAYS: Final = 1 << 20
"""So much may come out of however little."""
ENOUGH: Final = 64 << 20
"""When so much has come out, the ratio is judged at once: a bomb costs a tenth of a second."""
TOO_MUCH: Final = "unpacks to far too much"


class Inflation:
    """One stream on its way."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._taken = 0
        self._given = 0
        self._damaged = False
        self.trailing = 0
        """Bytes after the stream's end."""

    def check(self) -> None:
        """Raises `Surprise` when what came out is far too much for what went in."""
        if self._given > max(ALWAYS, RATIO * self._taken):
            raise Surprise(TOO_MUCH)

    @property
    def ended(self) -> bool:
        """Whether the stream has said that it is over."""
        return self._inflater.eof

    def pieces(self, packed: bytes) -> Iterator[bytes]:
        """Yield what is in the next bytes. Raises `Surprise` beyond the limit.

        A damaged stream gives nothing more, and never ends.
        """
        if self.ended:
            self.trailing += len(packed)
            return
        self._taken += len(packed)
        more = not self._damaged
        while more:
            plain = self._inflate(packed)
            packed = self._inflater.unconsumed_tail
            more = bool(plain) and not self.ended
            yield plain
        self.trailing += len(self._inflater.unused_data)

    def _inflate(self, packed: bytes) -> bytes:
        try:
            plain = self._inflater.decompress(packed, PIECE)
        except zlib.error:
            self._damaged = True
            return b""
        self._given += len(plain)
        if self._given > min(LIMIT, max(ENOUGH, RATIO * self._taken)):
            raise Surprise(TOO_MUCH)
        return plain


class Deflated:
    """The data set of a deflated file: a walk over what comes out of it."""

    def __init__(self, values: Values) -> None:
        self._inflation = Inflation()
        self.inside = DataSetWalk(values)
        self.inside.read_as(EXPLICIT_LE)

    def feed(self, packed: bytes) -> None:
        """Walk over what is in the next bytes. Raises `Surprise` when that is too much."""
        for plain in self._inflation.pieces(packed):
            self.inside.feed(plain)

    @property
    def is_whole(self) -> bool:
        """Whether the stream came to its end."""
        return self._inflation.ended

    def finish(self) -> Facts:
        """Tell what the file is, by what is in it; no place in that is one in the file.

        Raises `Surprise` as a walk does. Of a stream that is cut or damaged nothing counts: how much came out of it
        before is chance.
        """
        self._inflation.check()
        facts = self.inside.finish() if self.is_whole else DataSetWalk(Values()).facts(truncated=True, trailing=0)
        return replace(
            facts,
            transfer_syntax=DEFLATED,
            pixel_offset=None,
            pixel_length=0,
            frames=[],
            trailing=facts.trailing + self._inflation.trailing,
        )
