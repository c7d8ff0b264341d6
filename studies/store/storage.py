"""The object store: sealed objects on disk, each whole and durable before anybody is told that it is stored.

    <root>/objects/ab/<id>.part   being written; belongs to nobody, swept when old
    <root>/objects/ab/<id>.lbx    stored: complete, immutable, named by our own random id alone

The order that makes it so: write, fsync the file, rename, fsync the folder, and only then return. One folder holds
both names, so one sync settles both. A power cut at any point leaves the whole object or none. Every effect on the
file system goes through ``Disk``.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import unquote, urlsplit
from uuid import UUID, uuid4

from django.core.files.storage import FileSystemStorage

from studies.store.disk import Disk, StorageUnavailable, passing_errors
from studies.store.staged import Staged

SUFFIX: Final = ".lbx"
STAGED_SUFFIX: Final = ".part"
_PROBE: Final = b"Lightbox writes, reads and deletes this to know that it can."


class ObjectMissing(LookupError):
    """No object is stored under this id, though the store itself is there."""


class StoreRefused(ValueError):
    """``OBJECT_STORE_URL`` names no store we can use. The message is a sentence for the operator."""


class FileStore:
    """Objects in a folder of this machine, shared by threads and processes. Folders are made when needed."""

    def __init__(self, root: Path, disk: Disk | None = None) -> None:
        self.root = root
        self.disk = disk or Disk()
        self._objects = root / "objects"
        self._durable: set[str] = set()

    def prepare(self) -> None:
        """Make every folder that objects may come to stand in, so that none of them waits for its folder."""
        with passing_errors():
            self._make_root()
            self._keep_folder(self._objects)
            *others, last = (self._objects / f"{number:02x}" for number in range(256))
            for folder in others:
                self.disk.make_dir(folder)
            self._keep_folder(last)

    def stage(self, object_id: UUID) -> Staged:
        """Begin to write an object. Raises ``FileExistsError`` for the id of one stored or being written."""
        folder = self._objects / object_id.hex[:2]
        stored, staged = folder / f"{object_id.hex}{SUFFIX}", folder / f"{object_id.hex}{STAGED_SUFFIX}"
        with passing_errors():
            _refuse_if_there(stored)
            if str(folder) not in self._durable:
                self._make_root()
                self._keep_folder(self._objects)
                self._keep_folder(folder)
            # Its name needs no sync: what is staged was promised to nobody.
            return Staged(self.disk, staged, settle=partial(self._settle, staged, stored))

    @contextmanager
    def open(self, object_id: UUID) -> Iterator[Reader]:
        """Open an object to read many ranges of it. Raises ``ObjectMissing``."""
        fd = self._open(object_id)
        try:
            yield Reader(fd)
        finally:
            os.close(fd)

    def read_at(self, object_id: UUID, offset: int, n: int) -> bytes:
        """Return up to ``n`` bytes from ``offset``, fewer only at the end. Raises ``ObjectMissing``."""
        with self.open(object_id) as reader:
            return reader.read_at(offset, n)

    def size(self, object_id: UUID) -> int:
        """Return the size of the sealed object in bytes. Raises ``ObjectMissing``."""
        with self.open(object_id) as reader:
            return reader.size

    def exists(self, object_id: UUID) -> bool:
        with passing_errors():
            return self._path_of(object_id).exists()

    def delete(self, object_id: UUID) -> None:
        """Remove an object for good; removing it again changes nothing."""
        path = self._path_of(object_id)
        with passing_errors():
            self.disk.remove(path)
            # Also when the name was gone already: whoever removed it may have died before this line.
            if path.parent.exists():
                self.disk.fsync_dir(path.parent)

    def names(self, older_than_seconds: float = 0) -> Iterator[UUID]:
        """Go through the ids of all stored objects last written so long ago, in no order.

        An object is here a moment before its row is: whoever looks for orphans asks for old ones.
        """
        for folder in _entries(self._objects):
            for entry in _entries(Path(folder.path)):
                object_id = _id_in(entry.name)
                if object_id and _age(entry) >= older_than_seconds:
                    yield object_id

    def sweep_staging(self, older_than_seconds: float) -> int:
        """Remove what was left half written and has not grown for so long; return how many that were."""
        files = (entry for folder in _entries(self._objects) for entry in _entries(Path(folder.path)))
        staged = (entry for entry in files if _id_in(entry.name, STAGED_SUFFIX))
        stale = [entry.path for entry in staged if _age(entry) >= older_than_seconds]
        with passing_errors():
            for path in stale:
                self.disk.remove(Path(path))
        return len(stale)

    def free_bytes(self) -> int:
        """Return how many bytes may still be written here by us (the share kept for root left out)."""
        nearest = next(folder for folder in (self.root, *self.root.parents) if folder.exists())
        with passing_errors():
            room = os.statvfs(nearest)
        return room.f_bavail * room.f_frsize

    def probe(self) -> None:
        """Store, read and delete an object, or raise ``StorageUnavailable`` whatever is wrong."""
        probe_id = uuid4()
        try:
            with self.stage(probe_id) as staged:
                staged.write(_PROBE)
                staged.commit()
            found = self.read_at(probe_id, 0, len(_PROBE) + 1)
            self.delete(probe_id)
        except (OSError, ObjectMissing) as error:
            raise StorageUnavailable from error
        if found != _PROBE:
            raise StorageUnavailable from ValueError("the object store gives back other bytes than it was given")

    def _settle(self, staged: Path, stored: Path) -> None:
        _refuse_if_there(stored)
        self.disk.rename(staged, stored)
        # The new name is there and the old one gone: were that back, its sweep would take the object with it.
        self.disk.fsync_dir(staged.parent)

    def _make_root(self) -> None:
        missing = takewhile(lambda folder: not folder.exists(), (self.root, *self.root.parents))
        for folder in reversed(list(missing)):
            self.disk.make_dir(folder)
            self.disk.fsync_dir(folder.parent)

    def _keep_folder(self, folder: Path) -> None:
        """See that ``folder`` is there and outlives a power cut; checked once in the life of this store.

        A folder found here may be one that another process has just made and not synced: what we store in it
        would vanish with it. So its name is synced even when we did not make it, and with it those beside it.
        """
        if str(folder) not in self._durable:
            self.disk.make_dir(folder)
            beside = [entry.path for entry in _entries(folder.parent)]
            self.disk.fsync_dir(folder.parent)
            self._durable.update(beside)

    def _path_of(self, object_id: UUID) -> Path:
        return self._objects / object_id.hex[:2] / f"{object_id.hex}{SUFFIX}"

    def _open(self, object_id: UUID) -> int:
        with passing_errors():
            try:
                return os.open(self._path_of(object_id), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            except FileNotFoundError as error:
                if not self._objects.exists():
                    # A volume that is not mounted has lost nothing.
                    raise StorageUnavailable from error
                raise ObjectMissing(f"object {object_id} is not in the store") from None


class Reader:
    """One open object. Threads may read from it at once: no position is shared."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.size = os.fstat(fd).st_size
        """Size of the sealed object in bytes."""

    def read_at(self, offset: int, n: int) -> bytes:
        """Return up to ``n`` bytes from ``offset``; fewer only at the end of the object."""
        with passing_errors():
            block = os.pread(self._fd, n, offset)
            while len(block) < n and (more := os.pread(self._fd, n - len(block), offset + len(block))):
                block += more
        return block


