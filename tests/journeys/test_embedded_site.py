"""The embedded site as a whole: it stops cleanly, survives kills, and its data folder tells nothing."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests import factories
from tests.journeys.conftest import Site, eventually, start_site, stop_site
from tests.journeys.test_publish_to_picture import Facility

pytestmark = pytest.mark.journey
HEADERS = (b"DICM", b"WEBP", b"\xff\xd8\xff", b"%PDF", b"ZEBRAFISH", b"Zebrafish")


@pytest.fixture
def own_site(tmp_path: Path) -> Iterator[Site]:
    """A site that a test may break."""
    running = start_site(tmp_path / "data")
    yield running
    stop_site(running)


def processes(site: Site, word: str = "") -> list[int]:
    """Every process that works on this site's data folder, by /proc."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            environment = (entry / "environ").read_bytes()
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if f"DATA_DIR={site.data}".encode() in environment.split(b"\0") and word in command:
            found.append(int(entry.name))
    return found


def publish(site: Site, count: int, patient_id: str) -> tuple[Facility, str]:
    """A facility that has just sent a study; its UID."""
    made = site.manage("facility", "add", f"Facility of {patient_id}")
    facility = Facility(made["slug"], made["key"])
    files = factories.ct_series(count, PatientID=patient_id)
    assert facility.post(site, files).status_code == 200
    return facility, factories.uid(1)


def test_ctrl_c_ends_every_process_within_fifteen_seconds(tmp_path: Path) -> None:
    site = start_site(tmp_path / "data")
    publish(site, 2, "STOP-1")
    assert len(processes(site)) >= 4
    site.process.send_signal(signal.SIGINT)
    site.process.wait(timeout=15)
    assert processes(site) == []


def test_nothing_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    site = start_site(tmp_path / "data")
    site.process.kill()
    site.process.wait()
    eventually(lambda: not processes(site), "the end of every child", patience=15)


def test_a_worker_killed_in_the_middle_loses_nothing(own_site: Site) -> None:
    facility, study_uid = publish(own_site, 60, "KILL-1")
    for pid in eventually(lambda: processes(own_site, "celery"), "a worker to kill"):
        os.kill(pid, signal.SIGKILL)
    receipt = own_site.ready(facility.key, study_uid)
    assert len(receipt["instances"]) == 60
    assert {row["state"] for row in receipt["instances"]} == {"ready"}


def test_a_dead_web_server_comes_back(own_site: Site) -> None:
    for pid in processes(own_site, "granian"):
        os.kill(pid, signal.SIGKILL)

    def answers() -> bool:
        try:
            return requests.get(f"{own_site.url}/livez", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    eventually(answers, "the web server answering again")


def test_the_data_folder_tells_nothing_outside_the_database(own_site: Site) -> None:
    facility, study_uid = publish(own_site, 3, "WALK-1")
    report = {"study_uid": study_uid, "status": "final", "text": "ZEBRAFISH has two lungs."}
    answer = requests.post(
        f"{own_site.url}/api/v1/reports/",
        json=report,
        headers={"Authorization": f"Bearer {facility.key}"},
        timeout=30,
    )
    assert answer.status_code == 201
    own_site.ready(facility.key, study_uid)
    files = [path for path in own_site.data.rglob("*") if path.is_file()]
    outside = [path for path in files if "lightbox.sqlite3" not in path.name and "static" not in path.parts]
    assert any(path.suffix == ".lbx" for path in outside)
    telling = [(path.name, mark) for path in outside for mark in HEADERS if mark in path.read_bytes()]
    assert telling == []


def test_the_second_start_is_quick_and_keeps_what_was_there(tmp_path: Path) -> None:
    first = start_site(tmp_path / "data")
    facility, study_uid = publish(first, 2, "AGAIN-1")
    first.ready(facility.key, study_uid)
    stop_site(first)
    second = start_site(tmp_path / "data")
    receipt = second.receipt(facility.key, study_uid)
    stop_site(second)
    assert receipt is not None
    assert receipt["state"] == "ready"


def test_other_accounts_of_the_machine_read_no_names(own_site: Site) -> None:
    own_site.manage("facility", "add", "Anybody's")
    private = [own_site.data, *own_site.data.glob("lightbox.sqlite3*"), *(own_site.data / "secrets").iterdir()]
    assert len(private) >= 4
    assert [path.name for path in private if path.stat().st_mode & 0o077] == []


def test_up_stops_with_make(tmp_path: Path) -> None:
    """`--with-parent`: when make is killed, the site does not stay behind."""
    site = start_site(tmp_path / "data")
    stop_site(site)
    parent = subprocess.Popen(
        ["sh", "-c", f"python=$0; $python manage.py up --no-demo --with-parent --port {site.port}; true", _python()],
        cwd=Path(__file__).resolve().parent.parent.parent,
        env=site.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    eventually(lambda: len(processes(site, "granian")) > 1, "the site's start under a parent")
    parent.kill()
    parent.wait()
    eventually(lambda: not processes(site), "the end of every child", patience=20)


def _python() -> str:
    import sys

    return sys.executable
