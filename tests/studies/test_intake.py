"""Publish: what a facility sends is stored once, versioned, set aside or refused, and nothing is lost."""

from __future__ import annotations

import errno
import hashlib
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from threading import Barrier, Event
from typing import Any

import pytest
from django.db import OperationalError, connection
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from accounts.errors import Unavailable
from accounts.models import AuditEvent, Facility
from studies import intake, jobs, sandbox
from studies.frames import decode_frames
from studies.intake import Receipt
from studies.models import (
    FacilityPatient,
    Instance,
    Job,
    Publication,
    Quarantined,
    SealedObject,
    Series,
    Study,
)
from studies.receiving.arrivals import ALONGSIDE, Batch
from studies.receiving.ledger import Ledger
from studies.receiving.room import FRESH, Full, TooMuch
from studies.store import objects
from studies.store.disk import StorageUnavailable
from tests.factories import ct_file, ct_series, ct_slice, dicom_bytes, uid
from tests.studies.conftest import Files

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("files")]


def send(facility: Facility, *files: bytes, study_uid: str | None = None, block: int = 4096) -> Receipt:
    return intake.publish(facility, (in_blocks(file, block) for file in files), study_uid=study_uid)


def in_blocks(file: bytes, size: int) -> Iterator[bytes]:
    return (file[at : at + size] for at in range(0, len(file), size))


def counts(receipt: Receipt) -> tuple[int, int, int, int]:
    return len(receipt.stored), len(receipt.repeated), len(receipt.quarantined), len(receipt.failed)


def original(instance: Instance) -> bytes:
    return b"".join(objects.read(instance.pack, instance.offset, instance.length))


def reasons(receipt: Receipt) -> list[int]:
    """Why instances were refused; each says so in ASCII, for a header, and what to do next."""
    assert all(outcome.sentence.isascii() and outcome.sentence.count(".") >= 2 for outcome in receipt.failed)
    return [outcome.reason for outcome in receipt.failed]


# --- stored


def test_a_series_is_stored_byte_for_byte(lakeside: Facility) -> None:
    files = ct_series(5)
    assert counts(send(lakeside, *files)) == (5, 0, 0, 0)
    assert [original(instance) for instance in Instance.objects.order_by("offset")] == files


def test_what_is_known_of_an_instance_is_written_down(lakeside: Facility) -> None:
    file = ct_file()
    send(lakeside, file)
    instance = Instance.objects.get()
    assert bytes(instance.sha256) == hashlib.sha256(file).digest()
    assert instance.crc32 == zlib.crc32(file)
    assert instance.transfer_syntax_uid == "1.2.840.10008.1.2.1"
    assert instance.pixel_offset == len(file) - 64 * 64 * 2
    assert decode_frames(bytes(instance.frames or b"")) == [[(instance.pixel_offset, 64 * 64 * 2)]]


def test_a_request_makes_one_pack_for_each_study(lakeside: Facility, files: Files) -> None:
    send(lakeside, *ct_series(3), *ct_series(3, study=2, PatientID="P2"))
    assert SealedObject.objects.count() == len(files("objects")) == 2
    assert not files("staging")
    owners = SealedObject.objects.values_list("patient__patient_id", flat=True)
    assert sorted(str(owner) for owner in owners) == ["P1", "P2"]


