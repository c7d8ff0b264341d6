"""Go through a file from header to header as its blocks arrive, wherever they end, without recursion."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

from studies.receiving.elements import Buffer, Header, Surprise, explicit_header, implicit_header

NEVER: Final = sys.maxsize

Step = Callable[[Buffer, int], None]
"""Called with the bytes and the place of a header in them; it passes the header or asks for more bytes."""
ReadHeader = Callable[[Buffer, int], Header | None]
ItemHeader = Callable[[Buffer, int], Header]


class Steps:
    """Where a walk stands and what it does next. It holds bytes only when a block ended inside what a step needs."""

    DEEPEST = 32
    MOST_ELEMENTS = 1_000_000

    def __init__(self) -> None:
        self.size = 0
        self.surprise = ""
        self._elements = 0
        # Places in the file: the next header, and up to where the next step needs bytes.
        self._next = 0
        self._needed = 8
        self._stopped = False
        # The bytes from `_next` on.
        self._held = bytearray()
        self._step: Step
        self._header: ReadHeader = explicit_header
        self._item_header: ItemHeader = implicit_header
        # What to go back to after each open sequence and item of undefined length: no recursion.
        self._levels: list[tuple[Step, ReadHeader]] = []

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
        """Go no further."""
        self._stopped = True
        self.surprise = self.surprise or surprise.reason
        self._next = NEVER

    def _arrived(self, count: int) -> bool:
        """Tell whether `count` bytes from the next header on are there; if not, wait for them."""
        self._needed = self._next + count
        return self._needed <= self.size

    def _pass(self, count: int) -> None:
        """Go on to the header `count` bytes further on, wherever that is."""
        self._elements += 1
        if self._elements > self.MOST_ELEMENTS:
            raise Surprise("too many elements")
        self._next += count
        self._needed = self._next + 8

    def _enter(self, step: Step, header: ReadHeader) -> None:
        # A sequence and its open item are two levels of ours and one of the file's.
        if len(self._levels) >= 2 * self.DEEPEST:
            raise Surprise("nested too deep")
        self._levels.append((self._step, self._header))
        self._step, self._header = step, header

    def _leave(self, length: int) -> None:
        if length:
            raise Surprise("a delimiter with a length")
        self._step, self._header = self._levels.pop()
        self._pass(8)
