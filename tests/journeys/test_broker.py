"""The broker only rings the bell: with it a study is ready soon, without any of its messages it is ready too.

Runs over the embedded broker; with BROKER_URL set (`-m broker`), over Redis or RabbitMQ as a site in production would.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from tests import factories
from tests.journeys.conftest import ROOT, Site, eventually, free_port, site_environment
from tests.journeys.test_publish_to_picture import Facility

pytestmark = [pytest.mark.journey, pytest.mark.broker]
CELERY = [sys.executable, "-m", "celery", "-q", "-A", "portal.celery"]
WORKER = [*CELERY, "worker", "--pool", "threads", "--concurrency", "2", "--without-gossip", "--without-mingle"]
PURGE = [*CELERY, "purge", "--force"]


@dataclass
class Parts:
    """Web, worker and clock of one site, each started and killed on its own."""

    data: Path
    broker: str
    port: int = field(default_factory=free_port)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {**site_environment(self.data), **({"BROKER_URL": self.broker} if self.broker else {})}

    @property
    def commands(self) -> dict[str, list[str]]:
        schedule = str(self.data / "schedule")
        granian = [sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(self.port)]
        return {
            "web": [*granian, "--blocking-threads", "8", "portal.wsgi:application"],
            "worker": WORKER,
            "clock": [*CELERY, "beat", "--schedule", schedule, "--pidfile", ""],
        }

    def start(self, name: str) -> None:
        quiet = subprocess.DEVNULL
        self.running[name] = subprocess.Popen(
            self.commands[name], cwd=ROOT, env=self.environment, stdout=quiet, stderr=quiet, start_new_session=True
        )

    def kill(self, name: str) -> None:
        process = self.running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def lose_every_message(self) -> None:
        subprocess.run(PURGE, cwd=ROOT, env=self.environment, check=True, capture_output=True)


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    """A site in parts; the web server answers, nothing else runs yet."""
    made = Parts(tmp_path / "data", os.environ.get("BROKER_URL", ""))
    made.lose_every_message()
    made.start("web")
    yield made
    for name in list(made.running):
        made.kill(name)


def publish(parts: Parts, count: int = 5) -> tuple[Site, Facility]:
    """A facility that has just sent a study."""
    site = Site(parts.data, parts.port, parts.running["web"])
    made = site.manage("facility", "add", "Facility at the broker")

    def answers() -> bool:
        try:
            return requests.get(f"{site.url}/readyz", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    eventually(answers, "the web server answering")
    facility = Facility(made["slug"], made["key"])
    assert facility.post(site, factories.ct_series(count)).status_code == 200
    return site, facility


def test_the_bell_alone_brings_a_study_to_ready(parts: Parts) -> None:
    parts.start("worker")
    site, facility = publish(parts)
    assert site.ready(facility.key, factories.uid(1))["state"] == "ready"


def test_a_study_whose_every_message_is_lost_becomes_ready(parts: Parts) -> None:
    site, facility = publish(parts)
    parts.lose_every_message()
    assert (site.receipt(facility.key, factories.uid(1)) or {})["state"] != "ready"
    parts.start("worker")
    parts.start("clock")
    assert len(site.ready(facility.key, factories.uid(1))["instances"]) == 5
