"""Limits: said before anything is read where they can be, and in mid-request without losing what came before."""

from __future__ import annotations

import errno
import os
import subprocess
import tracemalloc
from collections.abc import Iterator
from io import BytesIO
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpResponse
from pytest_django import Settings

from accounts.audit import Actor
from accounts.errors import PortalError
from accounts.facilities import add_facility
from studies import intake
from studies.models import Instance
from studies.receiving import body, room
from studies.receiving.responses import answer
from studies.store import objects
from studies.store.disk import Disk
from studies.store.storage import FileStore
from tests.factories import ct_file, ct_series, related, uid
from tests.studies.conftest import Files
from tests.studies.stow import Sender, module, refused

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("files")]

SERIES = ct_series(4)
SIZE = len(SERIES[0])
KIND, BODY = related(SERIES)


@pytest.fixture
def sender() -> Sender:
    return Sender(*add_facility("Lakeside", actor=Actor.operator()))


def in_pieces(data: bytes, size: int = 4096) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def stored(response: HttpResponse) -> list[str]:
    """What the answer lists as stored; it is just what is."""
    said = [str(item.ReferencedSOPInstanceUID) for item in module(response).get("ReferencedSOPSequence", [])]
    assert set(said) == set(Instance.objects.values_list("sop_uid", flat=True))
    return said


# --- an instance


def test_one_instance_too_large_fails_alone(sender: Sender, settings: Settings) -> None:
    settings.MAX_INSTANCE_BYTES = SIZE + 1000
    response = sender.send(SERIES[0], ct_file(2, size=128), SERIES[2])
    (failed,) = module(response).FailedSOPSequence
    assert (response.status_code, failed.FailureReason) == (202, 0xA700)
    assert failed.ReferencedSOPInstanceUID == uid(1, 1, 2)
    assert stored(response) == [uid(1, 1, 1), uid(1, 1, 3)]


def test_nothing_but_too_large_instances_is_413(sender: Sender, settings: Settings) -> None:
    settings.MAX_INSTANCE_BYTES = 1000
    response = sender.send(*SERIES)
    assert response.status_code == 413
    assert len(module(response).FailedSOPSequence) == 4
    assert refused(sender.post(SERIES[0], "application/dicom")) == (413, "too_large")


# --- a request


def test_a_request_announced_too_large_is_refused_before_it_is_read(sender: Sender, settings: Settings) -> None:
    settings.MAX_REQUEST_BYTES = len(BODY) - 1
    assert refused(sender.post(BODY, KIND)) == (413, "request_too_large")
    assert not Instance.objects.exists()


def test_what_came_before_the_limit_stays_and_the_answer_says_so(sender: Sender, settings: Settings) -> None:
    settings.MAX_REQUEST_BYTES = 5 * SIZE // 2
    response = sender.post_in_chunks(in_pieces(BODY), KIND)
    assert response.status_code == 413
    assert stored(response) == [uid(1, 1, 1), uid(1, 1, 2)]
    assert "The instances listed are stored, the rest of the request is not." in response.headers["Warning"]
    assert "Send the study in several requests." in response.headers["Warning"]
    again = sender.send(SERIES[0], SERIES[2]), sender.send(SERIES[3])
    assert [one.status_code for one in again] == [200, 200]
    assert Instance.objects.count() == 4


