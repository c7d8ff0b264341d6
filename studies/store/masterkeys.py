"""The master keys: the one that wraps now, and former ones that may still open something.

Where the site keeps its key itself, in a file, the file may be replaced while the site runs (see `portal.rotation`):
every use looks at the file's stamp first, so that no process goes on wrapping with a key that has had its day. The
master key itself encrypts nothing: each purpose has a key derived from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Final

from django.conf import settings

from studies.store import sealing

WRAPPING: Final = "key-wrapping"
FORMER: Final = ".former"
"""Behind the key file's name: the key before it, while something may still be wrapped by that."""

Stamp = tuple[int, int, int]
"""Inode, size and time of a file: another one means another content, for key files are only ever replaced whole."""


def current(purpose: str) -> bytes:
    """The key that wraps for a purpose from now on."""
    return _derived(present(), purpose)


def accepted(purpose: str) -> Iterator[bytes]:
    """The keys that may open what was wrapped for a purpose, the present one first."""
    texts = chain((present(),), formers())
    return (_derived(text, purpose) for text in dict.fromkeys(texts))


def present() -> str:
    """The present master key, in base64."""
    path: Path | None = settings.MASTER_KEY_OWN_FILE
    if path is None or (stamp := stamp_of(path)) in (None, settings.MASTER_KEY_STAMP):
        return str(settings.MASTER_KEY)
    return _read(path, stamp)


def formers() -> Iterator[str]:
    """Former master keys, in base64: those the settings name, and the one that a rotation is replacing."""
    yield from settings.MASTER_KEY_FALLBACKS
    if (path := former_file()) and (stamp := stamp_of(path)):
        yield from _read(path, stamp).split()


def former_file() -> Path | None:
    """Where the former key lies while a rotation is under way; None where the site does not keep its key itself."""
    path: Path | None = settings.MASTER_KEY_OWN_FILE
    return path and path.with_name(path.name + FORMER)


def stamp_of(path: Path) -> Stamp | None:
    """What tells one content of a key file from another; None when there is no such file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


@lru_cache(maxsize=4)
def _read(path: Path, stamp: Stamp | None) -> str:
    return path.read_text(encoding="ascii").strip()


@lru_cache(maxsize=16)
def _derived(master: str, purpose: str) -> bytes:
    return sealing.derive(sealing.read_master_key(master), purpose)