def test_a_study_wants_work_and_rings_once_it_is_committed(
    lakeside: Facility, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks() as bells:
        send(lakeside, *ct_series(3))
    study = Study.objects.get()
    assert (study.state, study.version, Job.objects.get().study) == (Study.State.STORED, 1, study)
    assert len(bells) == 1


def test_the_patient_is_registered_with_what_the_images_say(lakeside: Facility) -> None:
    send(lakeside, ct_file())
    patient = FacilityPatient.objects.get()
    assert (patient.patient_id, patient.name, patient.sex) == ("P1", "ZEBRAFISH^Maria", "F")
    assert patient.birth_date == date(1980, 5, 17)


def test_the_deed_is_on_record_once_for_each_study(lakeside: Facility) -> None:
    send(lakeside, *ct_series(3), *ct_series(2, study=2))
    deeds = AuditEvent.objects.filter(action="published").order_by("pk")
    assert [deed.detail["instances"] for deed in deeds] == [3, 2]
    assert {deed.actor_id for deed in deeds} == {str(lakeside.pk)}
    assert Publication.objects.get().stored == 5


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_any_transfer_syntax_is_taken(lakeside: Facility, syntax: str) -> None:
    file = dicom_bytes(ct_slice(), syntax)
    assert counts(send(lakeside, file)) == (1, 0, 0, 0)
    assert Instance.objects.get().transfer_syntax_uid == syntax
    assert original(Instance.objects.get()) == file


def test_a_patient_id_beyond_ascii_is_read_in_its_character_set(lakeside: Facility) -> None:
    send(lakeside, ct_file(SpecificCharacterSet="ISO_IR 192", PatientID="Zürich-1", PatientName="ZEBRAFISH^Zoë"))
    assert (FacilityPatient.objects.get().patient_id, FacilityPatient.objects.get().name) == (
        "Zürich-1",
        "ZEBRAFISH^Zoë",
    )


def test_a_file_that_finds_no_turn_to_be_read_is_sent_again(
    lakeside: Facility, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: Any, **how: Any) -> None:
        assert (how["lane"], how["seconds"]) == (sandbox.ADMISSION, 5), "readers never wait for senders"
        assert how["whose"] == lakeside.pk, "nor one facility for another's many files"
        raise sandbox.SandboxBusy

    monkeypatch.setattr(sandbox, "run", busy)
    receipt = send(lakeside, ct_file(SpecificCharacterSet="ISO_IR 192", PatientID="Zürich-1"), ct_file(2))
    assert reasons(receipt) == [0x0110]
    assert len(receipt.stored) == 1


def test_a_picture_without_its_pixels_is_refused(lakeside: Facility) -> None:
    receipt = send(lakeside, ct_file(PixelData=None))
    assert reasons(receipt) == [0xC000]
    assert "no picture" in receipt.failed[0].sentence


def test_an_instance_whose_meta_header_names_another_is_known_by_its_data_set(lakeside: Facility) -> None:
    content = ct_file()
    other = content.replace(uid(1, 1, 1).encode(), uid(1, 1, 9).encode(), 1)
    assert other != content
    assert counts(send(lakeside, other)) == (1, 0, 0, 0)
    kept = Instance.objects.get()
    assert (kept.sop_uid, original(kept), kept.pixel_offset is not None) == (uid(1, 1, 1), other, True)


def test_a_name_beyond_ascii_is_left_to_indexing(lakeside: Facility, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studies.sandbox.run", None)
    send(lakeside, ct_file(SpecificCharacterSet="ISO_IR 192", PatientName="ZEBRAFISH^Zoë"))
    assert FacilityPatient.objects.get().name == ""


# --- repeated, versioned


def test_a_value_that_no_database_takes_costs_no_neighbour(lakeside: Facility) -> None:
    odd = ct_file(1, PatientSex="SEXSEX").replace(b"SEXSEX", b"F\0\0\0SX")
    assert counts(send(lakeside, odd, ct_file(2))) == (2, 0, 0, 0)
    assert FacilityPatient.objects.get().sex == ""


def test_sending_again_changes_nothing(lakeside: Facility, files: Files) -> None:
    series = ct_series(4)
    send(lakeside, *series)
    assert counts(send(lakeside, *series)) == (0, 4, 0, 0)
    assert Instance.objects.count() == 4
    assert Study.objects.get().version == 1
    assert len(files("objects")) == 1
    assert not files("staging")


def test_any_part_may_be_sent_again_with_the_rest(lakeside: Facility) -> None:
    series = ct_series(4)
    send(lakeside, *series[:3])
    assert counts(send(lakeside, *series)) == (1, 3, 0, 0)
    assert [original(instance) for instance in Instance.objects.order_by("sop_uid")] == series


def test_twice_in_one_request_is_stored_once(lakeside: Facility) -> None:
    assert counts(send(lakeside, ct_file(), ct_file())) == (1, 1, 0, 0)
    assert Instance.objects.count() == 1


def test_other_bytes_make_a_new_version(lakeside: Facility) -> None:
    first, second = ct_file(), ct_file(SeriesDescription="Corrected")
    send(lakeside, first)
    Study.objects.update(state=Study.State.READY)
    assert counts(send(lakeside, second)) == (1, 0, 0, 0)
    old, new = Instance.objects.order_by("version")
    assert (original(old), original(new)) == (first, second)
    assert (old.superseded_at is None, new.superseded_at, new.version) == (False, None, 2)
    study = Study.objects.get()
    assert (study.version, study.state) == (2, Study.State.STORED)


def test_two_versions_in_one_request_end_with_the_last(lakeside: Facility) -> None:
    send(lakeside, ct_file(), ct_file(SeriesDescription="Corrected"))
    current = Instance.objects.get(superseded_at=None)
    assert current.version == 2
    assert b"Corrected" in original(current)


def test_an_old_version_sent_again_does_not_come_back(lakeside: Facility) -> None:
    first = ct_file()
    send(lakeside, first)
    send(lakeside, ct_file(SeriesDescription="Corrected"))
    assert counts(send(lakeside, first)) == (0, 1, 0, 0)
    assert b"Corrected" in original(Instance.objects.get(superseded_at=None))


def test_two_facilities_with_one_uid_never_meet(lakeside: Facility, hilltop: Facility) -> None:
    send(lakeside, ct_file())
    assert counts(send(hilltop, ct_file())) == (1, 0, 0, 0)
    assert counts(send(hilltop, ct_file(PatientID="P2"))) == (0, 0, 1, 0)
    assert Study.objects.count() == Series.objects.count() == FacilityPatient.objects.count() == 2


# --- quarantined


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"PatientID": "P2"}, "other_patient"),
        ({"IssuerOfPatientID": "B"}, "other_patient"),
        ({"StudyInstanceUID": uid(9)}, "other_study"),
        ({"StudyInstanceUID": uid(9), "PatientID": "P2"}, "other_patient"),
        ({"PatientID": ""}, "no_patient_id"),
        ({"PatientID": None, "SOPInstanceUID": uid(1, 1, 9)}, "no_patient_id"),
    ],
)
def test_a_contradiction_is_kept_but_not_shown(lakeside: Facility, change: dict[str, Any], reason: str) -> None:
    send(lakeside, ct_file())
    odd = ct_file(**change)
    assert counts(send(lakeside, odd)) == (0, 0, 1, 0)
    held = Quarantined.objects.get()
    assert held.reason == reason
    assert b"".join(objects.read(held.pack, held.offset, held.length)) == odd
    assert held.pack.patient is None
    assert Instance.objects.count() == Study.objects.get().version == 1
    assert AuditEvent.objects.get(action="quarantined").detail["reason"] == reason


