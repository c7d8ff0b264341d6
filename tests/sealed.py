"""Sealed objects for tests that need any."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from accounts.models import Facility
from studies.models import FacilityPatient, SealedObject
from studies.store.objects import SealedWriter


def sealed_object(
    facility: Facility, patient: FacilityPatient | None, kind: SealedObject.Kind, blocks: Iterable[bytes]
) -> SealedObject:
    """An object of these bytes in the store, with its row."""
    writer = SealedWriter(facility.pk, kind)
    for block in blocks:
        writer.write(block)
    writer.commit_bytes()
    with transaction.atomic():
        return writer.row(patient)
