"""Walk over one DICOM file (PS3.10) as its bytes arrive: whose it is, and where its pixels lie.

This is the only reader of foreign bytes outside the sandbox, so it does very little: `walking` steps from element
to element, `inflating` unpacks a deflated file in passing, and here is what stands before the data set. A file of
any size costs one header and one value.
"""

from __future__ import annotations

from studies.receiving.elements import TRANSFER_SYNTAX, Buffer, Identity, Surprise, Values, looks_explicit
from studies.receiving.inflating import Deflated
from studies.receiving.steps import NEVER
from studies.receiving.syntaxes import DEFLATED, IMPLICIT_LE, is_plain, unnamed
from studies.receiving.verdict import Facts
from studies.receiving.walking import DataSetWalk

__all__ = ["Facts", "Identity", "Surprise", "Walk"]


class Walk(DataSetWalk):
    """Feed it the blocks of a file in order; it never raises before `finish`."""

    def __init__(self) -> None:
        super().__init__(Values())
        self._step, self._needed = self._read_preamble, 132
        self._deflated: Deflated | None = None

    def feed(self, block: bytes) -> None:
        """Walk on over the next block of the file."""
        if self._deflated:
            self._inflate(self._deflated, block)
        super().feed(block)

    def finish(self) -> Facts:
        """Tell what the file is, after its last block.

        Raises `Surprise` when only the sandbox can say. A file seen to be cut off is told so even
        when its identity is a surprise.
        """
        if self._deflated and not self._deflated.is_whole:
            self.not_ascii = False  # how much was read of it before is chance
        if self._deflated and not self._stopped:
            return self._deflated.finish()
        return super().finish()

    def _read_preamble(self, data: Buffer, at: int) -> None:
        """Pass the preamble. Some files have none and begin with their meta header or their data set."""
        if data[at + 128 : at + 132] == b"DICM":
            self._step = self._read_meta
            self._pass(132)
        elif data[at : at + 2] == b"\x02\0":
            self._step = self._read_meta
            self._pass(0)
        elif data[at : at + 2] in (b"\x08\0", b"\0\x08"):
            self.read_as(unnamed(data, at))
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
        elif is_plain(syntax):
            self.read_as(syntax)
        else:
            raise Surprise("unknown transfer syntax")

    def _begin_inflating(self, packed: bytes) -> None:
        self.transfer_syntax = DEFLATED
        self._deflated = Deflated(self._values)
        self._next = self._needed = NEVER
        self._inflate(self._deflated, packed)

    def _inflate(self, deflated: Deflated, packed: bytes) -> None:
        """Walk over what is in the next bytes, as long as anybody can make something of it."""
        if self._stopped:
            return
        try:
            deflated.feed(packed)
        except Surprise as surprise:
            self._stop(surprise)
        inside = deflated.inside
        self.identity, self.not_ascii = inside.identity, inside.not_ascii
        self.surprise = self.surprise or inside.surprise
