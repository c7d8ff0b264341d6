"""What a process taken over by a hostile file might try; loaded by the zygote of test_sandbox only."""

from __future__ import annotations

import ctypes
import errno
import json
import mmap
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from studies.refusals import CannotShow
from studies.sandbox.registry import Answer, task
from studies.sandbox.wire import LENGTH


@task("echo")
def echo(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    return args, blobs[::-1]


@task("refuse")
def refuse(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    raise CannotShow("video")


@task("fail")
def fail(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    raise ValueError("ZEBRAFISH^Maria was born on 1980-05-17")


@task("spin")
def spin(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    while True:
        pass


@task("wait")
def wait(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    time.sleep(60)
    return {}, []


@task("eat")
def eat(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    return {"length": len(bytearray(args["bytes"]))}, []


@task("crash")
def crash(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    ctypes.string_at(0)
    return {}, []


@task("abort")
def abort(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    """End as a C++ library does over an exception that nobody caught."""
    os.abort()


@task("lie")
def lie(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    """Speak on the connection oneself, as code that took over the child could."""
    os.write(3, args["bytes"].encode("latin-1"))
    os._exit(0)


@task("promise")
def promise(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    """Announce more bytes than anybody has memory for, and begin to send them."""
    header = json.dumps({"values": {}, "sizes": [args["bytes"]]}).encode()
    os.write(3, LENGTH.pack(len(header)) + header + b"x" * 4096)
    os._exit(0)


@task("drip")
def drip(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    """Answer one byte at a time, for ever: each comes well before anybody loses patience."""
    os.write(3, LENGTH.pack(1 << 20))
    while True:
        os.write(3, b" ")
        time.sleep(0.01)


@task("look around")
def look_around(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    return {"environment": sorted(os.environ), "descriptors": [fd for fd in range(64) if _is_open(fd)]}, []


@task("attempt")
def attempt(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    """Try one forbidden deed; say how it ended."""
    try:
        ATTEMPTS[args["deed"]]()
    except (OSError, RuntimeError) as error:
        return {"ended": type(error).__name__}, []
    return {"ended": "done"}, []


def _is_open(descriptor: int) -> bool:
    try:
        os.lseek(descriptor, 0, os.SEEK_CUR)
    except OSError as error:
        return error.errno != errno.EBADF
    return True


def _executable_memory() -> None:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)


def _call(name: str, *args: int) -> None:
    """Make a system call that Python has no function for."""
    if getattr(_LIBC, name)(*args) < 0:
        raise OSError(ctypes.get_errno(), name)


_LIBC = ctypes.CDLL(None, use_errno=True)
_PTRACE_ATTACH = 16

ATTEMPTS: dict[str, Callable[[], object]] = {
    "read a file": lambda: os.open("/etc/passwd", os.O_RDONLY),
    "write a file": lambda: os.open(f"/tmp/escaped-{os.getppid()}", os.O_WRONLY | os.O_CREAT),
    "connect": lambda: _call("connect", 3, 0, 0),
    "read its parent's memory": lambda: _call("process_vm_readv", os.getppid(), 0, 0, 0, 0, 0),
    "trace its parent": lambda: _call("ptrace", _PTRACE_ATTACH, os.getppid(), 0, 0),
    "open a socket": lambda: socket.socket(socket.AF_INET),
    "run a program": lambda: os.execv(sys.executable, [sys.executable]),  # noqa: S606
    "fork": os.fork,
    "start a thread": lambda: threading.Thread(target=int).start(),
    "kill its parent": lambda: os.kill(os.getppid(), signal.SIGTERM),
    "list a folder": lambda: os.listdir("/"),
    "remove a file": lambda: os.unlink(f"/tmp/escaped-{os.getppid()}"),
    "make memory executable": _executable_memory,
}
