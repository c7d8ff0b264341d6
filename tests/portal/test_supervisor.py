"""What died is started again: at once after an accident, later and later when it dies of itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from django.conf import settings

from portal.embedded import supervisor
from portal.embedded.supervisor import LONGEST_PAUSE, STEADY_SECONDS, Child

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


class Now:
    """The monotonic clock, moved by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Now:
    clock = Now()
    monkeypatch.setattr(supervisor, "time", clock)
    return clock


@pytest.fixture
def child(now: Now) -> Iterator[Child]:
    child = Child("sleeper", SLEEPER, {**os.environ})
    child.start()
    yield child
    child.end(signal.SIGKILL)
    if child.process:
        child.process.wait()


def kill(child: Child) -> int:
    assert child.process
    pid = child.process.pid
    os.kill(pid, signal.SIGKILL)
    child.process.wait()
    return pid


def said(child: Child) -> list[str]:
    words: list[str] = []
    child.tend(words.append)
    return words


def test_one_that_was_killed_is_started_at_once(child: Child, now: Now) -> None:
    now.seconds += STEADY_SECONDS + 1
    before = kill(child)
    assert said(child) == ["The sleeper process ended (status -9); starting it again."]
    assert said(child) == []
    assert child.is_alive()
    assert child.process
    assert child.process.pid != before


def test_one_that_keeps_dying_waits_longer_each_time(child: Child, now: Now) -> None:
    pauses = []
    for _ in range(9):
        kill(child)
        said(child)
        pauses.append(child.start_after - now.seconds)
        said(child)
        assert not child.is_alive()
        now.seconds = child.start_after
        said(child)
        assert child.is_alive()
    assert pauses == sorted(pauses)
    assert pauses[0] == 1.0
    assert pauses[-1] == LONGEST_PAUSE


def test_one_that_lives_again_is_forgiven(child: Child, now: Now) -> None:
    child.failures = 7
    now.seconds += STEADY_SECONDS + 1
    kill(child)
    said(child)
    assert (child.failures, child.start_after) == (0, now.seconds)


def test_what_the_dead_left_behind_goes_too(now: Now, tmp_path_factory: pytest.TempPathFactory) -> None:
    told = tmp_path_factory.mktemp("told") / "pid"
    leave = f"import subprocess, time; p = subprocess.Popen({SLEEPER!r}); open({str(told)!r}, 'w').write(str(p.pid))"
    child = Child("parent", [sys.executable, "-c", leave], {**os.environ})
    child.start()
    assert child.process
    child.process.wait()
    orphan = int(told.read_text())
    said(child)
    deadline = time.monotonic() + 5
    while _runs(orphan) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _runs(orphan)


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


ORPHAN = """
import multiprocessing, os, time
from portal.embedded.supervisor import die_with_parent

def work(parent):
    while os.getppid() == parent:
        time.sleep(0.01)
    die_with_parent()
    print("outlived its parent", flush=True)

multiprocessing.get_context("fork").Process(target=work, args=(os.getpid(),)).start()
os._exit(0)
"""


def test_who_lost_its_parent_while_starting_ends() -> None:
    run = subprocess.run(
        [sys.executable, "-c", ORPHAN], cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=30, check=True
    )
    assert run.stdout == ""
