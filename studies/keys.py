"""Which key opens what: the master key wraps each patient's key, hers wraps those of her objects.

Destroying `FacilityPatient.wrapped_key` therefore shreds all her objects at once, and a new master key
means wrapping the patients' keys anew, not sealing a single object again.
"""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings

from studies import sealing
from studies.models import FacilityPatient, SealedObject


def new_patient_key() -> bytes:
    """Return a new patient's key, wrapped: the value of `FacilityPatient.wrapped_key`."""
    return sealing.wrap(sealing.new_key(), _wrapping_key())


def patient_key(patient: FacilityPatient) -> bytes:
    """Return the key that wraps this patient's object keys. Raises `sealing.Tampered`."""
    return sealing.unwrap(bytes(patient.wrapped_key), _wrapping_key())


def object_key(sealed: SealedObject) -> bytes:
    """Return the key that opens this object. Raises `sealing.Tampered`."""
    return sealing.unwrap(bytes(sealed.wrapped_key), _key_above(sealed.patient))


def wrap_for(patient: FacilityPatient | None, key: bytes) -> bytes:
    """Wrap an object's key by its patient's, or by the master key where no patient is known."""
    return sealing.wrap(key, _key_above(patient))


def _key_above(patient: FacilityPatient | None) -> bytes:
    return patient_key(patient) if patient else _wrapping_key()


def _wrapping_key() -> bytes:
    return _derived(settings.MASTER_KEY)


@lru_cache(maxsize=2)
def _derived(master: str) -> bytes:
    # One purpose, one key: the master key itself encrypts nothing.
    return sealing.derive(sealing.read_master_key(master), "key-wrapping")
