"""The zygote: loads the decoders once, then forks one confined child per request.

Started by exec with nothing of its parent's but a control socket (standard input) and standard error, so
that no secret of the web process is in its memory or environment, and single-threaded, so that it may fork.
It goes when the control socket closes or its parent does, and takes its children with it.
"""

from __future__ import annotations

import gc
import importlib
import json
import logging
import os
import selectors
import signal
import socket
import sys
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from studies.refusals import Refusal
from studies.sandbox import confinement, wire
from studies.sandbox.registry import Answer, preloads, task, tasks

PARENT_CHECK = 5.0


@dataclass
class Child:
    pid: int
    ended: int  # a pidfd, readable once the child has ended
    connection: socket.socket
    deadline: float
    overdue: bool = False


class Zygote:
    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.parent = os.getppid()
        self.children: list[Child] = []
        self.selector = selectors.DefaultSelector()
        self.selector.register(control, selectors.EVENT_READ)

    def serve(self) -> None:
        """Fork, reap and kill until the parent is gone."""
        while os.getppid() == self.parent:
            for key, _ in self.selector.select(self.patience()):
                if key.data:
                    self.reap(key.data)
                elif not self.accept():
                    return
            self.kill_overdue()

    def patience(self) -> float:
        nearest = min((child.deadline for child in self.children if not child.overdue), default=None)
        return PARENT_CHECK if nearest is None else min(PARENT_CHECK, max(0.0, nearest - time.monotonic()))

    def accept(self) -> bool:
        """Take one request from the control socket; False when it was closed."""
        message, descriptors, _, _ = socket.recv_fds(self.control, 4096, 1)
        if not message:
            return False
        connection = socket.socket(fileno=descriptors[0])
        seconds = float(json.loads(message)["seconds"])
        try:
            pid = os.fork()
        except OSError:
            _say(connection, "no process could be started")
            connection.close()
            return True
        if pid == 0:
            _live(connection, seconds)
        child = Child(pid, os.pidfd_open(pid), connection, time.monotonic() + seconds)
        self.children.append(child)
        self.selector.register(child.ended, selectors.EVENT_READ, child)
        return True

    def reap(self, child: Child) -> None:
        self.selector.unregister(child.ended)
        self.children.remove(child)
        _, status = os.waitpid(child.pid, 0)
        os.close(child.ended)
        if status:
            _say(child.connection, _cause(child, os.waitstatus_to_exitcode(status)))
        child.connection.close()

    def kill_overdue(self) -> None:
        now = time.monotonic()
        for child in self.children:
            if child.deadline <= now and not child.overdue:
                child.overdue = True
                os.kill(child.pid, signal.SIGKILL)

    def stop(self) -> None:
        for child in self.children:
            os.kill(child.pid, signal.SIGKILL)


def _cause(child: Child, exit_code: int) -> str:
    if child.overdue or exit_code == -signal.SIGXCPU:
        return "it took too long"
    return f"it ended by {signal.Signals(-exit_code).name}" if exit_code < 0 else "it failed"


def _say(connection: socket.socket, reason: str) -> None:
    # A courtesy after the fact: the client knows from the closed connection alone, and may be gone itself.
    connection.setblocking(False)
    with suppress(OSError):
        wire.send(connection, {"died": reason})


def _live(connection: socket.socket, seconds: float) -> None:
    """The whole life of a child; never returns into the zygote's loop."""
    status = 1
    try:
        with socket.socket(fileno=confinement.keep_only(connection.fileno())) as only:
            os.dup2(0, 2)  # what a foreign library complains of may quote the file
            confinement.confine(seconds)
            request, blobs = wire.receive(only, sys.maxsize)
            wire.send(only, *_answer(request, blobs))
        status = 0
    finally:
        os._exit(status)


def _answer(request: dict[str, Any], blobs: list[bytes]) -> Answer:
    """Do the task. A refusal names a code and, for the log, the place: never a word of the exception, for
    pydicom's messages quote the file."""
    try:
        values, results = tasks[request["task"]](request["args"], blobs)
    except Refusal as refusal:
        return {"refused": {"code": refusal.code, "where": ""}}, []
    except MemoryError:
        return {"died": "it ran out of memory"}, []
    except Exception as error:
        where = f"{type(error).__name__} in {_place(error.__traceback__)}"
        return {"refused": {"code": "unreadable", "where": where}}, []
    return {"values": values}, results


def _place(traceback: TracebackType | None) -> str:
    place = ""
    while traceback:
        place = f"{Path(traceback.tb_frame.f_code.co_filename).name}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place


@task("confinement")
def _confinement(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    return {"in_force": confinement.in_force}, []


def _take_control() -> socket.socket:
    control = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)
    return control


def _be_first_to_go() -> None:
    """When memory runs out, the kernel should take a decoder and not the site."""
    score = Path("/proc/self/oom_score_adj")
    if score.exists():
        score.write_text("1000")


def main(modules: list[str]) -> None:
    control = _take_control()
    warnings.simplefilter("ignore")
    logging.disable()
    _be_first_to_go()
    for module in modules:
        importlib.import_module(module)
    for load in preloads:
        load()
    gc.collect()
    gc.freeze()  # keeps what was loaded in pages shared with every child
    control.send(b"ready")
    zygote = Zygote(control)
    try:
        zygote.serve()
    finally:
        zygote.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
