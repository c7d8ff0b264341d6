"""The files of an archive in their order, streamed as one ZIP that ends with a manifest of their sums."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final

from studies.takehome.zipping import Member, Zip

MANIFEST: Final = "manifest.json"
_NO_SUM = "0" * 64


@dataclass(frozen=True)
class File:
    """One file of the archive: its sums as far as they are known, and what the manifest says besides."""

    name: str
    length: int
    blocks: Callable[[], Iterable[bytes]]
    crc32: int | None = None
    sha256: str = ""
    notes: dict[str, str] = field(default_factory=dict)

    def manifest_row(self, sums: dict[str, str]) -> dict[str, Any]:
        sha256 = self.sha256 or sums.get(self.name, _NO_SUM)
        return {"path": self.name, "size": self.length, "sha256": sha256, **self.notes}


@dataclass(frozen=True)
class Plan:
    """An archive, laid out and ready to be streamed, as often as wanted."""

    filename: str
    files: Sequence[File]
    made_at: datetime

    @property
    def exact_size(self) -> int:
        """Bytes of the whole ZIP."""
        return self._zip({}).size

    def blocks(self) -> Iterator[bytes]:
        """The ZIP. Raises `MemberChanged` when a stored body is not what its row says."""
        return self._zip({}).blocks()

    def _zip(self, sums: dict[str, str]) -> Zip:
        """Sums that nobody knew are noted as the bytes pass: the manifest comes last, and its size is known."""
        members = [Member(file.name, file.length, partial(_noting, file, sums), file.crc32) for file in self.files]
        length = len(_manifest(self.files, {}))
        members.append(Member(MANIFEST, length, lambda: [_manifest(self.files, sums)]))
        return Zip(members, self.made_at)


def held(name: str, body: bytes) -> File:
    """A file that is small enough to be held in memory."""
    return File(name, len(body), lambda: [body])


def _noting(file: File, sums: dict[str, str]) -> Iterator[bytes]:
    if file.sha256:
        yield from file.blocks()
        return
    sha256 = hashlib.sha256()
    for block in file.blocks():
        sha256.update(block)
        yield block
    sums[file.name] = sha256.hexdigest()


def _manifest(files: Sequence[File], sums: dict[str, str]) -> bytes:
    """Equally long whatever the sums are."""
    return json.dumps({"files": [file.manifest_row(sums) for file in files]}, indent=1).encode()
