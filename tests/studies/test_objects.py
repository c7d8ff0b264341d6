"""Sealed objects: written once, read by range, told apart from what nobody promised."""

from __future__ import annotations

import base64
from uuid import uuid4

import pytest
from pytest_django import Settings

from accounts.models import Facility
from studies.models import FacilityPatient, SealedObject
from studies.store import damage, keys, objects, sealing
from studies.store.damage import Damaged
from studies.store.keys import KeyLost
from studies.store.objects import SealedWriter
from tests.sealed import sealed_object
from tests.studies.conftest import Files

KIND = SealedObject.Kind.PACK
BODY = bytes(range(256)) * 1024

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("files")]


@pytest.fixture
def facility() -> Facility:
    return Facility.objects.create(name="Lakeside", slug="lakeside")


@pytest.fixture
def patient(facility: Facility) -> FacilityPatient:
    wrapped_key = keys.new_patient_key()
    return FacilityPatient.objects.create(facility=facility, patient_id="P1", wrapped_key=wrapped_key)


@pytest.fixture
def sealed(facility: Facility, patient: FacilityPatient) -> SealedObject:
    return sealed_object(facility, patient, KIND, [BODY[:1000], b"", BODY[1000:]])


def test_what_was_written_is_read(sealed: SealedObject) -> None:
    again = SealedObject.objects.get(pk=sealed.pk)
    assert b"".join(objects.read(again)) == BODY
    assert again.length == len(BODY)


@pytest.mark.parametrize(("start", "length"), [(0, 1), (65_535, 2), (100_000, 162_144), (262_144, 0)])
def test_any_range_is_read(sealed: SealedObject, start: int, length: int) -> None:
    assert b"".join(objects.read(sealed, start, length)) == BODY[start : start + length]


def test_the_disk_holds_no_plaintext(sealed: SealedObject, files: Files) -> None:
    (stored,) = files("objects")
    assert BODY[:64] not in stored.read_bytes()


def test_an_empty_object_is_an_object(facility: Facility) -> None:
    assert b"".join(objects.read(sealed_object(facility, None, KIND, []))) == b""


def test_a_missing_object_is_told_in_the_call(sealed: SealedObject) -> None:
    objects.store().delete(sealed.pk)
    with pytest.raises(Damaged):
        objects.read(sealed)
    assert SealedObject.objects.exclude(damaged_at=None).get() == sealed


def test_damage_is_told_in_the_call(sealed: SealedObject, files: Files) -> None:
    (stored,) = files("objects")
    content = bytearray(stored.read_bytes())
    content[100] ^= 1
    stored.write_bytes(content)
    with pytest.raises(Damaged):
        objects.read(sealed)


def test_damage_behind_the_first_piece_is_written_down_and_ends_the_reading(
    sealed: SealedObject, files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    (stored,) = files("objects")
    content = bytearray(stored.read_bytes())
    content[100_000] ^= 1
    stored.write_bytes(content)
    pieces = objects.read(sealed)
    assert next(pieces) == BODY[:65_536]
    with pytest.raises(Damaged):
        next(pieces)
    assert f"object {sealed.pk} (pack) is damaged: bytes" in caplog.text


def test_nothing_of_an_object_known_to_be_damaged_is_served(sealed: SealedObject) -> None:
    damage.note(sealed, "bytes")
    sealed.refresh_from_db()
    with pytest.raises(Damaged):
        objects.read(sealed, 0, 10)
    with objects.Shelf() as shelf, pytest.raises(Damaged):
        shelf.read(sealed, 0, 10)


def test_a_wrong_master_key_damages_nothing(sealed: SealedObject, settings: Settings) -> None:
    settings.MASTER_KEY = base64.b64encode(bytes(range(32))).decode()
    with pytest.raises(KeyLost):
        objects.read(sealed)
    assert not SealedObject.objects.exclude(damaged_at=None).exists()


def test_a_row_read_before_its_keys_were_wrapped_anew_opens_all_the_same(
    sealed: SealedObject, patient: FacilityPatient
) -> None:
    before = SealedObject.objects.select_related("patient").get(pk=sealed.pk)
    newer = keys.new_patient_key()
    sealed.wrapped_key = sealing.wrap(keys.object_key(sealed), keys.open_by_master(newer))
    sealed.save()
    FacilityPatient.objects.filter(pk=patient.pk).update(wrapped_key=newer)
    assert b"".join(objects.read(before)) == BODY


def test_an_object_cut_at_a_chunk_does_not_fit_its_row(sealed: SealedObject) -> None:
    sealed.length -= 65_536
    with pytest.raises(Damaged):
        objects.read(sealed)


def test_an_object_moved_to_another_facility_does_not_open(sealed: SealedObject) -> None:
    sealed.facility_id = uuid4()
    with pytest.raises(Damaged):
        objects.read(sealed)


def test_what_fails_half_way_leaves_nothing(facility: Facility, files: Files) -> None:
    writer = SealedWriter(facility.pk, KIND)
    writer.write(BODY)
    assert files("staging")
    writer.discard()
    assert not files("staging")
    assert not files("objects")


def test_discarding_what_is_durable_keeps_it_for_the_sweep(facility: Facility) -> None:
    writer = SealedWriter(facility.pk, KIND)
    writer.write(BODY)
    writer.commit_bytes()
    writer.discard()
    assert b"".join(objects.read(writer.row(None))) == BODY
