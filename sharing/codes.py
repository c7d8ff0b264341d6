"""Claim codes: made, tidied, checked and digested. The code itself is never stored.

A code is 12 random symbols of Crockford's 32 (60 bits) and a check symbol, printed 4-4-4-1: `K7QM-2XPA-09ZD-4`.
Its first four symbols, the selector, find the row; the other eight, the verifier, prove it.

The check symbol makes the polynomial of all 13 symbols over GF(32) vanish at a primitive element, so that every
single wrong symbol and every swap of two different neighbours is caught. `static/js/code.js` does the same.
"""

from __future__ import annotations

import base64
import functools
import hmac
import re
import secrets
import unicodedata
from hashlib import sha256
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from studies.store import masterkeys

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's 32: no I, L, O, U
RANDOM_SYMBOLS: Final = 12
LENGTH: Final = RANDOM_SYMBOLS + 1
SELECTOR_LENGTH: Final = 4

_VALUES: Final = {symbol: value for value, symbol in enumerate(ALPHABET)}
_LOOKALIKES: Final = str.maketrans("OILU", "011V")
_SEPARATORS: Final = re.compile(r"[\s\ufeff.\u00ad\u2010-\u2015\u2212-]")
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)  # OWASP's least, 40 ms
_PURPOSE: Final = "claim-code-digests"
_ABOUT: Final = b"claim code digest, version 1"
_NONCE_SIZE: Final = 12


def make() -> str:
    """A new code as it is printed."""
    symbols = "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_SYMBOLS))
    return grouped(symbols + check_symbol(symbols))


def tidy(text: str) -> str:
    """What was meant: capitals, without spaces, hyphens and dots, look-alikes replaced. Any text is taken."""
    return _SEPARATORS.sub("", unicodedata.normalize("NFKC", text).upper()).translate(_LOOKALIKES)


def grouped(symbols: str) -> str:
    """A tidied code as it is printed, in groups of four."""
    return "-".join(symbols[start : start + 4] for start in range(0, len(symbols), 4))


def is_whole(symbols: str) -> bool:
    """Whether a tidied code has 13 symbols and the last one fits."""
    return len(symbols) == LENGTH and set(symbols) <= _VALUES.keys() and _remainder(symbols) == 0


def check_symbol(symbols: str) -> str:
    """The symbol to put behind 12 others."""
    return ALPHABET[_times(_remainder(symbols))]


def selector(symbols: str) -> str:
    """The part of a tidied code that finds its row."""
    return symbols[:SELECTOR_LENGTH]


def digest(symbols: str) -> str:
    """What is stored of a tidied code: argon2id of the verifier, sealed under the master key (AES-256-GCM).

    40 bits could be searched in a stolen database; without the master key, which is not in it, they cannot. A seal
    can be renewed under another master key without knowing the code (`resealed`), which a keyed digest could not.
    """
    return _sealed(_HASHER.hash(_verifier(symbols)))


def matches(symbols: str, stored: str) -> bool:
    """Whether a tidied code has this digest. Costs one argon2 whatever the answer."""
    if is_of_old(stored):
        return _verify(stored, hmac.digest(masterkeys.current("claim-code-pepper"), _verifier(symbols), sha256))
    opened = _opened(stored)
    return _verify(opened or _nobodys(), _verifier(symbols)) and opened is not None


def resealed(stored: str) -> str | None:
    """The same digest sealed under the present master key; None when no known key opens it."""
    opened = None if is_of_old(stored) else _opened(stored)
    return opened and _sealed(opened)


def is_present(stored: str) -> bool:
    """Whether the present master key opens this digest."""
    return not is_of_old(stored) and _open(stored, masterkeys.current(_PURPOSE)) is not None


def is_of_old(stored: str) -> bool:
    """Whether it is a keyed digest, as they were before they were sealed; it ends with its master key."""
    return stored.startswith("$")


@functools.cache
def dummy_digest() -> str:
    """A digest that no code has: what a try is compared with when there is nothing to compare."""
    return _sealed(_nobodys())


@functools.cache
def _nobodys() -> str:
    return _HASHER.hash(secrets.token_bytes(32))


def _verify(digest: str, verifier: bytes) -> bool:
    try:
        return _HASHER.verify(digest, verifier)
    except VerifyMismatchError:
        return False


def _verifier(symbols: str) -> bytes:
    return symbols[SELECTOR_LENGTH:RANDOM_SYMBOLS].encode("ascii")


def _sealed(text: str) -> str:
    nonce = secrets.token_bytes(_NONCE_SIZE)
    sealed = AESGCM(masterkeys.current(_PURPOSE)).encrypt(nonce, text.encode("ascii"), _ABOUT)
    return base64.b64encode(nonce + sealed).decode("ascii")


def _opened(stored: str) -> str | None:
    texts = (_open(stored, key) for key in masterkeys.accepted(_PURPOSE))
    return next((text for text in texts if text is not None), None)


def _open(stored: str, key: bytes) -> str | None:
    sealed = base64.b64decode(stored)
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_SIZE], sealed[_NONCE_SIZE:], _ABOUT).decode("ascii")
    except InvalidTag:
        return None


def _times(value: int) -> int:
    """Multiply by x in GF(32), modulo x^5 + x^2 + 1."""
    return ((value << 1) ^ (0b100101 if value & 16 else 0)) & 31


def _remainder(symbols: str) -> int:
    """The polynomial whose coefficients are the symbols, at x (Horner)."""
    total = 0
    for symbol in symbols:
        total = _times(total) ^ _VALUES[symbol]
    return total
