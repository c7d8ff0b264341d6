"""Landlock: this process may touch no file and reach no port, whatever its system calls are (landlock(7)).

A second wall behind the filter of system calls: that one judges by numbers, which a new kernel may add to; this
one judges by what is touched. A ruleset that names every kind of access and allows none is all there is to it.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

# linux/landlock.h; the numbers of its system calls are the same on every machine.
CREATE_RULESET, RESTRICT_SELF = 444, 446
VERSION = 1 << 0  # a flag: ask for the ABI's version only

# By the ABI that brought it, how many kinds of access there are to files; and what else came.
FILE_ACCESSES = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
NET_SINCE, SCOPED_SINCE = 4, 6
NET_ACCESSES = 0b11  # bind and connect, TCP
SCOPES = 0b11  # abstract sockets, signals


def version() -> int:
    """The version of the kernel's Landlock; 0 where there is none, or it is switched off."""
    if sys.platform != "linux":
        return 0
    return max(0, int(ctypes.CDLL(None).syscall(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION)))


def ruleset(abi: int) -> bytes:
    """`struct landlock_ruleset_attr`: everything this ABI can forbid is forbidden, for nothing is allowed later."""
    files = (1 << FILE_ACCESSES[min(abi, max(FILE_ACCESSES))]) - 1
    net = NET_ACCESSES if abi >= NET_SINCE else None
    scoped = SCOPES if abi >= SCOPED_SINCE else None
    said = [part for part in (files, net, scoped) if part is not None]
    return struct.pack(f"={len(said)}Q", *said)


def install() -> bool:
    """Forbid this thread all files and ports for good; False where the kernel cannot.

    The caller must have set "no new privileges". What is open stays open.
    """
    abi = version()
    if not abi:
        return False
    system = ctypes.CDLL(None).syscall
    rules = ruleset(abi)
    descriptor = system(CREATE_RULESET, rules, ctypes.c_size_t(len(rules)), 0)
    if descriptor < 0:
        return False
    try:
        return bool(system(RESTRICT_SELF, descriptor, 0) == 0)
    finally:
        os.close(descriptor)