class PrivateStorage(FileSystemStorage):
    """Django's default storage, so that no ``FileField`` of any app can publish a file by its address."""

    def url(self, name: str | None) -> NoReturn:
        raise NotImplementedError("study bytes leave through portal.delivery only")


def open_store(url: str) -> FileStore:
    """Return the store that ``OBJECT_STORE_URL`` names. Raises ``StoreRefused``, never repeating the URL.

    Nothing on the disk is touched yet.
    """
    parts = urlsplit(url)
    if parts.scheme == "s3":
        raise StoreRefused(
            "OBJECT_STORE_URL names an S3 bucket, and S3 is not supported yet. Use a folder: file:///srv/lightbox"
        )
    root = Path(unquote(parts.path))
    is_plain = parts.netloc in ("", "localhost") and not parts.query and not parts.fragment
    if parts.scheme != "file" or not is_plain or not root.is_absolute() or root == Path(root.anchor):
        raise StoreRefused("OBJECT_STORE_URL must name a folder by its full path, like file:///srv/lightbox")
    return FileStore(root)


def _refuse_if_there(stored: Path) -> None:
    if stored.exists():
        raise FileExistsError(errno.EEXIST, "an object of this id is stored, and objects never change")


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Go through a folder that may not exist yet."""
    try:
        with passing_errors(), os.scandir(folder) as entries:
            yield from entries
    except (FileNotFoundError, NotADirectoryError):
        return


def _age(entry: os.DirEntry[str]) -> float:
    """Seconds since the last write; less than nothing for a file that is gone, which no one looks for."""
    try:
        return time.time() - entry.stat(follow_symlinks=False).st_mtime
    except FileNotFoundError:
        return -1


def _id_in(name: str, ending: str = SUFFIX) -> UUID | None:
    """Return the id in an object's file name; None for a stranger's file, which is not ours to judge."""
    stem, suffix = os.path.splitext(name)
    try:
        return UUID(hex=stem) if suffix == ending and len(stem) == 32 else None
    except ValueError:
        return None
