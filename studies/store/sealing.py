"""Seal stored objects, so that whoever holds the disk, the bucket or a backup holds nothing.

A sealed object is a header and a row of chunks:

    header   b"LBX1" | version (1 byte) | chunk size (4 bytes, big-endian) | nonce prefix (7 random bytes)
    chunk    AES-256-GCM of 64 KiB of plaintext (the last one may be shorter), its 16-byte tag behind it
    nonce    nonce prefix | chunk number (4 bytes, big-endian) | 1 for the last chunk, else 0
    AAD      object id | facility id

The number in the nonce catches swapped chunks, the mark of the last one a tail cut off or put on, and the AAD
an object put in the place of another one or of another facility's. This is the STREAM construction (Hoang,
Reyhanitabar, Rogaway, Vizár, "Online authenticated-encryption and its nonce-reuse misuse-resistance", 2015).
Every object has a key of its own, so no nonce can meet its key twice.

Nothing here touches a file or a row: bytes go in, bytes come out.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Iterator
from secrets import token_bytes
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

KEY_SIZE: Final = 32
CHUNK_SIZE: Final = 64 * 1024
TAG_SIZE: Final = 16
PREFIX_SIZE: Final = 7
SEALED_CHUNK_SIZE: Final = CHUNK_SIZE + TAG_SIZE

# Version 1 knows one chunk size. It stands in the header all the same, for the version that knows another.
_HEADER_START: Final = struct.pack(">4sBI", b"LBX1", 1, CHUNK_SIZE)
HEADER_SIZE: Final = len(_HEADER_START) + PREFIX_SIZE

# 32 random bytes hold about 30 different ones; fewer than 16 is a placeholder or a pattern typed by hand.
_LEAST_DIFFERENT_BYTES: Final = 16
_HOW_TO_MAKE_ONE: Final = "Make one with: head -c 32 /dev/urandom | base64"

ReadAt = Callable[[int, int], bytes]
"""``read_at(offset, n)``: up to ``n`` bytes from ``offset``; fewer only at the end of the object."""


class Tampered(Exception):
    """What was stored is not what was sealed: changed, cut, moved, or sealed by another key.

    No plaintext of the chunk in question has left. Retrying does not help; restore the object from a backup.
    """


class KeyRefused(ValueError):
    """The text is no key. The message is a sentence for the operator and never repeats the text."""


class Sealer:
    """Seal one object while it streams by, holding one chunk at most between calls.

    ``begin()`` gives the header, ``update(plain)`` the ciphertext that is ready, ``finish()`` the rest; one
    after the other they are the sealed object. The key must be new: one key, one object, one sealer.
    """

    def __init__(self, key: bytes, object_id: UUID, facility_id: UUID) -> None:
        self._prefix = token_bytes(PREFIX_SIZE)
        self._chunks = _Chunks(key, self._prefix, object_id, facility_id)
        self._pending = bytearray()
        self._sealed_chunks = 0
        self.finished = False
        self.length = 0
        """Plaintext bytes taken so far."""

    def begin(self) -> bytes:
        return _HEADER_START + self._prefix

    def update(self, plain: bytes | bytearray | memoryview) -> bytes | bytearray:
        """Take ``plain`` and return the chunks that it completes (often none).

        A full chunk waits for the next byte: only then is it known not to be the last.
        """
        self._refuse_if_finished()
        self.length += len(plain)
        room = CHUNK_SIZE - len(self._pending)
        if len(plain) <= room:
            self._pending += plain
            return b""
        return self._seal_all(memoryview(plain), room)

    def finish(self) -> bytearray:
        """Return the last chunk, which says that it is the last. An empty object has one empty chunk."""
        self._refuse_if_finished()
        self.finished = True
        sealed = bytearray(len(self._pending) + TAG_SIZE)
        self._seal(self._pending, memoryview(sealed), last=True)
        return sealed

    def _seal_all(self, plain: memoryview, room: int) -> bytearray:
        """Seal what waited, filled up to a whole chunk, and all but the last chunk of the rest."""
        count = (len(plain) - room + CHUNK_SIZE - 1) // CHUNK_SIZE
        sealed = bytearray(count * SEALED_CHUNK_SIZE)
        into = memoryview(sealed)
        self._pending += plain[:room]
        self._seal(self._pending, into[:SEALED_CHUNK_SIZE])
        for number in range(1, count):
            chunk = plain[room : room + CHUNK_SIZE]
            self._seal(chunk, into[number * SEALED_CHUNK_SIZE : (number + 1) * SEALED_CHUNK_SIZE])
            room += CHUNK_SIZE
        self._pending = bytearray(plain[room:])
        return sealed

    def _seal(self, plain: bytearray | memoryview, into: memoryview, *, last: bool = False) -> None:
        self._chunks.seal(self._sealed_chunks, plain, into, last=last)
        self._sealed_chunks += 1

    def _refuse_if_finished(self) -> None:
        # A second last chunk would be a second end: the reader could be given either.
        if self.finished:
            raise RuntimeError("this sealer has finished; the next object needs a new key and a new Sealer")


def unseal(
    read_at: ReadAt,
    sealed_size: int,
    key: bytes,
    object_id: UUID,
    facility_id: UUID,
    start: int = 0,
    length: int | None = None,
) -> Iterator[bytes]:
    """Return plaintext bytes ``start`` to ``start + length`` (default: the end) in pieces of a chunk or less.

    ``sealed_size`` is the recorded size of the object in bytes. Size, range and header are checked in the
    call itself, so that a wrong one still becomes an answer; every chunk is checked before its first byte is
    given out. Raises ``Tampered``, or ``ValueError`` for a negative ``start`` or ``length``.
    """
    plain_size = plain_length(sealed_size)
    end = plain_size if length is None else start + length
    if start < 0 or (length is not None and length < 0):
        raise ValueError(f"a range cannot start at {start} and be {length} bytes long")
    if not start <= end <= plain_size:
        raise Tampered(f"bytes {start} to {end} were asked of an object that holds {plain_size}")
    chunks = _Chunks(key, _read_prefix(read_at), object_id, facility_id)
    return _unseal(chunks, read_at, sealed_size, start, end)


def plain_length(sealed_size: int) -> int:
    """Return how many plaintext bytes ``sealed_size`` bytes hold; ``Tampered`` for an impossible size."""
    whole, rest = divmod(sealed_size - HEADER_SIZE, SEALED_CHUNK_SIZE)
    plain = whole * CHUNK_SIZE + max(rest - TAG_SIZE, 0)
    if sealed_length(plain) != sealed_size:
        raise Tampered(f"no sealed object is {sealed_size} bytes long")
    return plain


def sealed_length(plain_size: int) -> int:
    """Return the size in bytes of an object with ``plain_size`` bytes sealed in it."""
    chunks = max(-(-plain_size // CHUNK_SIZE), 1)
    return HEADER_SIZE + plain_size + chunks * TAG_SIZE


def new_key() -> bytes:
    """Return 32 random bytes: a key for one object, or one to wrap other keys."""
    return token_bytes(KEY_SIZE)


def wrap(key: bytes, kek: bytes) -> bytes:
    """Return ``key`` encrypted by the key-encrypting key ``kek``: 40 bytes (RFC 3394)."""
    return aes_key_wrap(_whole(kek), _whole(key))


def unwrap(wrapped: bytes, kek: bytes) -> bytes:
    """Return the key in ``wrapped``. Raises ``Tampered`` when it was changed or wrapped by another key."""
    try:
        return aes_key_unwrap(_whole(kek), wrapped)
    except InvalidUnwrap:
        raise Tampered(
            "a wrapped key does not open: it was changed, or MASTER_KEY is not the one it was wrapped with"
        ) from None


def derive(master: bytes, purpose: str) -> bytes:
    """Return the 32-byte key for ``purpose``, the same each time (HKDF-SHA256, RFC 5869).

    Keys of two purposes tell nothing of each other or of ``master``.
    """
    info = b"lightbox " + purpose.encode()
    return HKDF(algorithm=SHA256(), length=KEY_SIZE, salt=None, info=info).derive(_whole(master))


def read_master_key(text: str) -> bytes:
    """Return the 32 bytes that ``text`` holds in base64, white space around it ignored; or ``KeyRefused``."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except ValueError:
        raise KeyRefused(f"MASTER_KEY is not base64. {_HOW_TO_MAKE_ONE}") from None
    if len(key) != KEY_SIZE:
        raise KeyRefused(f"MASTER_KEY holds {len(key)} bytes and must hold {KEY_SIZE}. {_HOW_TO_MAKE_ONE}")
    if len(set(key)) < _LEAST_DIFFERENT_BYTES:
        raise KeyRefused(f"MASTER_KEY repeats itself like a placeholder. {_HOW_TO_MAKE_ONE}")
    return key


