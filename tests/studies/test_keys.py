"""Which key opens what."""

from __future__ import annotations

import base64
from pathlib import Path
from uuid import uuid4

import pytest
from pytest_django import Settings

from accounts.models import Facility
from studies.models import FacilityPatient, SealedObject
from studies.store import keys, masterkeys, sealing
from studies.store.keys import Erased, KeyLost
from studies.store.sealing import Tampered
from tests.cast import a_patient

OTHER_MASTER = base64.b64encode(bytes(range(32))).decode()


pytestmark = pytest.mark.django_db


@pytest.fixture
def facility() -> Facility:
    return Facility.objects.create(name="Lakeside", slug="lakeside")


@pytest.fixture
def patient(facility: Facility) -> FacilityPatient:
    return a_patient(facility)


def sealed_for(patient: FacilityPatient | None, key: bytes) -> SealedObject:
    return SealedObject(id=uuid4(), patient=patient, wrapped_key=keys.wrap_for(patient, key))


def test_an_object_key_comes_back_by_its_patient(patient: FacilityPatient) -> None:
    key = sealing.new_key()
    assert keys.object_key(sealed_for(patient, key)) == key


def test_an_object_of_nobody_is_opened_by_the_master_key() -> None:
    key = sealing.new_key()
    assert keys.object_key(sealed_for(None, key)) == key


def test_another_patients_key_does_not_open_it(patient: FacilityPatient) -> None:
    sealed = sealed_for(patient, sealing.new_key())
    sealed.patient = a_patient(patient.facility)
    with pytest.raises(KeyLost):
        keys.object_key(sealed)


def test_each_patient_has_a_key_of_her_own(patient: FacilityPatient) -> None:
    assert keys.patient_key(patient) != keys.patient_key(a_patient(patient.facility))


def test_another_master_key_opens_nothing(patient: FacilityPatient, settings: Settings) -> None:
    settings.MASTER_KEY = OTHER_MASTER
    with pytest.raises(KeyLost, match="MASTER_KEY"):
        keys.patient_key(patient)


def test_a_former_master_key_opens_and_wraps_nothing_new(patient: FacilityPatient, settings: Settings) -> None:
    former = settings.MASTER_KEY
    settings.MASTER_KEY, settings.MASTER_KEY_FALLBACKS = OTHER_MASTER, [former]
    assert len(keys.patient_key(patient)) == 32
    newer = keys.new_patient_key()
    settings.MASTER_KEY_FALLBACKS = []
    assert len(keys.open_by_master(newer)) == 32


def test_the_master_key_itself_wraps_nothing(patient: FacilityPatient, settings: Settings) -> None:
    master = sealing.read_master_key(settings.MASTER_KEY)
    with pytest.raises(Tampered):
        sealing.unwrap(bytes(patient.wrapped_key), master)


def test_a_key_file_replaced_while_the_site_runs_counts_at_once(
    patient: FacilityPatient, settings: Settings, tmp_path: Path
) -> None:
    own = settings.MASTER_KEY_OWN_FILE = tmp_path / "master.key"
    own.write_text(settings.MASTER_KEY)
    settings.MASTER_KEY_STAMP = masterkeys.stamp_of(own)
    own.rename(tmp_path / "master.key.former")
    (tmp_path / "next").write_text(OTHER_MASTER + "\n")
    (tmp_path / "next").rename(own)
    assert masterkeys.present() == OTHER_MASTER
    assert len(keys.patient_key(patient)) == 32
    (tmp_path / "master.key.former").unlink()
    with pytest.raises(KeyLost):
        keys.patient_key(patient)


def test_an_object_is_wrapped_by_the_key_its_patient_has_now(patient: FacilityPatient) -> None:
    key, before = sealing.new_key(), FacilityPatient.objects.get(pk=patient.pk)
    FacilityPatient.objects.filter(pk=patient.pk).update(wrapped_key=keys.new_patient_key())
    wrapped = keys.wrap_for(before, key)
    patient.refresh_from_db()
    assert sealing.unwrap(wrapped, keys.patient_key(patient)) == key


def test_an_erased_patient_opens_and_wraps_nothing(patient: FacilityPatient) -> None:
    sealed = sealed_for(patient, sealing.new_key())
    sealed.patient = patient
    patient.wrapped_key = b""
    patient.save()
    with pytest.raises(Erased):
        keys.object_key(sealed)
    with pytest.raises(Erased):
        keys.wrap_for(patient, sealing.new_key())


def test_a_patient_published_again_has_a_key_again_that_opens_nothing_old(patient: FacilityPatient) -> None:
    sealed = sealed_for(patient, sealing.new_key())
    patient.wrapped_key = b""
    patient.save()
    keys.renew_if_erased(patient)
    renewed = FacilityPatient.objects.get(pk=patient.pk)
    assert keys.patient_key(renewed) == keys.patient_key(patient)
    keys.renew_if_erased(patient)
    assert bytes(patient.wrapped_key) == bytes(renewed.wrapped_key)
    sealed.patient = renewed
    with pytest.raises(KeyLost):
        keys.object_key(sealed)
