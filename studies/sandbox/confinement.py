"""Take from this process everything that reading a foreign file does not need."""

from __future__ import annotations

import ctypes
import math
import os
import resource
import signal
import sys

from studies.sandbox import landlock, seccomp

MEMORY = 2 << 30
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38

in_force: list[str] = []


def confine(seconds: float) -> None:
    """Limit this process for good and note in `in_force` what this system could do.

    Limits hold everywhere; the rest needs Linux. What is missing is not fatal here: `Sandbox.confinement`
    says so to `manage.py check --deploy`, which names it (portal.W003).
    """
    _limit(seconds)
    in_force.append("limits")
    if sys.platform != "linux":
        return
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        in_force.append("no new privileges")
        if landlock.install():
            in_force.append("file system")
        if seccomp.install():
            in_force.append("system calls")


def _limit(seconds: float) -> None:
    limits = {
        resource.RLIMIT_AS: MEMORY,
        resource.RLIMIT_CPU: math.ceil(seconds) + 1,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 16,
        resource.RLIMIT_NPROC: 0,
    }
    for limit, value in limits.items():
        resource.setrlimit(limit, (value, value))


def keep_only(descriptor: int) -> int:
    """Close every descriptor but the standard three and this one; return its new number, 3.

    The children of one zygote serve different patients: none may keep a neighbour's connection.
    """
    os.dup2(descriptor, 3)
    os.closerange(4, os.sysconf("SC_OPEN_MAX"))
    return 3
