"""The scrub: every flipped bit is found within its cycle, and none is served before."""

from __future__ import annotations

import random
from hashlib import sha256
from pathlib import Path

import pytest
from django.utils import timezone

from accounts.models import Facility
from studies import catalog, intake, jobs, pipeline
from studies.models import FacilityPatient, Instance, Rendition, SealedObject, Study
from studies.store import damage, keys, objects, scrub, sealing
from studies.store.damage import Damaged
from studies.store.disk import Disk
from tests import factories
from tests.cast import a_patient
from tests.conftest import Clock
from tests.sealed import sealed_object

KIND = SealedObject.Kind.PACK

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("files")]


@pytest.fixture
def facility() -> Facility:
    return Facility.objects.create(name="Lakeside", slug="lakeside")


@pytest.fixture
def patient(facility: Facility) -> FacilityPatient:
    return a_patient(facility)


def flip(path: Path, rng: random.Random) -> None:
    """Change one random bit of a file."""
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def file_of(sealed: SealedObject) -> Path:
    return objects.store().root / "objects" / sealed.pk.hex[:2] / f"{sealed.pk.hex}.lbx"


def published(facility: Facility, count: int = 2) -> Study:
    """A study that is ready."""
    intake.publish(facility, [[file] for file in factories.ct_series(count)])
    study = Study.objects.get(facility=facility, study_uid=factories.uid(1))
    pipeline.advance(study.pk, at_once=True)
    return study


def damaged() -> set[SealedObject]:
    return set(SealedObject.objects.exclude(damaged_at=None))


def test_of_300_objects_all_100_with_a_flipped_bit_are_found_and_none_is_served(
    facility: Facility, patient: FacilityPatient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Disk, "fsync", lambda disk, fd: None)  # 300 of them take seconds; no power is cut here
    monkeypatch.setattr(Disk, "fsync_dir", lambda disk, path: None)
    rng = random.Random(4)
    stored = [sealed_object(facility, patient, KIND, [rng.randbytes(rng.randrange(3000))]) for _ in range(300)]
    flipped = set(rng.sample(stored, 100))
    for one in flipped:
        flip(file_of(one), rng)
    monkeypatch.setattr(scrub, "SECONDS", 60.0)
    runs = [scrub.scrub() for _ in range(7)]
    assert runs == [50] * 6 + [0]
    assert damaged() == flipped
    for one in SealedObject.objects.filter(pk__in=[sealed.pk for sealed in flipped]):
        with pytest.raises(Damaged):
            objects.read(one)


def test_an_object_is_examined_once_a_cycle(facility: Facility, patient: FacilityPatient, clock: Clock) -> None:
    sealed_object(facility, patient, KIND, [b"as it was sent"])
    assert [scrub.scrub(), scrub.scrub()] == [1, 0]
    clock.move(days=29)
    assert [scrub.scrub(), scrub.scrub()] == [1, 0]


def test_studies_that_wait_come_first_until_the_month_is_over(facility: Facility, clock: Clock) -> None:
    published(facility)
    jobs.want(Study.objects.get())
    clock.move(days=2)
    assert scrub.scrub() == 0
    clock.move(days=30)
    assert scrub.scrub() > 0


def test_bytes_that_are_sealed_right_but_not_those_of_the_row_are_found(facility: Facility) -> None:
    instance = published(facility).instances.first()
    assert instance is not None
    assert scrub.examine(instance.pack) == ""
    Instance.objects.filter(pk=instance.pk).update(sha256=bytes(32))
    assert scrub.examine(instance.pack) == "sha256"


def test_digests_of_ranges_are_taken_across_pieces() -> None:
    pieces = [b"abc", b"", b"defgh", b"i"]
    ranges = [(0, 4), (2, 1), (4, 5)]
    told = scrub._digests(pieces, ranges)
    assert told == {(at, n): sha256(b"abcdefghi"[at : at + n]).digest() for at, n in ranges}


def test_a_missing_file_is_found(facility: Facility, patient: FacilityPatient) -> None:
    sealed = sealed_object(facility, patient, KIND, [b"as it was sent"])
    file_of(sealed).unlink()
    assert scrub.examine(sealed, quick=True) == "missing"


def test_a_key_that_does_not_open_is_damage_where_others_open(
    facility: Facility, patient: FacilityPatient, caplog: pytest.LogCaptureFixture
) -> None:
    sealed = sealed_object(facility, patient, KIND, [b"as it was sent"])
    SealedObject.objects.filter(pk=sealed.pk).update(wrapped_key=sealing.wrap(sealing.new_key(), sealing.new_key()))
    scrub.scrub()
    assert damaged() == {sealed}
    assert "is damaged: key" in caplog.text


def test_a_wrong_master_key_damages_nothing(
    facility: Facility, patient: FacilityPatient, caplog: pytest.LogCaptureFixture
) -> None:
    sealed_object(facility, patient, KIND, [b"as it was sent"])
    FacilityPatient.objects.update(wrapped_key=sealing.wrap(sealing.new_key(), sealing.new_key()))
    assert scrub.scrub() == 0
    assert not damaged()
    assert "MASTER_KEY is not the one" in caplog.text


def test_a_file_put_back_is_whole_again(facility: Facility, patient: FacilityPatient) -> None:
    sealed = sealed_object(facility, patient, KIND, [b"as it was sent"])
    before = file_of(sealed).read_bytes()
    flip(file_of(sealed), random.Random(1))
    scrub.scrub()
    file_of(sealed).write_bytes(before)
    sealed.refresh_from_db()
    assert scrub.settle(sealed)
    assert not damaged()
    assert b"".join(objects.read(SealedObject.objects.get())) == b"as it was sent"


def test_damaged_pictures_are_made_again(facility: Facility) -> None:
    study = published(facility)
    series = catalog.series_of(study)[0]
    stack = Rendition.objects.filter(size=Rendition.Size.PREVIEW).get().stack
    flip(file_of(stack), random.Random(2))
    scrub.scrub()
    assert damaged() == {stack}
    with pytest.raises(Damaged):
        catalog.picture(study, series.id, "preview", 1)
    assert scrub.remake_pictures() == 1
    pipeline.advance(study.pk, at_once=True)
    assert b"".join(catalog.picture(study, series.id, "preview", 1).blocks).startswith(b"\xff\xd8\xff")
    study.refresh_from_db()
    assert study.state == Study.State.READY
    assert not damaged()


def test_how_much_is_damaged_is_counted_by_kind(facility: Facility, patient: FacilityPatient) -> None:
    for _ in range(2):
        damage.note(sealed_object(facility, patient, KIND, [b"as it was sent"]), "bytes")
    sealed_object(facility, patient, SealedObject.Kind.REPORT, [b"as it was sent"])
    assert scrub.damaged() == {"pack": 2}


def test_what_was_erased_is_not_damage(facility: Facility, patient: FacilityPatient) -> None:
    sealed = sealed_object(facility, patient, KIND, [b"as it was sent"])
    sealed.wrapped_key = b""
    sealed.save()
    assert scrub.examine(sealed) == ""
    assert scrub.scrub() == 0
    assert timezone.now() > sealed.created_at
    assert keys.Erased.status == 410
