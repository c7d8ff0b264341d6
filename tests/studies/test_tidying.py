from __future__ import annotations

import os
import time
from uuid import UUID, uuid4

import pytest

from accounts.models import Facility
from studies.models import SealedObject
from studies.store import objects, tidying
from studies.store.objects import SealedWriter


@pytest.fixture
def facility(db: None) -> Facility:
    return Facility.objects.create(name="Lakeside", slug="lakeside")


@pytest.fixture(autouse=True)
def _own_store(settings: pytest.MonkeyPatch, tmp_path: os.PathLike[str]) -> None:
    settings.OBJECT_STORE_URL = f"file://{tmp_path}"  # type: ignore[attr-defined]


def stored(facility: Facility) -> SealedWriter:
    writer = SealedWriter(facility.pk, SealedObject.Kind.PACK)
    writer.write(b"x")
    writer.commit_bytes()
    return writer


def grow_old(hours: float) -> None:
    then = time.time() - hours * 3600
    for path in objects.store().root.glob("objects/*/*"):
        os.utime(path, (then, then))


def kept() -> set[UUID]:
    return set(objects.store().names())


def test_an_object_that_no_row_names_is_removed_after_a_day(facility: Facility) -> None:
    orphan, named = stored(facility), stored(facility)
    named.row(None)
    grow_old(hours=23)
    assert tidying.tidy() == 0
    grow_old(hours=25)
    assert tidying.tidy() == 1
    assert (orphan.id in kept(), named.id in kept()) == (False, True)


def test_an_object_just_stored_is_left_to_its_request(facility: Facility) -> None:
    fresh = stored(facility)
    assert tidying.tidy() == 0
    assert fresh.id in kept()


def test_a_half_written_object_is_removed_when_it_has_not_grown_for_an_hour(facility: Facility) -> None:
    staged = objects.store().stage(uuid4())
    staged.write(b"x" * 100)
    grow_old(hours=0.9)
    assert tidying.tidy() == 0
    grow_old(hours=1.1)
    assert tidying.tidy() == 1
    staged.discard()


def test_many_names_are_looked_up_in_batches(facility: Facility, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tidying, "BATCH", 2)
    named = [stored(facility) for _ in range(3)]
    for writer in named:
        writer.row(None)
    stored(facility)
    grow_old(hours=25)
    assert tidying.tidy() == 1
    assert kept() == {writer.id for writer in named}
