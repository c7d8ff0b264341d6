"""Every effect on the file system, one method each, and what is said when the disk fails.

A test can put a disk in its place that forgets what was not synced.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from accounts.errors import Unavailable

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_FAILING: Final = frozenset({errno.EIO, errno.EROFS, errno.ESTALE, errno.ETIMEDOUT})
_BUSY: Final = frozenset({errno.EAGAIN, errno.EBUSY, errno.ENOMEM, errno.EMFILE, errno.ENFILE})
_PASSING: Final = _FULL | _FAILING | _BUSY
_SYNCING: Final = ThreadPoolExecutor(32, thread_name_prefix="early-sync")


class StorageUnavailable(Unavailable):
    """The disk failed in a way that can pass: try again later. What it said is the ``__cause__``.

    ``is_full``: there is no room, which is 507 and not 503 (RFC 4918 §11.5).
    """

    code = "storage_unavailable"

    def __init__(self, *, is_full: bool = False) -> None:
        super().__init__()
        self.is_full = is_full
        if is_full:
            self.status = 507


class Disk:
    """Every change this module makes to a file system, one method each."""

    def create(self, path: Path) -> int:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write(self, fd: int, block: bytes | bytearray) -> None:
        rest = memoryview(block)
        while rest:
            rest = rest[os.write(fd, rest) :]

    def fsync(self, fd: int) -> None:
        os.fsync(fd)

    def begin_fsync(self, fd: int) -> Future[None]:
        """Set the disk to work on what was written, while more of it comes. Ended well, it promises nothing yet."""
        return _SYNCING.submit(os.fdatasync, fd)

    def close(self, fd: int) -> None:
        os.close(fd)

    def rename(self, source: Path, target: Path) -> None:
        source.rename(target)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def make_dir(self, path: Path) -> None:
        path.mkdir(mode=0o700, exist_ok=True)

    def fsync_dir(self, path: Path) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


@contextmanager
def passing_errors() -> Iterator[None]:
    """Errors that can pass become ``StorageUnavailable``; the others stay what they are."""
    try:
        yield
    except OSError as error:
        if error.errno in _PASSING:
            raise StorageUnavailable(is_full=error.errno in _FULL) from error
        raise
