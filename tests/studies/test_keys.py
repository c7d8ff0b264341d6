"""Which key opens what."""

from __future__ import annotations

import base64
from uuid import uuid4

import pytest
from pytest_django import Settings

from accounts.models import Facility
from studies import keys, sealing
from studies.models import FacilityPatient, SealedObject
from studies.sealing import Tampered

OTHER_MASTER = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def patient() -> FacilityPatient:
    return FacilityPatient(facility=Facility(), patient_id="P1", wrapped_key=keys.new_patient_key())


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
    sealed.patient = FacilityPatient(facility=Facility(), wrapped_key=keys.new_patient_key())
    with pytest.raises(Tampered):
        keys.object_key(sealed)


def test_each_patient_has_a_key_of_her_own(patient: FacilityPatient) -> None:
    other = FacilityPatient(facility=Facility(), wrapped_key=keys.new_patient_key())
    assert keys.patient_key(patient) != keys.patient_key(other)


def test_another_master_key_opens_nothing(patient: FacilityPatient, settings: Settings) -> None:
    settings.MASTER_KEY = OTHER_MASTER
    with pytest.raises(Tampered, match="MASTER_KEY"):
        keys.patient_key(patient)


def test_the_master_key_itself_wraps_nothing(patient: FacilityPatient, settings: Settings) -> None:
    master = sealing.read_master_key(settings.MASTER_KEY)
    with pytest.raises(Tampered):
        sealing.unwrap(bytes(patient.wrapped_key), master)
