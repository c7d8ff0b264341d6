"""Which key opens what: the master key wraps each patient's key, hers wraps those of her objects.

Destroying `FacilityPatient.wrapped_key` therefore shreds all her objects at once, and another master or patient key
means wrapping keys anew (`studies.store.rewrapping`), not sealing a single object again. No opened key outlives the
call that asked for it: what is shredded or wrapped anew counts from the next read on, in every process.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from accounts.errors import PortalError
from accounts.rows import fetch, locking
from studies.models import FacilityPatient, SealedObject
from studies.store import masterkeys, sealing
from studies.store.sealing import Tampered

_PRESENT = "SELECT patient.wrapped_key FROM studies_facilitypatient patient WHERE patient.id = %s"
_ALL_PRESENT = """
    SELECT patient.id, patient.wrapped_key FROM studies_facilitypatient patient WHERE patient.id IN %s
    ORDER BY patient.id
"""


class Erased(PortalError):
    """The key was destroyed at the facility's request: nobody can read this again, us included."""

    status, code = 410, "erased"
    message = _("These images were erased at the facility's request.")
    hint = _("Ask the facility if you need them: it may still have the originals.")


class KeyLost(Tampered):
    """A wrapped key does not open. Says nothing of the object it belongs to, which may be whole."""


def new_patient_key() -> bytes:
    """Return a new patient's key, wrapped: the value of `FacilityPatient.wrapped_key`."""
    return wrap_by_master(sealing.new_key())


def patient_key(patient: FacilityPatient) -> bytes:
    """Return the key that wraps this patient's object keys. Raises `Erased`, `KeyLost`."""
    return open_by_master(bytes(patient.wrapped_key))


def object_key(sealed: SealedObject) -> bytes:
    """Return the key that opens this object. Raises `Erased`, `KeyLost`.

    A row read before its keys were wrapped anew is read again, so that rotation disturbs nobody who is reading.
    """
    try:
        return opened(sealed)
    except KeyLost:
        fresh = SealedObject.objects.select_related("patient").filter(pk=sealed.pk).first()
        if fresh is None:
            raise
        return opened(fresh)


def opened(sealed: SealedObject) -> bytes:
    """Return the key that opens this object by exactly these rows. Raises `Erased`, `KeyLost`."""
    wrapped = bytes(sealed.wrapped_key)
    if sealed.patient is None:
        return open_by_master(wrapped)
    return unwrap(wrapped, patient_key(sealed.patient))


def wrap_for(patient: FacilityPatient | None, key: bytes) -> bytes:
    """Wrap an object's key by its patient's, or by the master key where no patient is known. Raises `Erased`.

    Call it in the transaction that saves the result: her row is locked and read anew, for a key wrapped by one that
    was replaced or destroyed meanwhile would never open again.
    """
    if patient is None:
        return wrap_by_master(key)
    (wrapped,) = fetch(_PRESENT + locking("patient"), patient.pk)[0]
    return sealing.wrap(key, open_by_master(bytes(wrapped)))


def hold(patients: Collection[FacilityPatient]) -> None:
    """Keep these rows, read in this transaction, as they are until it ends, with the keys they have now.

    Where a transaction has the whole database nothing can have changed since they were read.
    """
    if patients and (locked := locking("patient")):
        present: dict[UUID, bytes] = dict(fetch(_ALL_PRESENT + locked, [patient.pk for patient in patients]))
        for patient in patients:
            patient.wrapped_key = present[patient.pk]


def wrap_for_held(patient: FacilityPatient | None, key: bytes) -> bytes:
    """Wrap an object's key by that of a patient who is held by `hold`. Raises `Erased`."""
    return wrap_by_master(key) if patient is None else sealing.wrap(key, patient_key(patient))


def renew_if_erased(patient: FacilityPatient) -> None:
    """Give a patient who was erased a new key, for her facility publishes of her again; in its transaction."""
    if not patient.wrapped_key:
        patient.wrapped_key = new_patient_key()
        FacilityPatient.objects.filter(pk=patient.pk, wrapped_key=b"").update(wrapped_key=patient.wrapped_key)


def wrap_by_master(key: bytes) -> bytes:
    """Wrap by the present master key."""
    return sealing.wrap(key, masterkeys.current(masterkeys.WRAPPING))


def open_by_master(wrapped: bytes) -> bytes:
    """Open by the present master key or a former one. Raises `Erased`, `KeyLost`."""
    for kek in masterkeys.accepted(masterkeys.WRAPPING):
        with suppress(KeyLost):
            return unwrap(wrapped, kek)
    raise KeyLost("a wrapped key does not open: it was changed, or MASTER_KEY is not the one it was wrapped with")


def unwrap(wrapped: bytes, kek: bytes) -> bytes:
    """Open one wrapped key by exactly this one. Raises `Erased`, `KeyLost`."""
    if not wrapped:
        raise Erased
    try:
        return sealing.unwrap(wrapped, kek)
    except Tampered as error:
        raise KeyLost(str(error)) from None
