"""Retries, from the start or from anywhere, by many at once: exact counts, whatever the database."""

from __future__ import annotations

from functools import partial
from uuid import UUID

import pytest

from accounts.audit import Actor
from accounts.facilities import add_facility
from studies.models import FacilityPatient, Instance, Job, Publication, SealedObject, Series, Study
from tests.at_once import at_once
from tests.factories import ct_series
from tests.studies.conftest import Files
from tests.studies.stow import Sender, module

SERIES = ct_series(5, size=16)
WORKERS = 20


def send_again_and_again(facility: Sender) -> list[tuple[int, int]]:
    """Five uploads of one study, each a little longer, as if the one before had broken off: what each said."""
    sender = Sender(facility.facility, facility.headers["Authorization"].removeprefix("Bearer "))
    answers = [sender.send(*SERIES[:count]) for count in range(1, 6)]
    return [(answer.status_code, len(module(answer).ReferencedSOPSequence)) for answer in answers]


@pytest.mark.django_db(transaction=True)
def test_twenty_workers_that_retry_store_each_instance_once(files: Files) -> None:
    lakeside = Sender(*add_facility("Lakeside", actor=Actor.operator()))
    said = at_once([partial(send_again_and_again, lakeside)] * WORKERS)
    assert said == [[(200, count) for count in range(1, 6)]] * WORKERS
    assert Instance.objects.count() == 5
    assert all(model.objects.count() == 1 for model in (Study, Series, FacilityPatient, Job))
    assert Study.objects.get().version <= 5  # grew by what was new, at most one instance at a time
    received = Publication.objects.all()
    assert sum(one.stored for one in received) == 5
    assert sum(one.repeated for one in received) == WORKERS * 15 - 5
    packs = {one.pack_id for one in Instance.objects.all()}
    assert packs == set(SealedObject.objects.values_list("pk", flat=True))
    assert packs <= {UUID(path.stem) for path in files("objects")}  # who lost a race leaves its pack to the sweep
    assert not files("staging")


@pytest.mark.django_db(transaction=True)
def test_two_facilities_with_the_same_study_at_once_never_meet(files: Files) -> None:
    lakeside = Sender(*add_facility("Lakeside", actor=Actor.operator()))
    hilltop = Sender(*add_facility("Hilltop", actor=Actor.operator()))
    said = at_once([partial(send_again_and_again, one) for one in [lakeside, hilltop] * 4])
    assert said == [[(200, count) for count in range(1, 6)]] * 8
    for facility in (lakeside.facility, hilltop.facility):
        assert Instance.objects.filter(facility=facility).count() == 5
        assert Study.objects.filter(facility=facility).count() == 1
