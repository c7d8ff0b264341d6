"""Sealed objects: where the store, the sealing and the keys come together with their row.

Bytes are durable before the row that names them: a crash in between leaves an object without a row, which
`tasks.tidy` sweeps, never a row without its object.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain
from uuid import UUID, uuid4

from django.conf import settings

from accounts.models import Facility
from studies import keys, sealing
from studies.models import FacilityPatient, SealedObject
from studies.storage import FileStore, open_store


def store() -> FileStore:
    """The object store of this site; one for all threads of a process."""
    return _open(settings.OBJECT_STORE_URL)


class SealedWriter:
    """Writes one object: `write` as often as needed, then `commit_bytes`, then `row` in a transaction.

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

    def commit_bytes(self) -> None:
        """Make the object durable (write, fsync, rename, fsync). Raises `StorageUnavailable`."""
        self._put(self._sealer.finish())
        self._staged.commit()

    def row(self, patient: FacilityPatient | None) -> SealedObject:
        """Save and return the object's row, in the caller's transaction; again after a rollback if need be."""
        return SealedObject.objects.create(
            id=self.id,
            facility_id=self._facility_id,
            patient=patient,
            kind=self._kind,
            length=self.length,
            wrapped_key=keys.wrap_for(patient, self._key),
        )

    def discard(self) -> None:
        """Forget what is not yet durable. What is stays for the sweep: a row may name it after all."""
        self._staged.discard()

    def _put(self, sealed: bytes) -> None:
        # The header waits for the first chunk, so that making a writer never fails with a file open.
        if sealed:
            self._staged.write(self._header + sealed)
            self._header = b""


def write_once(
    facility: Facility, patient: FacilityPatient | None, kind: SealedObject.Kind, blocks: Iterable[bytes]
) -> SealedObject:
    """Seal and store `blocks` as one object and save its row. Raises `StorageUnavailable`."""
    writer = SealedWriter(facility.pk, kind)
    try:
        for block in blocks:
            writer.write(block)
        writer.commit_bytes()
    finally:
        writer.discard()
    return writer.row(patient)


def read(sealed: SealedObject, start: int = 0, length: int | None = None) -> Iterator[bytes]:
    """Return the plaintext from `start` in pieces of at most 64 KiB.

    The first piece is opened in the call itself, so that a missing or damaged object still becomes an
    answer. Raises `ObjectMissing`, `StorageUnavailable`, `sealing.Tampered`.
    """
    pieces = _pieces(sealed, start, length)
    return chain((next(pieces, b""),), pieces)


def _pieces(sealed: SealedObject, start: int, length: int | None) -> Iterator[bytes]:
    key = keys.object_key(sealed)
    with store().open(sealed.pk) as reader:
        if sealing.plain_length(reader.size) != sealed.length:
            raise sealing.Tampered("a stored object is not as long as its row says")
        yield from sealing.unseal(reader.read_at, reader.size, key, sealed.pk, sealed.facility_id, start, length)


@lru_cache(maxsize=4)
def _open(url: str) -> FileStore:
    return open_store(url)
