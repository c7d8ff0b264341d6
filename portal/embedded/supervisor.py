"""Keeps the embedded site's processes alive, and ends them all together.

The supervisor alone hears SIGINT (its children live in sessions of their own), stops them by SIGTERM within 15
seconds, starts anew what died, and its children die with it even when it is killed (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType

PR_SET_PDEATHSIG = 1  # linux/prctl.h
STOP_SECONDS = 15.0
TICK_SECONDS = 0.2
STEADY_SECONDS = 5.0
"""Whoever lived for so long was killed by an accident and not by its own start."""
LONGEST_PAUSE = 4.0
"""Killed as often as may be, the site is back within ten seconds of the last time."""


def die_with_parent(sign: signal.Signals = signal.SIGKILL) -> None:
    """Ask the kernel to send `sign` when the parent ends. Linux only; elsewhere SIGTERM has to do."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(sign))
    parent = multiprocessing.parent_process()
    if parent and parent.pid != os.getppid():
        os._exit(1)  # it ended while this process was starting: no signal will come


@dataclass
class Child:
    """One process, and when it may be started again."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    failures: int = 0
    started_at: float = 0.0
    start_after: float = 0.0

    def start(self) -> None:
        """Start it in a session of its own: a Ctrl-C in the terminal reaches the supervisor only."""
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            self.command,
            env=dict(self.environment),
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            preexec_fn=die_with_parent,
        )

    def is_alive(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    def tend(self, say: Callable[[str], None]) -> None:
        """Start what died: at once after an accident, after a pause that doubles while it does not live long."""
        now = time.monotonic()
        if self.is_alive() or now < self.start_after:
            return
        if self.process is None:
            self.start()
            return
        steady = now - self.started_at > STEADY_SECONDS
        self.failures = 0 if steady else self.failures + 1
        say(f"The {self.name} process ended (status {self.process.returncode}); starting it again.")
        self.end(signal.SIGKILL)  # what it left behind in its session may still hold its port
        self.process, self.start_after = None, now + self._pause()

    def _pause(self) -> float:
        return min(LONGEST_PAUSE, 0.5 * 2**self.failures) if self.failures else 0.0

    def end(self, sign: signal.Signals) -> None:
        """Send a signal to its whole session."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, sign)


@dataclass
class Supervisor:
    """Runs children until SIGINT or SIGTERM."""

    children: list[Child]
    say: Callable[[str], None]
    stopping: bool = False

    def run(self, on_start: Callable[[], None]) -> None:
        """Start all, tell `on_start`, and stay until told to stop."""
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(sign, self._hear)
        try:
            for child in self.children:
                child.start()
            on_start()
            while not self.stopping:
                for child in self.children:
                    child.tend(self.say)
                time.sleep(TICK_SECONDS)
        finally:
            self.stop()

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def stop(self) -> None:
        """TERM first; what still lives after 15 seconds is killed."""
        for child in self.children:
            if child.is_alive():
                child.end(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS - 2
        while time.monotonic() < deadline and any(child.is_alive() for child in self.children):
            time.sleep(0.05)
        for child in self.children:
            child.end(signal.SIGKILL)  # also sweeps up what a child may have left behind in its session
            if child.process is not None:
                child.process.wait()