def test_a_request_in_many_batches_keeps_them(
    sender: Sender, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studies.receiving.arrivals.BATCH", 1)
    broken = BODY[: BODY.index(SERIES[2])] + b"--factory-boundary"  # it breaks off inside the third part
    response = sender.post_in_chunks(in_pieces(broken), KIND)
    assert response.status_code == 400
    assert stored(response) == [uid(1, 1, 1), uid(1, 1, 2)]


def test_the_instances_of_a_request_are_counted(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_INSTANCES", 3)
    response = sender.send(*SERIES)
    assert response.status_code == 413
    assert stored(response) == [uid(1, 1, number) for number in (1, 2, 3)]
    assert "several requests" in response.headers["Warning"]


@pytest.mark.parametrize("kind", [KIND, "application/dicom"])
def test_a_body_without_end_is_ended_and_never_held(sender: Sender, settings: Settings, kind: str) -> None:
    settings.MAX_INSTANCE_BYTES, settings.MAX_REQUEST_BYTES = 10 * 2**20, 40 * 2**20
    sender.send(SERIES[3])  # whatever is loaded once is
    begin = BODY[: BODY.index(SERIES[0])] if kind == KIND else b""
    endless = repeat(bytes(256 * 1024))
    tracemalloc.start()
    response = sender.post_in_chunks(_after(begin + SERIES[0][:-9], endless), kind)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused(response) == (413, "request_too_large")
    assert peak < 8 * 2**20  # the head that the sandbox may be shown, and some blocks


def _after(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def test_a_body_that_lies_about_its_length_is_no_larger_for_it(sender: Sender) -> None:
    def post(length: int) -> HttpResponse:
        source: dict[str, Any] = {"wsgi.input": BytesIO(BODY)}
        return sender.post(b"", KIND, CONTENT_LENGTH=str(length), **source)

    assert refused(post(10 * 2**40)) == (413, "request_too_large")
    assert refused(post(len(BODY) + 1)) == (400, "broken_off")
    assert refused(post(len(BODY) // 2)) == (400, "multipart_truncated")


# --- a day


def test_the_days_limit_in_mid_request_keeps_what_came(sender: Sender, settings: Settings) -> None:
    settings.MAX_FACILITY_DAY_BYTES = 7 * SIZE // 2
    assert sender.send(SERIES[0]).status_code == 200
    response = sender.post_in_chunks(in_pieces(related(SERIES[1:])[1]), KIND)
    assert response.status_code == 413
    assert len(module(response).ReferencedSOPSequence) == 2
    assert "24 hours" in response.headers["Warning"]
    assert refused(sender.send(SERIES[3])) == (413, "too_much")


def test_one_facilitys_day_is_not_anothers(sender: Sender, settings: Settings) -> None:
    settings.MAX_FACILITY_DAY_BYTES = SIZE + 1000
    hilltop = Sender(*add_facility("Hilltop", actor=Actor.operator()))
    assert sender.send(SERIES[0]).status_code == 200
    assert sender.send(SERIES[1]).status_code == 413
    assert hilltop.send(SERIES[0]).status_code == 200


# --- the disk


def read_back() -> list[bytes]:
    return [b"".join(objects.read(one.pack, one.offset, one.length)) for one in Instance.objects.order_by("sop_uid")]


def test_a_disk_that_fills_up_refuses_keeps_reads_going_and_recovers(
    sender: Sender, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = iter([10**9, 0])
    monkeypatch.setattr(FileStore, "free_bytes", lambda store: next(free, 0))
    monkeypatch.setattr(room, "LOOK_EVERY", 5 * SIZE // 2)
    settings.FREE_SPACE_FLOOR = 10**8
    response = sender.send(*SERIES)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "300")
    assert stored(response) == [uid(1, 1, 1), uid(1, 1, 2)]
    assert refused(sender.send(*SERIES)) == (503, "no_room")
    assert read_back() == SERIES[:2]
    monkeypatch.setattr(FileStore, "free_bytes", lambda store: 10**9)
    assert sender.send(*SERIES).status_code == 200
    assert read_back() == SERIES


def test_a_full_disk_is_507_and_leaves_nothing_behind(
    sender: Sender, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(disk: Disk, fd: int, block: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Disk, "write", full)
        response = sender.send(*SERIES)
    assert refused(response) == (507, "storage_unavailable")
    assert int(response.headers["Retry-After"]) > 0
    assert not Instance.objects.exists()
    assert not files("staging")
    assert sender.send(*SERIES).status_code == 200


@pytest.fixture
def small_disk(tmp_path: Path, settings: Settings) -> Iterator[Path]:
    """A real disk of 4 MiB for the store."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("may not mount a small disk here")
    settings.OBJECT_STORE_URL = (disk / "store").as_uri()
    settings.FREE_SPACE_FLOOR = 0
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_really_full_disk_loses_nothing_and_recovers(sender: Sender, small_disk: Path) -> None:
    assert sender.send(*SERIES).status_code == 200
    large = [ct_file(number, series=2, size=512) for number in range(1, 4)]
    kind, body = related(large)
    filler = small_disk / "filler"
    for round_ in range(10):
        room_left = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
        filler.write_bytes(bytes(max(0, room_left - 200_000 - 90_000 * round_)))
        assert refused(sender.send(*large)) == (503, "no_room")  # seen before a byte is read
        response = sender.post_in_chunks(in_pieces(body), kind)  # nobody can tell beforehand
        assert refused(response) == (507, "storage_unavailable")
        assert int(response.headers["Retry-After"]) > 0
        assert read_back() == SERIES
        filler.unlink()
    assert sender.send(*large).status_code == 200
    assert len(read_back()) == 7


# --- time


def test_a_body_that_only_drips_is_ended(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "GRACE", 0.0)
    monkeypatch.setattr(body, "LEAST", 10**9)
    assert refused(sender.post(BODY, KIND)) == (408, "too_slow")
    assert not Instance.objects.exists()


@pytest.mark.parametrize("limit", [room.RequestTooLarge, room.TooManyInstances, room.TooMuch, room.Full, body.TooSlow])
def test_words_of_every_limit_fit_a_header(limit: type[PortalError]) -> None:
    said = answer(intake.Receipt(ended=limit())).headers["Warning"]
    assert said.isascii()
    assert said.count('"') == 2
