"""An object on its way to the disk: written, synced, and only then under its own name."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, wait
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from studies.store.disk import Disk, StorageUnavailable, passing_errors

EARLY: Final = 4 * 2**20
"""Bytes after which the disk begins to sync what will be synced at the end."""


class Staged:
    """An object being written. Leaving the ``with`` block without ``commit()`` discards it."""

    def __init__(self, disk: Disk, path: Path, settle: Callable[[], None]) -> None:
        self._disk = disk
        self._path = path
        self._settle = settle
        self._fd: int | None = disk.create(path)
        self.committed = self._synced = False
        self._begun: Future[None] | None = None
        self._begun_at = 0
        self.size = 0
        """Bytes written so far."""

    def write(self, block: bytes | bytearray) -> None:
        """Append ``block``; or discard the object and raise, ``StorageUnavailable`` when the disk is full."""
        fd = self._open_fd()
        if self._synced:
            raise RuntimeError("what was synced is whole; stage another")
        try:
            with passing_errors():
                self._disk.write(fd, block)
                self.size += len(block)
                self._begin_fsync(fd)
        except (OSError, StorageUnavailable):
            # A part of the block may stand in the file: nothing can be put behind it.
            self.discard()
            raise

    def sync(self) -> None:
        """Make the bytes durable, all of which are written; any thread may wait for that. Their name is not yet.

        An fsync that failed cannot be tried again: the kernel may have dropped the bytes and call the next
        one a success. Write the object anew, under a new id.
        """
        fd = self._open_fd()
        with passing_errors():
            try:
                if self._begun:
                    self._begun.result()  # a failure is told once: to whoever synced first
                self._disk.fsync(fd)
            except BaseException:
                self._close()
                raise
        self._synced = True

    def commit(self) -> None:
        """Store the object. When this returns it outlives a power cut; when it raises, promise nothing."""
        self._open_fd()
        if not self._synced:
            self.sync()
        with passing_errors():
            self._close()
            self._settle()
        self.committed = True

    def discard(self) -> None:
        """Remove what was written. After ``commit()`` or a second time this does nothing."""
        if self.committed:
            return
        with passing_errors():
            self._close()
            self._disk.remove(self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()

    def _open_fd(self) -> int:
        if self._fd is None:
            raise RuntimeError("this object was committed or discarded; stage another")
        return self._fd

    def _begin_fsync(self, fd: int) -> None:
        """Keep the disk busy: of a large object only its end is left to wait for. One at a time, and none in vain."""
        if self.size - self._begun_at < EARLY or (self._begun and not self._begun.done()):
            return
        if self._begun:
            self._begun.result()
        self._begun, self._begun_at = self._disk.begin_fsync(fd), self.size

    def _close(self) -> None:
        if self._fd is not None:
            fd, self._fd = self._fd, None
            if self._begun:
                wait([self._begun])  # it must not meet another file under this number
            self._disk.close(fd)