def test_what_is_set_aside_says_whose_it_is_and_how_to_take_it_in(lakeside: Facility) -> None:
    send(lakeside, ct_file())
    odd = ct_file(PatientID="P2", IssuerOfPatientID="B")
    send(lakeside, odd)
    held, stored = Quarantined.objects.get(), Instance.objects.get()
    assert (held.patient_id, held.issuer, held.patient_name) == ("P2", "B", "ZEBRAFISH^Maria")
    assert (held.birth_date, held.sex, held.series_uid) == (date(1980, 5, 17), "F", uid(1, 1))
    assert (held.crc32, held.transfer_syntax_uid) == (zlib.crc32(odd), stored.transfer_syntax_uid)
    assert held.pixel_offset == len(odd) - 64 * 64 * 2
    assert decode_frames(bytes(held.frames or b"")) == [[(held.pixel_offset, 64 * 64 * 2)]]


def test_quarantine_repeats_itself_without_storing_twice(lakeside: Facility) -> None:
    odd = ct_file(PatientID="")
    assert [counts(send(lakeside, odd)), counts(send(lakeside, odd))] == [(0, 0, 1, 0)] * 2
    assert Quarantined.objects.count() == SealedObject.objects.count() == 1
    assert not Study.objects.exists()


def test_one_odd_instance_does_not_hold_up_the_others(lakeside: Facility) -> None:
    receipt = send(lakeside, *ct_series(2), ct_file(3, PatientID="P2"), b"no dicom at all", ct_file(4))
    assert counts(receipt) == (3, 0, 1, 1)
    assert receipt.quarantined[0].sentence == (
        "Kept, but not shown: The study is known under another patient ID or issuer."
        " The facility's staff decide at the desk."
    )


def test_an_issuer_that_is_not_named_contradicts_nobody(lakeside: Facility) -> None:
    assert counts(send(lakeside, ct_file(1, IssuerOfPatientID="A"), ct_file(2))) == (2, 0, 0, 0)


