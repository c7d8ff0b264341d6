"""Other keys above the same objects: what the old one wraps is wrapped by the new one, bytes stay as they are.

Everything here can be killed at any moment and run again: rows that are done are passed over. The site goes on
meanwhile, for readers take what either key opens and writers wrap by the newest (see `studies.store.keys`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from studies.models import FacilityPatient, SealedObject
from studies.store import keys, masterkeys, sealing
from studies.store.keys import KeyLost

BATCH: Final = 200

Row = TypeVar("Row", FacilityPatient, SealedObject)


@dataclass
class Tally:
    """How many keys were looked at, wrapped anew, and not opened by any key that is known."""

    seen: int = 0
    renewed: int = 0
    unopened: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.seen + other.seen, self.renewed + other.renewed, self.unopened + other.unopened)


Report = Callable[[Tally], None]
"""Told after each batch how far it is."""


def patients_by_master(report: Report) -> Tally:
    """Wrap every patient's key by the present master key."""
    return _by_master(FacilityPatient.objects.all(), report)


def objects_by_master(report: Report) -> Tally:
    """The same for objects of nobody: those set aside, and reports that wait for their study."""
    return _by_master(SealedObject.objects.filter(patient=None), report)


def patient_keys(report: Report, after: UUID | None = None, done: Callable[[UUID], None] = lambda pk: None) -> Tally:
    """Give every patient another key, and wrap her objects' keys by it; one transaction each, in order of their ids.

    `done` is told the id of each patient who has hers; `after` goes on behind that one.
    """
    tally = Tally()
    for batch in _batches(FacilityPatient.objects.all(), after):
        for patient in batch:
            tally += _renew(patient.pk)
            done(patient.pk)
        report(tally)
    return tally


def _by_master(rows: QuerySet[Row], report: Report) -> Tally:
    tally = Tally()
    for batch in _batches(rows):
        with transaction.atomic():
            for row in batch:
                tally += _rewrap(row)
        report(tally)
    return tally


def _rewrap(row: FacilityPatient | SealedObject) -> Tally:
    wrapped = bytes(row.wrapped_key)
    with suppress(KeyLost):
        keys.unwrap(wrapped, masterkeys.current(masterkeys.WRAPPING))
        return Tally(1)
    try:
        anew = keys.wrap_by_master(keys.open_by_master(wrapped))
    except KeyLost:
        return Tally(1, unopened=1)
    # On one condition: whoever has erased or renewed it meanwhile was later, and stays right.
    type(row).objects.filter(pk=row.pk, wrapped_key=wrapped).update(wrapped_key=anew)
    return Tally(1, renewed=1)


def _renew(pk: UUID) -> Tally:
    """Another key for one patient. Her row is locked against whoever is about to wrap by the old one."""
    with transaction.atomic():
        patient = FacilityPatient.objects.select_for_update().filter(pk=pk).exclude(wrapped_key=b"").first()
        if patient is None:
            return Tally()
        try:
            old, new = keys.patient_key(patient), sealing.new_key()
        except KeyLost:
            return Tally(1, unopened=1)
        unopened = _rewrap_objects(patient, old, new)
        FacilityPatient.objects.filter(pk=pk).update(wrapped_key=keys.wrap_by_master(new))
    return Tally(1, renewed=1, unopened=unopened)


def _rewrap_objects(patient: FacilityPatient, old: bytes, new: bytes) -> int:
    """Wrap all keys below a patient's by her new one; return how many the old one does not open: they are damaged."""
    unopened = 0
    for batch in _batches(SealedObject.objects.filter(patient=patient)):
        opened = []
        for sealed in batch:
            try:
                sealed.wrapped_key = sealing.wrap(keys.unwrap(bytes(sealed.wrapped_key), old), new)
                opened.append(sealed)
            except KeyLost:
                unopened += 1
        SealedObject.objects.bulk_update(opened, ["wrapped_key"])
    return unopened


def _batches(rows: QuerySet[Row], after: UUID | None = None) -> Iterator[list[Row]]:
    """All rows that have a key, some at a time, in order of their ids."""
    keyed = rows.exclude(wrapped_key=b"").only("wrapped_key").order_by("pk")
    while batch := list((keyed.filter(pk__gt=after) if after else keyed)[:BATCH]):
        yield batch
        after = batch[-1].pk
