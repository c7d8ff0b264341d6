"""docs/sealed-format.md is true: its vectors, and a reader written from it alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from accounts.models import Facility
from studies.models import SealedObject
from studies.store import objects, sealing
from studies.store.sealing import Sealer
from tests.cast import a_patient
from tests.sealed import sealed_object

DOCUMENT = (Path(__file__).resolve().parent.parent.parent / "docs/sealed-format.md").read_text(encoding="utf-8")
VECTORS = re.findall(r"^\| (\d+) \| (\d+) \| `([0-9a-f]{64})` \|$", DOCUMENT, re.M)
KEY, OBJECT, FACILITY = bytes(range(32)), UUID(bytes=bytes(range(16))), UUID(bytes=bytes(range(16, 32)))
PLAIN = bytes(7 * i % 256 for i in range(256)) * 800


def value(what: str) -> bytes:
    """A value of the table of keys."""
    (found,) = re.findall(rf"^\| {re.escape(what)}[^|]*\| `([0-9a-f]+)` \|$", DOCUMENT, re.M)
    return bytes.fromhex(found)


def chunks(stored: bytes) -> Iterator[bytes]:
    """The sealed chunks of an object, by the table of the document."""
    assert stored[:9] == b"LBX1\x01\x00\x01\x00\x00"
    for at in range(16, len(stored), 65_552):
        yield stored[at : at + 65_552]


def read_by_the_document(stored: bytes, key: bytes, object_id: bytes, facility_id: bytes) -> bytes:
    """The plaintext of an object, with nothing of ours."""
    sealed = list(chunks(stored))
    opened = [
        AESGCM(key).decrypt(
            stored[9:16] + number.to_bytes(4, "big") + (b"\1" if number == len(sealed) - 1 else b"\0"),
            chunk,
            object_id + facility_id,
        )
        for number, chunk in enumerate(sealed)
    ]
    return b"".join(opened)


@pytest.mark.parametrize(("size", "sealed_size", "digest"), VECTORS)
def test_every_vector_of_the_document_is_what_we_seal(
    size: str, sealed_size: str, digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "token_bytes", lambda n: bytes(range(0x40, 0x40 + n)))
    sealer = Sealer(KEY, OBJECT, FACILITY)
    stored = sealer.begin() + sealer.update(PLAIN[: int(size)]) + sealer.finish()
    assert len(stored) == int(sealed_size) == sealing.sealed_length(int(size))
    assert sha256(stored).hexdigest() == digest


def test_there_are_vectors_on_both_sides_of_every_border() -> None:
    assert {0, 65_535, 65_536, 65_537, 131_071, 131_072, 131_073} <= {int(size) for size, *_ in VECTORS}


def test_the_keys_of_the_document_are_those_we_derive_and_wrap() -> None:
    wrapping = sealing.derive(KEY, "key-wrapping")
    patient, its = bytes(range(100, 132)), bytes(range(200, 232))
    assert wrapping == value("wrapping key")
    assert sealing.wrap(patient, wrapping) == value("patient's key")
    assert sealing.wrap(its, patient) == value("object's key")


@given(st.sampled_from([0, 1, 65_535, 65_536, 65_537, 131_072, 200_000]))
def test_a_reader_written_from_the_document_reads_what_we_seal(size: int) -> None:
    sealer = Sealer(KEY, OBJECT, FACILITY)
    stored = sealer.begin() + sealer.update(PLAIN[:size]) + sealer.finish()
    assert read_by_the_document(stored, KEY, OBJECT.bytes, FACILITY.bytes) == PLAIN[:size]


def test_it_refuses_chunks_in_another_order() -> None:
    sealer = Sealer(KEY, OBJECT, FACILITY)
    stored = sealer.begin() + sealer.update(PLAIN) + sealer.finish()
    first, second, *rest = chunks(stored)
    with pytest.raises(InvalidTag):
        read_by_the_document(stored[:16] + second + first + b"".join(rest), KEY, OBJECT.bytes, FACILITY.bytes)


@pytest.mark.django_db
@pytest.mark.usefixtures("files")
def test_a_stored_object_is_read_from_its_file_its_rows_and_the_master_key_alone(settings: Settings) -> None:
    """The way somebody goes who has a backup and its passphrase, and not this program."""
    patient = a_patient(Facility.objects.create(name="Lakeside", slug="lakeside"))
    for owner in (patient, None):
        sealed = sealed_object(patient.facility, owner, SealedObject.Kind.PACK, [PLAIN])
        row = SealedObject.objects.values("id", "facility_id", "wrapped_key").get(pk=sealed.pk)
        info = b"lightbox key-wrapping"
        master = sealing.read_master_key(settings.MASTER_KEY)
        above = HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(master)
        if owner:
            above = aes_key_unwrap(above, bytes(owner.wrapped_key))
        key = aes_key_unwrap(above, bytes(row["wrapped_key"]))
        name = row["id"].hex
        stored = (objects.store().root / "objects" / name[:2] / f"{name}.lbx").read_bytes()
        assert read_by_the_document(stored, key, row["id"].bytes, row["facility_id"].bytes) == PLAIN