# --- refused


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (b"", 0xC000),
        (b"no dicom at all", 0xC000),
        (bytes(200), 0xC000),
        (b"MZ\x90\0\x08\0\0\0PROGRAM." + ct_file()[132:], 0xC000),
        (ct_file()[:-1], 0xC000),
        (ct_file()[:400], 0xC000),
        (ct_file()[:140], 0xC000),
        (ct_file(SeriesInstanceUID=None), 0xA900),
        (ct_file(StudyInstanceUID="1.2.x"), 0xA900),
        (ct_file(PatientID="P" * 129), 0xA900),
    ],
)
def test_what_cannot_be_stored_is_refused(lakeside: Facility, file: bytes, reason: int, files: Files) -> None:
    receipt = send(lakeside, file)
    assert (counts(receipt), reasons(receipt)) == ((0, 0, 0, 1), [reason])
    assert not files("objects")
    assert not files("staging")
    assert Publication.objects.get().refused == 1


def test_the_address_says_which_study_is_meant(lakeside: Facility) -> None:
    receipt = send(lakeside, ct_file(), ct_file(study=2), study_uid=uid(1))
    assert (counts(receipt), reasons(receipt)) == ((1, 0, 0, 1), [0xA901])
    assert receipt.failed[0].named.sop_uid == uid(2, 1, 1)


def test_an_instance_beyond_the_limit_is_refused_alone(lakeside: Facility, settings: Settings) -> None:
    settings.MAX_INSTANCE_BYTES = 20_000
    receipt = send(lakeside, ct_file(1), ct_file(2, size=128), ct_file(3))
    assert (counts(receipt), reasons(receipt)) == ((2, 0, 0, 1), [0xA700])


def test_two_readings_of_one_header_are_nobodys_file(lakeside: Facility) -> None:
    file = ct_file()
    other_patient = b"\x10\x00\x20\x00LO\x02\x00P2"
    at = file.index(b"\xe0\x7f\x10\x00")
    receipt = send(lakeside, file[:at] + other_patient + file[at:])
    assert (counts(receipt), reasons(receipt)) == ((0, 0, 0, 1), [0xC000])


def test_the_day_has_its_limit(lakeside: Facility, hilltop: Facility, settings: Settings, files: Files) -> None:
    settings.MAX_FACILITY_DAY_BYTES = 20_000
    send(lakeside, ct_file(1))
    send(lakeside, ct_file(2))
    with pytest.raises(TooMuch):
        send(lakeside, ct_file(3))
    assert counts(send(hilltop, ct_file(3))) == (1, 0, 0, 0)
    assert not files("staging")


