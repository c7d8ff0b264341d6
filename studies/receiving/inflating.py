"""Undo raw deflate (PS3.5 §A.5) as the bytes arrive, a piece at a time and within bounds.

Only to know whose a deflated file is and whether it is whole: nothing of what comes out is kept. A stream says
itself where it ends, so a cut is always seen.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

from studies.receiving.elements import Surprise

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
