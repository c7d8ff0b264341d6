"""A system call filter for a process that only computes: it may use memory, its open sockets, and exit.

An allow-list, because the list of what a decoder needs is short and the list of what an attacker wants is
not. Everything else (open, socket, connect, execve, fork, ptrace, kill …) fails with EPERM, so that an honest
library that asks for too much gets an error and not a death without a word. See seccomp(2), bpf(4).
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys

# Name: number on x86_64, number on aarch64 (None where the call does not exist there).
CALLS: dict[str, tuple[int, int | None]] = {
    "read": (0, 63), "write": (1, 64), "readv": (19, 65), "writev": (20, 66), "close": (3, 57),
    "sendto": (44, 206), "recvfrom": (45, 207), "poll": (7, None), "ppoll": (271, 73), "lseek": (8, 62),
    "munmap": (11, 215), "mremap": (25, 216), "madvise": (28, 233), "brk": (12, 214),
    "futex": (202, 98), "membarrier": (324, 283), "set_robust_list": (273, 99), "rseq": (334, 293),
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132), "restart_syscall": (219, 128),
    "sched_yield": (24, 124), "sched_getaffinity": (204, 123), "getcpu": (309, 168),
    "clock_gettime": (228, 113), "clock_getres": (229, 114), "clock_nanosleep": (230, 115),
    "nanosleep": (35, 101), "gettimeofday": (96, 169), "times": (100, 153), "getrusage": (98, 165),
    "getpid": (39, 172), "gettid": (186, 178), "sysinfo": (99, 179), "uname": (63, 160),
    "getrandom": (318, 278), "exit": (60, 93), "exit_group": (231, 94),
}  # fmt: skip
# Allowed as long as the memory is not made executable (third argument of both).
MAPPING_CALLS: dict[str, tuple[int, int | None]] = {"mmap": (9, 222), "mprotect": (10, 226)}
PROT_EXEC = 4

# Machine: column above, AUDIT_ARCH_… of linux/audit.h.
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

LOAD, JUMP_EQUAL, JUMP_SET, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
NUMBER, ARCHITECTURE, THIRD_ARGUMENT = 0, 4, 32  # offsets in struct seccomp_data (little endian)
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def program(machine: str) -> bytes:
    """The filter as BPF instructions: (code, jump if true, jump if false, operand) of 8 bytes each."""
    column, architecture = MACHINES[machine]
    mapping = [calls[column] for calls in MAPPING_CALLS.values()]
    plain = [calls[column] for calls in CALLS.values() if calls[column] is not None]
    code: list[tuple[int, int, int, int | None]] = [
        (LOAD, 0, 0, ARCHITECTURE),
        (JUMP_EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
    ]
    refuse = len(code) + len(mapping) + len(plain)
    allow, check = refuse + 1, refuse + 2
    code += [(JUMP_EQUAL, check - at - 1, 0, call) for at, call in enumerate(mapping, len(code))]
    code += [(JUMP_EQUAL, allow - at - 1, 0, call) for at, call in enumerate(plain, len(code))]
    code += [(RETURN, 0, 0, REFUSE), (RETURN, 0, 0, ALLOW)]
    code += [(LOAD, 0, 0, THIRD_ARGUMENT), (JUMP_SET, 0, 1, PROT_EXEC)]
    code += [(RETURN, 0, 0, REFUSE), (RETURN, 0, 0, ALLOW)]
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in code)


def install() -> bool:
    """Filter this thread's system calls for good; False where this kernel or machine cannot.

    The caller must have set "no new privileges" and be single-threaded.
    """
    machine = platform.machine()
    if sys.platform != "linux" or machine not in MACHINES:
        return False
    code = program(machine)
    filter_ = _Program(len(code) // 8, code)
    refused = ctypes.CDLL(None).prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(filter_), 0, 0)
    return refused == 0  # type: ignore[no-any-return]