def test_what_other_processes_took_in_is_looked_up_every_few_seconds(
    lakeside: Facility, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MAX_FACILITY_DAY_BYTES = 30_000
    send(lakeside, ct_file(1))
    Publication.objects.create(facility=lakeside, size=25_000)
    send(lakeside, ct_file(2))
    now = time.monotonic()
    monkeypatch.setattr("studies.receiving.room.time.monotonic", lambda: now + FRESH)
    with pytest.raises(TooMuch):
        send(lakeside, ct_file(3))


def test_what_is_announced_too_large_is_not_read(lakeside: Facility, settings: Settings) -> None:
    settings.MAX_FACILITY_DAY_BYTES = 20_000
    with pytest.raises(TooMuch):
        intake.publish(lakeside, unread(), expected=20_001)


def test_a_full_disk_takes_nothing(lakeside: Facility, settings: Settings) -> None:
    settings.FREE_SPACE_FLOOR = 2**80
    with pytest.raises(Full):
        intake.publish(lakeside, unread())


def unread() -> Iterator[Iterable[bytes]]:
    return map(pytest.fail, ["the body was read"])


# --- when things go wrong


def test_a_sender_who_goes_away_leaves_nothing(lakeside: Facility, files: Files) -> None:
    def parts() -> Iterator[Iterable[bytes]]:
        yield [ct_file(1)]
        yield [ct_file(2)[:5000]]
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        intake.publish(lakeside, parts())
    assert not Instance.objects.exists()
    assert not files("staging")
    assert not files("objects")


@pytest.mark.parametrize("alongside", [0, ALONGSIDE])
def test_bytes_are_durable_before_any_row(lakeside: Facility, monkeypatch: pytest.MonkeyPatch, alongside: int) -> None:
    """Before any row is committed, that is: those of few bytes are written while the disk is still at it."""
    written = Event()
    durable: list[bool] = []
    save, settle, fsync = Ledger.save, Batch.settle, objects.store().disk.fsync

    def note_written(ledger: Ledger, refused: int) -> None:
        save(ledger, refused)
        written.set()

    def take_long(fd: int) -> None:
        if alongside:
            assert written.wait(10)
        fsync(fd)

    def look(batch: Batch) -> None:
        settle(batch)
        durable.extend(objects.store().exists(pack.id) for pack in batch._packs.values())

    monkeypatch.setattr("studies.receiving.arrivals.ALONGSIDE", alongside)
    monkeypatch.setattr(Ledger, "save", note_written)
    monkeypatch.setattr(objects.store().disk, "fsync", take_long)
    monkeypatch.setattr(Batch, "settle", look)
    send(lakeside, *ct_series(2))
    assert durable == [True]


def test_bytes_that_do_not_become_durable_leave_no_row(lakeside: Facility, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(fd: int) -> None:
        raise OSError(errno.EIO, "the disk is failing")

    with monkeypatch.context() as broken:
        broken.setattr(objects.store().disk, "fsync", fail)
        with pytest.raises(StorageUnavailable):
            send(lakeside, *ct_series(2))
    assert not Publication.objects.exists()
    assert counts(send(lakeside, *ct_series(2))) == (2, 0, 0, 0)


@pytest.mark.parametrize(
    ("last", "left"),
    [
        ((jobs, "want"), 0),  # nothing can have been committed
        ((Batch, "settle"), 1),  # nobody knows whether the commit went through: the sweep decides
    ],
)
def test_a_failing_database_acknowledges_nothing(
    lakeside: Facility, monkeypatch: pytest.MonkeyPatch, files: Files, last: tuple[object, str], left: int
) -> None:
    done: Callable[..., object] = getattr(*last)

    def fail(*given: object) -> None:
        done(*given)
        raise OperationalError("database is locked")

    with monkeypatch.context() as broken:
        broken.setattr(*last, fail)
        with pytest.raises(Unavailable):
            send(lakeside, ct_file())
    assert not Instance.objects.exists()
    assert len(files("objects") + files("staging")) == left
    assert counts(send(lakeside, ct_file())) == (1, 0, 0, 0)


def test_many_patients_in_one_request_keep_few_files_open(
    lakeside: Facility, monkeypatch: pytest.MonkeyPatch, files: Files
) -> None:
    monkeypatch.setattr("studies.receiving.arrivals.OPEN_PACKS", 3)
    most = 0

    def parts() -> Iterator[Iterable[bytes]]:
        nonlocal most
        for number in range(1, 9):
            yield [ct_file(study=number, PatientID=f"P{number}")]
            most = max(most, len(files("staging")))

    assert counts(intake.publish(lakeside, parts())) == (8, 0, 0, 0)
    assert most <= 3
    assert Study.objects.count() == 8
    assert Publication.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_parallel_senders_of_one_study_store_it_once(lakeside: Facility) -> None:
    series = ct_series(5)
    receipts = at_once(*[partial(send, lakeside, *series)] * 20)
    assert sum(len(receipt.stored) for receipt in receipts) == 5
    assert sum(len(receipt.repeated) for receipt in receipts) == 95
    assert Study.objects.get().version == 1
    assert sorted(original(instance) for instance in Instance.objects.all()) == sorted(series)
    assert FacilityPatient.objects.count() == Series.objects.count() == Job.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_parallel_versions_count_up_without_a_gap(lakeside: Facility) -> None:
    versions = [ct_file(SeriesDescription=f"Version {number}") for number in range(8)]
    at_once(*[partial(send, lakeside, version) for version in versions])
    stored = Instance.objects.order_by("version")
    assert [instance.version for instance in stored] == list(range(1, 9))
    assert [instance.version for instance in stored if not instance.superseded_at] == [8]
    assert sorted(original(instance) for instance in stored) == versions
    assert Study.objects.get().version == 8


def at_once(*senders: Callable[[], Receipt]) -> list[Receipt]:
    """What all of them are told when they send at the same time."""

    def deliver(sender: Callable[[], Receipt]) -> Receipt:
        try:
            start.wait()
            return sender()
        finally:
            connection.close()

    start = Barrier(len(senders))
    with ThreadPoolExecutor(len(senders)) as threads:
        return list(threads.map(deliver, senders))


def test_a_large_instance_passes_through_without_being_held(lakeside: Facility) -> None:
    head = ct_file(PixelData=bytes(8))[:-8]
    size = 64 * 2**20
    head = head[:-4] + size.to_bytes(4, "little")
    block = bytes(256 * 1024)

    def blocks() -> Iterator[bytes]:
        yield head
        for _ in range(size // len(block)):
            yield block

    tracemalloc.start()
    receipt = intake.publish(lakeside, [blocks()])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert counts(receipt) == (1, 0, 0, 0)
    assert Instance.objects.get().length == len(head) + size
    assert peak < 8 * 2**20
