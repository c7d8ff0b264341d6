"""Sealed objects: where the store, the sealing and the keys come together with their row.

Bytes are durable before the row that names them: a crash in between leaves an object without a row, which
`tidying` sweeps, never a row without its object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache, partial
from itertools import chain
from typing import Self
from uuid import UUID, uuid4

from django.conf import settings

from accounts.rows import insert
from studies.models import FacilityPatient, SealedObject
from studies.store import damage, keys, sealing
from studies.store.damage import Damaged
from studies.store.storage import FileStore, open_store

Range = Callable[[int, int | None], Iterator[bytes]]
"""Plaintext from a start, so many bytes of it."""


def store() -> FileStore:
    """The object store of this site; one for all threads of a process."""
    return _open(settings.OBJECT_STORE_URL)


class SealedWriter:
    """Writes one object: `write` as often as needed, then `commit_bytes`, then `row` in a transaction.

    Whoever has something else to do first calls `finish`, and has another thread wait for `sync`.

    Whose object it is may be decided last: the patient's key wraps the object's, it does not seal the bytes.
    """

    def __init__(self, facility_id: UUID, kind: SealedObject.Kind) -> None:
        self.id = uuid4()
        self._facility_id = facility_id
        self._kind = kind
        self._key = sealing.new_key()
        self._sealer = sealing.Sealer(self._key, self.id, facility_id)
        self._staged = store().stage(self.id)
        self._header = self._sealer.begin()

    @property
    def length(self) -> int:
        """Plaintext bytes written so far: the offset of what comes next."""
        return self._sealer.length

    def write(self, plain: bytes) -> None:
        """Append bytes. Raises `StorageUnavailable`."""
        self._put(self._sealer.update(plain))

    def finish(self) -> None:
        """Write the end; once is enough. Raises `StorageUnavailable`."""
        if not self._sealer.finished:
            self._put(self._sealer.finish())

    def sync(self) -> None:
        """Make what was finished durable, though not its name: a system call and little else. Raises as `finish`."""
        self._staged.sync()

    def commit_bytes(self) -> None:
        """Make the object durable (write, fsync, rename, fsync), if it is not. Raises `StorageUnavailable`."""
        self.finish()
        if not self._staged.committed:
            self._staged.commit()

    def row(self, patient: FacilityPatient | None, *, is_held: bool = False) -> SealedObject:
        """Save and return the object's row, in the caller's transaction; again after a rollback if need be.

        `is_held`: it is by `keys.hold` that she is known, so she need not be read anew.
        """
        wrap = keys.wrap_for_held if is_held else keys.wrap_for
        sealed = SealedObject(
            id=self.id,
            facility_id=self._facility_id,
            patient=patient,
            kind=self._kind,
            length=self.length,
            wrapped_key=wrap(patient, self._key),
        )
        insert([sealed])
        return sealed

    def discard(self) -> None:
        """Forget what is not yet durable. What is stays for the sweep: a row may name it after all."""
        self._staged.discard()

    def _put(self, sealed: bytes | bytearray) -> None:
        # The header waits for the first chunk, so that making a writer never fails with a file open.
        if sealed and self._header:
            sealed, self._header = self._header + sealed, b""
        if sealed:
            self._staged.write(sealed)


def read(sealed: SealedObject, start: int = 0, length: int | None = None) -> Iterator[bytes]:
    """Return the plaintext from `start` in pieces of at most 64 KiB.

    The first piece is opened in the call itself, so that a missing or damaged object still becomes an
    answer. Raises `Damaged`, which is then written down, `Erased`, `KeyLost`, `StorageUnavailable`.
    """
    pieces = _pieces(sealed, start, length)
    return chain((next(pieces, b""),), pieces)


class Shelf:
    """Reads many ranges of some objects, opening each once. Use it as a context, in one thread."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._ranges: dict[UUID, Range] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def read(self, sealed: SealedObject, start: int, length: int) -> bytes:
        """Return a range of the plaintext. Raises what `read` raises."""
        return b"".join(self.pieces(sealed, start, length))

    def pieces(self, sealed: SealedObject, start: int, length: int) -> Iterator[bytes]:
        """The same in pieces of at most 64 KiB, for who puts them together with others."""
        if sealed.pk not in self._ranges:
            self._ranges[sealed.pk] = self._open.enter_context(_opened(sealed))
        return self._ranges[sealed.pk](start, length)


def _pieces(sealed: SealedObject, start: int, length: int | None) -> Iterator[bytes]:
    with _opened(sealed) as ranged:
        yield from ranged(start, length)


@contextmanager
def _opened(sealed: SealedObject) -> Iterator[Range]:
    if sealed.damaged_at:
        raise Damaged
    with damage.noted(sealed), inspect(sealed) as ranged:
        yield partial(_noting, sealed, ranged)


def _noting(sealed: SealedObject, ranged: Range, start: int, length: int | None) -> Iterator[bytes]:
    with damage.noted(sealed):
        yield from ranged(start, length)


@contextmanager
def inspect(sealed: SealedObject) -> Iterator[Range]:
    """Open an object to see whether it is whole; nothing is written down.

    Raises `ObjectMissing`, `Tampered`, `Erased`, `KeyLost`, `StorageUnavailable`.
    """
    key = keys.object_key(sealed)
    with store().open(sealed.pk) as reader:
        if sealing.plain_length(reader.size) != sealed.length:
            raise sealing.Tampered("a stored object is not as long as its row says")
        yield partial(sealing.unseal, reader.read_at, reader.size, key, sealed.pk, sealed.facility_id)


@lru_cache(maxsize=4)
def _open(url: str) -> FileStore:
    return open_store(url)
