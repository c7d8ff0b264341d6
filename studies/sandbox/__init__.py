"""Parse and decode foreign bytes in a disposable, limited child.

A hostile file may crash, hang or take over the process that reads it. So the process that reads it has no
secret, no network, no file, two gigabytes, a few seconds and one request; then it is gone. A threaded web
process must not fork itself: a zygote, started by exec, forks for it.

    from studies import sandbox
    result = sandbox.run("facts", {}, [header])

Tasks are functions registered with `studies.sandbox.registry.task` in one of `MODULES`.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studies.refusals import SENTENCES, Refusal
from studies.sandbox import wire
from studies.sandbox.turns import Turns

MODULES = (
    "studies.dicom",
    "studies.dicom.metadata",
    "studies.dicom.keywords",
    "studies.rendering",
    "studies.rendering.samples",
    "studies.rendering.octets",
    "studies.documents.contents",
    "studies.takehome.directory_records",
    "studies.documents.pages",
)
ROOT = Path(__file__).resolve().parents[2]
RESULT_LIMIT = 256 << 20
START_SECONDS = 60

ADMISSION = "admission"
"""The lane of files on their way in: their senders wait for each other, and readers never for them."""
READING = "reading"
"""The lane of everything that is done with what is in."""
LOOKING = "looking"
"""The lane of what somebody waits for in front of a picture: neither senders nor new studies come before her."""
GRACE_SECONDS = 10  # beyond the zygote's own clock, should the zygote itself hang

# Nothing of ours goes along. One thread per library: the zygote must stay single-threaded to fork.
ENVIRONMENT = {"LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class SandboxRefused(Refusal):
    """The file was read and refused.

    `where` names an unexpected error and its place in the code, for the log. No value of the file is in it.
    """

    def __init__(self, code: str, where: str = "") -> None:
        super().__init__(code if code in SENTENCES else "unreadable")
        self.where = where


class SandboxBusy(Exception):
    """No turn came in time; nothing was read, and no file is to blame."""


class SandboxDied(Exception):
    """The child gave no answer: it was killed, took too long, or used too much memory."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the sandboxed child gave no answer: {reason}")
        self.reason = reason


@dataclass(frozen=True)
class Result:
    values: dict[str, Any]
    blobs: list[bytes]


class Sandbox:
    """One zygote and its children. Thread-safe; starts when first needed and again when it has died."""

    def __init__(self, modules: Iterable[str] = MODULES, *, children: int | None = None) -> None:
        self._modules = tuple(modules)
        self._children = children or max(2, os.cpu_count() or 2)
        self._confinement: tuple[str, ...] | None = None
        self._forget()

    def _forget(self) -> None:
        """Begin without a zygote; after a fork, the parent's is not ours to use, and its lock may be held."""
        self._lock = threading.Lock()
        self._turns = {lane: Turns(self._children) for lane in (ADMISSION, READING, LOOKING)}
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def leave_to_parent(self) -> None:
        """Let go, in a forked process, of the parent's zygote."""
        if self._control:
            self._control.close()
        if self._process:
            self._process.returncode = 0  # not our child: nobody here may wait for it
        self._forget()

    def start(self) -> None:
        """Start the zygote now (about half a second), not at the first request."""
        with self._lock:
            self._ready()

    def stop(self) -> None:
        """Close the control socket: the zygote goes, and its children with it."""
        with self._lock:
            self._end()

    @property
    def confinement(self) -> tuple[str, ...]:
        """What is in force in a child here: "limits", "no new privileges", "file system", "system calls"."""
        if self._confinement is None:
            self._confinement = tuple(self.run("confinement", {}).values["in_force"])
        return self._confinement

    def run(
        self,
        task: str,
        args: dict[str, Any],
        blobs: Iterable[bytes] = (),
        *,
        seconds: float = 20,
        result_limit: int = RESULT_LIMIT,
        lane: str = READING,
        whose: Hashable = None,
        patience: float | None = None,
    ) -> Result:
        """Do one task in a child of its own and return its result.

        Raises `SandboxRefused` when the file is at fault, `SandboxDied` when there is no answer; after either
        the next request works. In each lane at most `children` run at once, in turn for each of `whose` files wait:
        callers wait for ever, or for so many seconds of `patience`, and then `SandboxBusy` is raised.
        """
        with self._turn(lane, whose, patience):
            ours, theirs = socket.socketpair()
            with ours:
                with theirs:
                    self._hand_over(theirs, seconds)
                ours.settimeout(seconds + GRACE_SECONDS)
                # A child that is killed while we send has closed the door; the reason is read below.
                with suppress(BrokenPipeError):
                    wire.send(ours, {"task": task, "args": args}, list(blobs))
                return understand(ours, result_limit)

    @contextmanager
    def _turn(self, lane: str, whose: Hashable, patience: float | None) -> Iterator[None]:
        turns = self._turns[lane]
        if not turns.acquire(whose, patience):
            raise SandboxBusy(f"no turn in the lane of {lane}")
        try:
            yield
        finally:
            turns.release()

    def _hand_over(self, connection: socket.socket, seconds: float) -> None:
        message = json.dumps({"seconds": seconds}).encode()
        with self._lock:
            try:
                socket.send_fds(self._ready(), [message], [connection.fileno()])
            except (BrokenPipeError, ConnectionResetError):
                self._end()
                socket.send_fds(self._ready(), [message], [connection.fileno()])

    def _ready(self) -> socket.socket:
        """The control socket of a live zygote. The caller holds the lock."""
        if self._control and self._process and self._process.poll() is None:
            return self._control
        self._end()
        return self._begin()

    def _begin(self) -> socket.socket:
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, *self._modules],
                stdin=theirs.fileno(),
                cwd=ROOT,
                env=ENVIRONMENT,
                start_new_session=True,  # a Ctrl-C in the terminal is not for the zygote
            )
        self._control = control
        control.settimeout(START_SECONDS)
        with suppress(TimeoutError, ConnectionResetError):
            if control.recv(16) == b"ready":
                return control
        self._end()
        raise SandboxDied("the zygote did not start; its error is on standard error")

    def _end(self) -> None:
        if self._control:
            self._control.close()
        if self._process:
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._control = self._process = None


def understand(connection: socket.socket, limit: int) -> Result:
    """Read the answer as the word of somebody who may by now be under a stranger's control."""
    try:
        header, blobs = wire.receive(connection, limit)
    except (wire.Malformed, ConnectionResetError) as error:
        raise SandboxDied(str(error) or "it went away") from error
    except TimeoutError as error:
        raise SandboxDied("it took too long") from error
    match header:
        case {"values": dict() as values}:
            return Result(values, blobs)
        case {"refused": {"code": str(code), "where": str(where)}}:
            raise SandboxRefused(code, _harmless(where))
        case {"died": str(reason)}:
            raise SandboxDied(_harmless(reason))
    raise SandboxDied("the answer makes no sense")


def _harmless(words: str) -> str:
    """Words fit for a log line."""
    return re.sub(r"[^\w .:]", "?", words[:200], flags=re.ASCII)


shared = Sandbox()
"""The one of this process."""

run, start, stop = shared.run, shared.start, shared.stop

atexit.register(shared.stop)
os.register_at_fork(after_in_child=shared.leave_to_parent)