class _Chunks:
    """The chunks of one object, each sealed or opened by its number alone: that makes ranges cheap."""

    def __init__(self, key: bytes, prefix: bytes, object_id: UUID, facility_id: UUID) -> None:
        self._cipher = AESGCM(_whole(key))
        self._prefix = prefix
        self._aad = object_id.bytes + facility_id.bytes

    def seal(self, number: int, plain: bytearray | memoryview, into: memoryview, *, last: bool) -> None:
        self._cipher.encrypt_into(self._nonce(number, last), plain, self._aad, into)

    def open(self, number: int, sealed: bytes, *, last: bool) -> bytes:
        try:
            return self._cipher.decrypt(self._nonce(number, last), sealed, self._aad)
        except InvalidTag:
            raise Tampered(f"chunk {number} of a stored object is not what was sealed") from None

    def _nonce(self, number: int, last: bool) -> bytes:
        return self._prefix + number.to_bytes(4, "big") + bytes([last])


def _unseal(chunks: _Chunks, read_at: ReadAt, sealed_size: int, start: int, end: int) -> Iterator[bytes]:
    final = max(plain_length(sealed_size) - 1, 0) // CHUNK_SIZE
    # An empty object has a chunk too, and is only called empty when that is genuine.
    until = min(max(end - 1, start) // CHUNK_SIZE, final)
    for number in range(start // CHUNK_SIZE, until + 1):
        at = HEADER_SIZE + number * SEALED_CHUNK_SIZE
        sealed = read_at(at, min(SEALED_CHUNK_SIZE, sealed_size - at))
        plain = chunks.open(number, sealed, last=number == final)
        base = number * CHUNK_SIZE
        if piece := plain[max(start - base, 0) : end - base]:
            yield piece


def _read_prefix(read_at: ReadAt) -> bytes:
    header = read_at(0, HEADER_SIZE)
    if len(header) != HEADER_SIZE or not header.startswith(_HEADER_START):
        raise Tampered("a stored object does not begin like one sealed by this version")
    return header[len(_HEADER_START) :]


def _whole(key: bytes) -> bytes:
    """Refuse short keys here: AES itself would take 16 bytes and quietly seal with half the strength."""
    if len(key) != KEY_SIZE:
        raise ValueError(f"a key has {KEY_SIZE} bytes, not {len(key)}")
    return key
