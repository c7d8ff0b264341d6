"""The site as `make run` starts it, on a folder and a port of its own, and its processes to choose a victim from."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final

from tests.journeys.conftest import ROOT, site_environment

PATIENCE = 120.0
LOOK_EVERY = 0.05

# What the command line of a process below the supervisor holds.
SIGNS: Final = {"worker": "\0worker\0", "clock": "beat-schedule", "sandbox": "studies.sandbox"}


class Site:
    """`manage.py up`, started again by us when all of it was killed, as a machine's init would."""

    def __init__(self, folder: Path, port: int, services: dict[str, str]) -> None:
        self.port = port
        self.environment = {**site_environment(folder), **services}
        self._log = folder.parent / f"{folder.name}.log"
        self.start()

    def start(self) -> float:
        """Start it and wait until it is ready; returns the seconds that took."""
        command = [sys.executable, "manage.py", "up", "--no-demo", "--port", str(self.port)]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log)
        return self.wait_until_ready()

    def wait_until_ready(self) -> float:
        """Wait for the first 200 of /readyz; returns the seconds that took."""
        began = time.monotonic()
        while not self._is_ready():
            if time.monotonic() > began + PATIENCE:
                raise RuntimeError(f"the site is not ready after {PATIENCE:.0f} s; see {self._log}")
            time.sleep(LOOK_EVERY)
        return time.monotonic() - began

    def wait_for_all(self) -> None:
        """Wait until each kind of process is there again."""
        deadline = time.monotonic() + PATIENCE
        while not all(self.pids(kind) for kind in ("web", "web worker", "worker", "clock")):
            if time.monotonic() > deadline:
                raise RuntimeError(f"not all processes came back; see {self._log}")
            time.sleep(LOOK_EVERY)

    def pids(self, kind: str) -> list[int]:
        """Processes of one kind that run now."""
        if kind == "supervisor":
            return [self.process.pid]
        family = _family(self.process.pid)
        if kind == "site":
            return [self.process.pid, *family]
        servers = [pid for pid in _children(self.process.pid) if "granian" in _command(pid)]
        if kind == "web":
            return servers
        if kind == "web worker":
            below = [pid for server in servers for pid in _children(server)]
            return [pid for pid in below if "resource_tracker" not in _command(pid)]
        return [pid for pid in family if SIGNS[kind] in _command(pid)]

    def manage(self, *arguments: str) -> Any:
        """What a management command prints as JSON."""
        run = subprocess.run(
            [sys.executable, "manage.py", *arguments, "--json"],
            cwd=ROOT, env=self.environment, check=True, stdout=subprocess.PIPE,
        )  # fmt: skip
        return json.loads(run.stdout)

    def stop(self) -> None:
        """Ctrl-C."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(30)

    def _is_ready(self) -> bool:
        line = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            line.request("GET", "/readyz")
            return line.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            line.close()


def kill(pids: list[int]) -> None:
    """SIGKILL to all of them, the parents first."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _family(pid: int) -> list[int]:
    children = _children(pid)
    return [*children, *(each for child in children for each in _family(child))]


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                found += map(int, (task / "children").read_text().split())
    return found


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""
