"""A disk that forgets, at a power cut, what was not synced.

It works on real folders, so that what is written can be read, and keeps beside them what each fsync made
durable. POSIX promises nothing of the rest, so a cut is looked at in three ways in which file systems behave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from studies.store.disk import Disk


class Cut(Enum):
    FORGETFUL = "nothing survives that was not synced"
    NAMES_FIRST = "names were written out, bytes were not (a journal for metadata only)"
    CLINGING = "names were written out, but those removed since the last sync are back"


@dataclass
class File:
    written: bytes = b""
    durable: bytes = b""


@dataclass
class Folder:
    entries: dict[str, File | Folder] = field(default_factory=dict)
    durable: dict[str, File | Folder] = field(default_factory=dict)
    removed: dict[str, File | Folder] = field(default_factory=dict)
    """Removed since the last sync."""

    def after(self, cut: Cut) -> dict[str, File | Folder]:
        match cut:
            case Cut.FORGETFUL:
                return self.durable
            case Cut.NAMES_FIRST:
                return self.entries
            case Cut.CLINGING:
                return self.removed | self.entries


class PowerLossDisk(Disk):
    """Over the folder ``top``, which stands already. ``skipped`` is the number of one sync to leave out.

    A ``late`` disk lies: each sync returns at once and is true only when the next one is asked for.
    """

    def __init__(self, top: Path, skipped: int | None = None, *, late: bool = False) -> None:
        self._path = top
        self._top = Folder()
        self._open: dict[int, File] = {}
        self._skipped = skipped
        self._late = late
        self._under_way: list[Callable[[], None]] = []
        self.syncs: list[str] = []
        self.after_each: Callable[[], None] = lambda: None

    def survivors(self, cut: Cut) -> dict[str, bytes]:
        """Return path below ``top`` → bytes of each file that a power cut now would leave."""
        return dict(_files(self._top, cut, ""))

    def create(self, path: Path) -> int:
        fd = super().create(path)
        self._open[fd] = self._folder(path.parent).entries[path.name] = File()
        self.after_each()
        return fd

    def write(self, fd: int, block: bytes | bytearray) -> None:
        super().write(fd, block)
        self._open[fd].written += block
        self.after_each()

    def rename(self, source: Path, target: Path) -> None:
        super().rename(source, target)
        self._folder(target.parent).entries[target.name] = self._take(source)
        self.after_each()

    def remove(self, path: Path) -> None:
        if path.exists():
            super().remove(path)
            self._take(path)
            self.after_each()

    def make_dir(self, path: Path) -> None:
        super().make_dir(path)
        self._folder(path.parent).entries.setdefault(path.name, Folder())
        self.after_each()

    def fsync(self, fd: int) -> None:
        file = self._open[fd]

        def keep() -> None:
            file.durable = file.written

        self._sync("fsync of a file", keep)

    def fsync_dir(self, path: Path) -> None:
        folder = self._folder(path)

        def keep() -> None:
            folder.durable, folder.removed = dict(folder.entries), {}

        self._sync(f"fsync of {path.relative_to(self._path)}", keep)

    def _sync(self, name: str, keep: Callable[[], None]) -> None:
        for true_now in self._under_way:
            true_now()
        self._under_way = []
        self.syncs.append(name)
        if self._late:
            self._under_way.append(keep)
        elif len(self.syncs) - 1 != self._skipped:
            keep()
        self.after_each()

    def _take(self, path: Path) -> File | Folder:
        folder = self._folder(path.parent)
        folder.removed[path.name] = folder.entries.pop(path.name)
        return folder.removed[path.name]

    def _folder(self, path: Path) -> Folder:
        folder = self._top
        for name in path.relative_to(self._path).parts:
            inner = folder.entries[name]
            assert isinstance(inner, Folder)
            folder = inner
        return folder


def _files(folder: Folder, cut: Cut, path: str) -> Iterator[tuple[str, bytes]]:
    for name, entry in folder.after(cut).items():
        if isinstance(entry, Folder):
            yield from _files(entry, cut, f"{path}{name}/")
        else:
            yield f"{path}{name}", entry.durable
