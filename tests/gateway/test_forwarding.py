"""What waits reaches the portal, each file with its verdict, whatever the portal says."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest

from gateway.config import Config
from gateway.forwarding import LONGEST_WAIT, Forwarder, wait_after
from gateway.receiving import about_file
from gateway.spool import AboutReport, Spool
from tests import factories
from tests.gateway.conftest import KEY, Says, ScriptedPortal

Keep = Callable[..., list[bytes]]


@pytest.fixture
def forwarder(config: Config, spool: Spool) -> Forwarder:
    return Forwarder(config.portal, spool, wait=lambda _attempts: 60.0, idle=0)


@pytest.fixture
def keep(spool: Spool) -> Keep:
    def make(count: int = 1, *, study: int = 1) -> list[bytes]:
        files = factories.ct_series(count, study=study)
        for file in files:
            spool.take(about_file(file, "PACS"), file)
        return files

    return make


def counts(spool: Spool) -> tuple[int, int, int]:
    """Waiting, published, dead."""
    found = spool.counts()
    return found["waiting"], found["published"], found["dead"]


def test_a_study_goes_out_in_one_request_as_it_came(
    forwarder: Forwarder, spool: Spool, keep: Keep, portal: ScriptedPortal
) -> None:
    files = keep(3)
    assert forwarder.step() == 3
    assert portal.requests == [files]
    assert portal.keys == [f"Bearer {KEY}"]
    assert counts(spool) == (0, 3, 0)
    assert forwarder.step() == 0


def test_a_large_study_goes_out_in_several(
    forwarder: Forwarder, spool: Spool, keep: Keep, portal: ScriptedPortal
) -> None:
    keep(30)
    while forwarder.step():
        pass
    assert [len(files) for files in portal.requests] == [25, 5]
    assert counts(spool) == (0, 30, 0)


@pytest.mark.parametrize("status", [200, 202, 409])
def test_one_that_is_refused_takes_no_other_with_it(
    forwarder: Forwarder, spool: Spool, keep: Keep, portal: ScriptedPortal, status: int
) -> None:
    keep(4)
    words = {"Warning": '299 lightbox "Another patient is known by this study."'}
    portal.script = [Says(status, {2: 0xA900}, words)]
    assert forwarder.step() == 4
    assert counts(spool) == (0, 3, 1)
    (letter,) = spool.letters()
    assert letter.reason == (
        "It does not fit what the portal has of this study or patient. Another patient is known by this study."
    )


def test_what_the_portal_has_no_room_for_waits(
    forwarder: Forwarder, spool: Spool, keep: Keep, portal: ScriptedPortal
) -> None:
    keep(2)
    portal.script = [Says(202, {0: 0xA700})]
    forwarder.step()
    assert counts(spool) == (1, 1, 0)
    assert spool.trouble() == "The portal has no room for it now."


@pytest.mark.parametrize(
    ("said", "trouble"),
    [
        (Says(401, silent=True), "The portal refuses the key of this facility."),
        (Says(403, silent=True), "The portal refuses the key of this facility."),
        (Says(500, silent=True), "The portal asks to come again (500)."),
        (Says(503, silent=True), "The portal asks to come again (503)."),
        (Says(429, silent=True), "The portal asks to come again (429)."),
    ],
)
def test_what_passes_loses_nothing(
    forwarder: Forwarder, spool: Spool, keep: Keep, portal: ScriptedPortal, said: Says, trouble: str
) -> None:
    keep(3)
    portal.script = [said]
    assert forwarder.step() == 0
    assert counts(spool) == (3, 0, 0)
    assert spool.trouble() == trouble
    spool.retry()
    with mock.patch("gateway.spool.time.time", return_value=time.time() + 61):
        assert forwarder.step() == 3
    assert counts(spool) == (0, 3, 0)


def test_the_portal_may_say_when_to_come_again(
    forwarder: Forwarder, spool: Spool, keep: Keep, portal: ScriptedPortal
) -> None:
    keep()
    portal.script = [Says(503, silent=True, headers={"Retry-After": "600"})]
    forwarder.step()
    for seconds, published in ((599, 0), (602, 1)):
        with mock.patch("gateway.spool.time.time", return_value=time.time() + seconds):
            assert forwarder.step() == published


def test_a_portal_that_is_away_loses_nothing(config: Config, spool: Spool, keep: Keep, portal: ScriptedPortal) -> None:
    keep(2)
    away = replace(config.portal, url="http://127.0.0.1:1")
    assert Forwarder(away, spool, wait=lambda _attempts: 0, idle=0).step() == 0
    assert counts(spool) == (2, 0, 0)
    assert spool.trouble() == "The portal cannot be reached (ConnectionError)."
    assert Forwarder(config.portal, spool, idle=0).step() == 2


def test_a_key_that_cannot_be_read_loses_nothing(config: Config, spool: Spool, keep: Keep, tmp_path: Path) -> None:
    keep()
    without = replace(config.portal, key_file=tmp_path / "none")
    assert Forwarder(without, spool, idle=0).step() == 0
    assert counts(spool) == (1, 0, 0)


def test_what_arrived_before_the_portal_gave_up_is_not_sent_again(
    forwarder: Forwarder, spool: Spool, keep: Keep, portal: ScriptedPortal
) -> None:
    keep(3)
    portal.script = [Says(503)]  # names the three
    assert forwarder.step() == 3
    assert counts(spool) == (0, 3, 0)


@pytest.mark.parametrize("status", [400, 411, 413, 415])
def test_a_request_that_is_refused_as_a_whole_is_tried_file_by_file(
    forwarder: Forwarder, spool: Spool, keep: Keep, portal: ScriptedPortal, status: int
) -> None:
    keep(3)
    portal.script = [Says(status, silent=True), Says(), Says(status, silent=True), Says()]
    assert forwarder.step() == 3
    assert [len(files) for files in portal.requests] == [3, 1, 1, 1]
    assert counts(spool) == (0, 2, 1)
    assert spool.letters()[0].reason == f"The portal refuses it ({status})."


def test_success_that_names_nobody_is_no_success(
    forwarder: Forwarder, spool: Spool, keep: Keep, portal: ScriptedPortal
) -> None:
    keep(2)
    portal.script = [Says(silent=True)] * 3
    assert forwarder.step() == 0
    assert counts(spool) == (2, 0, 0)
    assert spool.trouble() == "The portal said nothing of it."


def test_a_redirect_is_not_followed_with_the_key(
    forwarder: Forwarder, spool: Spool, keep: Keep, portal: ScriptedPortal
) -> None:
    keep()
    portal.script = [Says(302, silent=True, headers={"Location": portal.url})]
    forwarder.step()
    assert len(portal.requests) == 1
    assert counts(spool) == (0, 0, 1)


def test_a_file_that_was_damaged_here_holds_up_no_other(
    forwarder: Forwarder, spool: Spool, keep: Keep, config: Config
) -> None:
    keep(3)
    broken = spool.due(10, 10**9, 0)[1]
    path = config.spool.folder / "sealed" / broken.id
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert forwarder.step() == 3
    assert counts(spool) == (0, 2, 1)
    assert spool.letters()[0].reason == "It was damaged while it waited here. Send it again."


def test_pauses_grow_to_five_minutes_and_are_never_the_same() -> None:
    for attempts in range(40):
        seconds = {wait_after(attempts) for _again in range(50)}
        longest = min(2.0 * 2**attempts, LONGEST_WAIT)
        assert all(longest / 2 <= one <= longest for one in seconds)
        assert len(seconds) > 10


# --- reports


def report(spool: Spool, content: bytes = b"Lungs clear.", *, is_pdf: bool = False) -> None:
    spool.take_report(AboutReport("", "ACC-1", "MRN-7", "final", is_pdf, "RIS|HOSPITAL", "MSG-1"), content)


def test_a_report_goes_to_the_portal_as_words(forwarder: Forwarder, spool: Spool, portal: ScriptedPortal) -> None:
    report(spool)
    assert forwarder.step() == 0
    assert forwarder.step_of_reports() == 1
    ((kind, body),) = portal.reports
    assert kind == "application/json"
    assert json.loads(body) == {
        "status": "final",
        "accession_number": "ACC-1",
        "patient_id": "MRN-7",
        "text": "Lungs clear.",
    }
    assert portal.keys == [f"Bearer {KEY}"]
    assert counts(spool) == (0, 1, 0)
    assert forwarder.step_of_reports() == 0


def test_a_report_goes_to_the_portal_as_a_pdf(forwarder: Forwarder, spool: Spool, portal: ScriptedPortal) -> None:
    report(spool, b"%PDF-1.4 \xff", is_pdf=True)
    forwarder.step_of_reports()
    ((kind, body),) = portal.reports
    assert kind.startswith("multipart/form-data")
    assert b'name="accession_number"\r\n\r\nACC-1\r\n' in body
    assert b"%PDF-1.4 \xff" in body


@pytest.mark.parametrize(
    ("status", "left"),
    [(201, (0, 1, 0)), (202, (0, 1, 0)), (401, (1, 0, 0)), (503, (1, 0, 0)), (429, (1, 0, 0)), (400, (0, 0, 1))],
)
def test_a_report_has_its_verdict_too(
    forwarder: Forwarder, spool: Spool, portal: ScriptedPortal, status: int, left: tuple[int, int, int]
) -> None:
    report(spool)
    portal.script = [Says(status, words="This file is of another patient than the study.")]
    forwarder.step_of_reports()
    assert counts(spool) == left
    assert [one.reason for one in spool.letters()] == ["This file is of another patient than the study."] * left[2]


def test_a_report_waits_for_a_portal_that_is_away(config: Config, spool: Spool, portal: ScriptedPortal) -> None:
    report(spool)
    away = replace(config.portal, url="http://127.0.0.1:1")
    assert Forwarder(away, spool, wait=lambda _attempts: 0).step_of_reports() == 0
    assert Forwarder(config.portal, spool).step_of_reports() == 1
