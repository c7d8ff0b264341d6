"""The folder of a backup: what lies where, and how it becomes durable."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any, Final
from uuid import UUID

from portal.backups.errors import BackupRefused
from portal.environment import sync_folder, write_durably
from studies.store.storage import SUFFIX, Reader

FORMAT: Final = 1
BLOCK: Final = 2**20
_MAKING: Final = ".making-"
_NAME: Final = "%Y%m%dT%H%M%S%fZ"


@dataclass(frozen=True)
class Part:
    """One file of a snapshot, or one object: its size in bytes and SHA-256 (hex)."""

    size: int
    sha256: str


Objects = dict[UUID, Part]


class Folder:
    """A folder of backups. Nothing is made before something is written."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._objects = root / "objects"
        self._snapshots = root / "snapshots"
        self._touched: set[Path] = set()

    def prepare(self) -> None:
        """Make the folders, for their owner's eyes only, and sweep what an interrupted backup left."""
        for folder in (self.root, self._objects, self._snapshots):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for draft in self._snapshots.glob(f"{_MAKING}*"):
            shutil.rmtree(draft)
        for draft in self._objects.glob(f"*/{_MAKING}*"):
            draft.unlink()

    # Objects

    def object_path(self, object_id: UUID) -> Path:
        """Where a copy of an object lies, or will."""
        return self._objects / object_id.hex[:2] / f"{object_id.hex}{SUFFIX}"

    def add_object(self, object_id: UUID, reader: Reader) -> Part:
        """Copy an object; it is there whole or not at all. Its name is durable after `sync`."""
        path = self.object_path(object_id)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        draft = path.with_name(f"{_MAKING}{token_hex(8)}")
        digest, at = hashlib.sha256(), 0
        with open(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            while block := reader.read_at(at, BLOCK):
                digest.update(block)
                file.write(block)
                at += len(block)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
        self._touched.add(path.parent)
        return Part(at, digest.hexdigest())

    def sync(self) -> None:
        """Make the names of all objects added so far durable."""
        for folder in (*self._touched, self._objects):
            sync_folder(folder)
        self._touched.clear()

    def drop_objects_but(self, named: set[UUID]) -> int:
        """Remove the objects that no snapshot names; return how many."""
        dropped = 0
        for path in self._objects.glob(f"*/*{SUFFIX}"):
            with suppress(ValueError):
                if UUID(hex=path.stem) not in named:
                    path.unlink()
                    dropped += 1
        return dropped

    # Snapshots

    def begin(self) -> Path:
        """A place to make a snapshot in."""
        draft = self._snapshots / f"{_MAKING}{token_hex(8)}"
        draft.mkdir(mode=0o700)
        return draft

    def finish(self, draft: Path, moment: datetime, manifest: dict[str, Any]) -> Path:
        """Put a snapshot in its place: from now on it is one."""
        write_durably(draft / "manifest.json", json.dumps({"format": FORMAT, **manifest}, indent=1))
        for path in draft.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        sync_folder(draft)
        place = self._snapshots / moment.astimezone(UTC).strftime(_NAME)
        draft.rename(place)
        sync_folder(self._snapshots)
        return place

    def snapshots(self) -> list[Path]:
        """Every whole snapshot, the oldest first."""
        return sorted(manifest.parent for manifest in self._snapshots.glob("[0-9]*/manifest.json"))

    def choose(self, name: str = "") -> Path:
        """The snapshot of this name, or the newest. Raises BackupRefused."""
        whole = self.snapshots()
        known = ", ".join(path.name for path in whole) or "none"
        if name:
            whole = [path for path in whole if path.name == name]
        if not whole:
            raise BackupRefused(
                f"There is no {'such ' if name else ''}whole snapshot in this folder.",
                f"Whole ones: {known}. One without a manifest was interrupted and is none.",
            )
        return whole[-1]

    def expire(self, keep: timedelta, now: datetime) -> int:
        """Remove snapshots older than `keep`, but never the newest; return how many."""
        oldest = (now - keep).astimezone(UTC).strftime(_NAME)
        old = [path for path in self.snapshots()[:-1] if path.name < oldest]
        for path in old:
            (path / "manifest.json").unlink()  # first, so that what is left of it is none
            shutil.rmtree(path)
        return len(old)

    # Who was erased

    def erased(self) -> dict[UUID, datetime]:
        """Patients who were shredded, and when last."""
        path = self.root / "erased.json"
        told = json.loads(path.read_text(encoding="ascii")) if path.exists() else {}
        return {UUID(pk): datetime.fromisoformat(at) for pk, at in told.items()}

    def add_erased(self, erased: dict[UUID, datetime]) -> None:
        """Keep these besides those that are known: nobody is ever taken off the list."""
        both = self.erased()
        for pk, at in erased.items():
            both[pk] = max(at, both.get(pk, at))
        write_durably(self.root / "erased.json", json.dumps({str(pk): at.isoformat() for pk, at in both.items()}))


def moment_of(snapshot: Path) -> datetime:
    """When a snapshot was made."""
    return datetime.strptime(snapshot.name, _NAME).replace(tzinfo=UTC)


def part_of(path: Path) -> Part:
    """Size and digest of a file."""
    with path.open("rb") as file:
        return Part(path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())


def described(part: Part) -> dict[str, Any]:
    """A part as a manifest has it."""
    return asdict(part)


def write_objects(path: Path, objects: Objects) -> None:
    """The list of a snapshot's objects, in order of their ids."""
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="ascii") as file:
        for object_id in sorted(objects):
            part = objects[object_id]
            file.write(f"{object_id.hex} {part.size} {part.sha256}\n")


def read_objects(snapshot: Path) -> Iterator[tuple[UUID, Part]]:
    """Every object of a snapshot."""
    with (snapshot / "objects.txt").open(encoding="ascii") as lines:
        for line in lines:
            name, size, sha256 = line.split()
            yield UUID(hex=name), Part(int(size), sha256)


def named_by(snapshots: Iterable[Path]) -> set[UUID]:
    """All objects that these snapshots name."""
    return {object_id for snapshot in snapshots for object_id, _part in read_objects(snapshot)}
