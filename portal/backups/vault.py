"""The keys of a backup, sealed with a passphrase: scrypt makes a key of it, AES-256-GCM seals with that.

Whoever finds the folder without the passphrase has sealed objects and a database without any key. Besides the keys the
digests of the database and of the list of objects are sealed, so that neither can be exchanged unnoticed.
"""

from __future__ import annotations

import base64
import hashlib
import json
from secrets import token_bytes
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from portal.backups.errors import BackupRefused

COST: Final = {"n": 2**17, "r": 8, "p": 1}
"""scrypt's measure (RFC 7914): 128 MiB and about half a second."""
MOST_N: Final = 2**20
LEAST: Final = 12  # characters of a passphrase
_ABOUT: Final = b"lightbox backup keys, version 1"
_SALT, _NONCE = 16, 12


def seal(secrets: dict[str, Any], passphrase: str) -> str:
    """The content of `keys.sealed`. Raises BackupRefused for a passphrase that is too short."""
    if len(passphrase) < LEAST:
        raise BackupRefused(f"The passphrase has fewer than {LEAST} characters.", "Take several words.")
    salt, nonce = token_bytes(_SALT), token_bytes(_NONCE)
    sealed = AESGCM(_key(passphrase, salt, **COST)).encrypt(nonce, json.dumps(secrets).encode(), _ABOUT)
    told = {"kdf": "scrypt", **COST, "salt": _text(salt), "nonce": _text(nonce), "sealed": _text(sealed)}
    return json.dumps(told, indent=1)


def open_sealed(content: str | bytes, passphrase: str) -> dict[str, Any]:
    """What was sealed. Raises BackupRefused for another passphrase, or for a file that was changed."""
    try:
        told = json.loads(content)
        n, r, p = (int(told[name]) for name in ("n", "r", "p"))
        salt, nonce, sealed = (base64.b64decode(told[name]) for name in ("salt", "nonce", "sealed"))
    except (ValueError, KeyError, TypeError):
        raise BackupRefused("The file of keys is damaged.", "Take an earlier snapshot with --snapshot.") from None
    if not (_is_measure(n, r, p) and len(salt) == _SALT and len(nonce) == _NONCE):
        raise BackupRefused("The file of keys was changed.", "Take an earlier snapshot with --snapshot.")
    try:
        opened = AESGCM(_key(passphrase, salt, n=n, r=r, p=p)).decrypt(nonce, sealed, _ABOUT)
    except InvalidTag:
        raise BackupRefused(
            "The passphrase does not open the keys of this backup.",
            "It is the one given when the backup was made. Without it nothing can be read again.",
        ) from None
    secrets: dict[str, Any] = json.loads(opened)
    return secrets


def _is_measure(n: int, r: int, p: int) -> bool:
    """Whether scrypt takes these, and not more than half a gigabyte for them (128 bytes for each of n times r)."""
    return 2 <= n <= MOST_N and n.bit_count() == 1 and 1 <= r <= 16 and n * r <= MOST_N * 4 and 1 <= p <= 4


def _key(passphrase: str, salt: bytes, *, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(passphrase.encode(), salt=salt, n=n, r=r, p=p, maxmem=256 * n * r + 2**20, dklen=32)


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")
