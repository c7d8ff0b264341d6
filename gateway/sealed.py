"""Sealed files of the spool: each whole and durable, under a name made by chance, and the key that opens them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final
from uuid import UUID

from studies.store import sealing

NOBODY: Final = UUID(int=0)  # sealing binds a file to a facility; here there is one


class SealedFiles:
    """A folder of them. Each has a key of its own, which is kept elsewhere."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def write(self, file_id: UUID, key: bytes, file: bytes) -> None:
        """Seal, write, fsync, rename, fsync the folder. Raises OSError, and then nothing of it stays."""
        sealer = sealing.Sealer(key, file_id, NOBODY)
        part, whole = self._folder / f"{file_id.hex}.part", self._folder / file_id.hex
        try:
            with open(part, "xb", opener=_private) as into:
                for block in (sealer.begin(), sealer.update(file), sealer.finish()):
                    into.write(block)
                into.flush()
                os.fsync(into.fileno())
            part.rename(whole)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        _sync_folder(self._folder)

    def read(self, file_id: str, key: bytes) -> Iterator[bytes]:
        """The file as it was written. Raises `sealing.Tampered`, OSError."""
        path = self._folder / file_id
        with path.open("rb", buffering=0) as file:

            def read_at(offset: int, size: int) -> bytes:
                return os.pread(file.fileno(), size, offset)

            yield from sealing.unseal(read_at, path.stat().st_size, key, UUID(file_id), NOBODY)

    def remove(self, file_id: str) -> None:
        """Remove a file; one that is gone is no trouble."""
        (self._folder / file_id).unlink(missing_ok=True)

    def sweep(self, known: Collection[str]) -> None:
        """Remove what was half written, and what nobody knows."""
        for path in self._folder.iterdir():
            if path.name not in known:
                path.unlink()


def kept_key(path: Path) -> bytes:
    """The key of this spool, made when there is none."""
    if not path.exists():
        with open(path, "xb", opener=_private) as into:
            into.write(sealing.new_key())
            into.flush()
            os.fsync(into.fileno())
        _sync_folder(path.parent)
    key = path.read_bytes()
    if len(key) != sealing.KEY_SIZE:
        raise ValueError(f"{path} is not the key of a spool: it must hold {sealing.KEY_SIZE} bytes")
    return key


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
