from __future__ import annotations

import errno
import os
import select
import signal
import struct
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from studies.refusals import SENTENCES
from studies.sandbox import (
    ADMISSION,
    ENVIRONMENT,
    LOOKING,
    READING,
    ROOT,
    Sandbox,
    SandboxBusy,
    SandboxDied,
    SandboxRefused,
    confinement,
    landlock,
    seccomp,
)
from studies.sandbox.wire import LENGTH
from tests.studies.sandbox_tasks import ATTEMPTS

MIB = 1 << 20
filtered = pytest.mark.skipif(
    os.uname().machine not in seccomp.MACHINES or sys.platform != "linux", reason="no system call filter here"
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox(["tests.studies.sandbox_tasks"])
    yield sandbox
    sandbox.stop()


def still_works(sandbox: Sandbox) -> bool:
    return sandbox.run("echo", {"still": "here"}).values == {"still": "here"}


def zygote_of(sandbox: Sandbox) -> int:
    sandbox.start()
    assert sandbox._process
    return sandbox._process.pid


def is_full(sandbox: Sandbox, lane: str) -> bool:
    try:
        sandbox.run("echo", {}, lane=lane, patience=0.01)
    except SandboxBusy:
        return True
    return False


def test_values_and_blobs_come_back(sandbox: Sandbox) -> None:
    result = sandbox.run("echo", {"name": "Müller", "n": [1, 2.5, None]}, [b"", b"b" * (3 * MIB)])
    assert result.values == {"name": "Müller", "n": [1, 2.5, None]}
    assert result.blobs == [b"b" * (3 * MIB), b""]


def test_many_threads_share_one_zygote(sandbox: Sandbox) -> None:
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: sandbox.run("echo", {"n": n}, [bytes([n]) * MIB]), range(24)))
    assert [(result.values["n"], result.blobs[0][0]) for result in results] == [(n, n) for n in range(24)]


def test_a_refusal_arrives_with_its_code_and_sentence(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxRefused) as refused:
        sandbox.run("refuse", {})
    assert (refused.value.code, refused.value.sentence) == ("video", SENTENCES["video"])
    assert still_works(sandbox)


def test_an_unexpected_error_tells_its_place_and_nothing_of_the_file(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxRefused) as refused:
        sandbox.run("fail", {})
    assert refused.value.code == "unreadable"
    assert refused.value.where.startswith("ValueError in sandbox_tasks.py:")
    assert "ZEBRAFISH" not in repr(vars(refused.value))


@pytest.mark.parametrize("task", ["spin", "wait"])
def test_a_child_that_takes_too_long_is_killed(sandbox: Sandbox, task: str) -> None:
    with pytest.raises(SandboxDied, match="took too long"):
        sandbox.run(task, {}, seconds=0.2)
    assert still_works(sandbox)


def test_a_child_gets_two_gigabytes_and_no_more(sandbox: Sandbox) -> None:
    assert sandbox.run("eat", {"bytes": 1 << 29}).values == {"length": 1 << 29}
    with pytest.raises(SandboxDied, match="ran out of memory"):
        sandbox.run("eat", {"bytes": 2 << 30})


def test_a_crash_costs_one_request(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxDied, match="SIGSEGV"):
        sandbox.run("crash", {}, [b"x" * MIB])
    assert still_works(sandbox)


def test_a_result_beyond_the_limit_is_not_taken(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxDied, match="too large"):
        sandbox.run("echo", {}, [b"x" * (MIB + 1)], result_limit=MIB)


def test_a_death_costs_its_caller_no_time_and_its_siblings_nothing(sandbox: Sandbox) -> None:
    def die(_: int) -> float:
        began = time.monotonic()
        with pytest.raises(SandboxDied):
            sandbox.run("crash", {})
        return time.monotonic() - began

    with ThreadPoolExecutor(8) as pool:
        deaths = pool.map(die, range(8))
        lives = pool.map(lambda n: sandbox.run("echo", {"n": n}, [b"x" * MIB]).values["n"], range(8))
        assert list(lives) == list(range(8))
        assert min(deaths) < 0.1, "seconds"


def test_an_answer_of_ten_gigabytes_is_never_waited_for(sandbox: Sandbox) -> None:
    tracemalloc.start()
    with pytest.raises(SandboxDied, match="too large"):
        sandbox.run("promise", {"bytes": 10 << 30})
    with pytest.raises(SandboxDied):
        sandbox.run("promise", {"bytes": 200 << 20})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * MIB


def test_an_answer_that_drips_ends_with_the_clock(sandbox: Sandbox) -> None:
    began = time.monotonic()
    with pytest.raises(SandboxDied):
        sandbox.run("drip", {}, seconds=0.2)
    assert time.monotonic() - began < 5
    assert still_works(sandbox)


def test_files_on_their_way_in_do_not_keep_readers_waiting() -> None:
    crowded = Sandbox(["tests.studies.sandbox_tasks"], children=1)
    crowded.start()
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(crowded.run, "wait", {}, seconds=0.6, lane=ADMISSION)
        while not is_full(crowded, ADMISSION):
            pass
        assert still_works(crowded)
        assert not hanging.done(), "the reader did not wait for it"
        with pytest.raises(SandboxDied, match="took too long"):
            hanging.result()
    assert crowded.run("echo", {"turn": "free"}, lane=ADMISSION).values == {"turn": "free"}
    crowded.stop()


def test_whoever_looks_at_a_picture_waits_for_no_other_work() -> None:
    crowded = Sandbox(["tests.studies.sandbox_tasks"], children=1)
    crowded.start()
    with ThreadPoolExecutor(2) as pool:
        hanging = [pool.submit(crowded.run, "wait", {}, seconds=0.6, lane=lane) for lane in (ADMISSION, READING)]
        while not (is_full(crowded, ADMISSION) and is_full(crowded, READING)):
            pass
        assert crowded.run("echo", {"turn": "hers"}, lane=LOOKING).values == {"turn": "hers"}
        assert not any(each.done() for each in hanging)
        for each in hanging:
            with pytest.raises(SandboxDied, match="took too long"):
                each.result()
    crowded.stop()


def said(header: str) -> str:
    """A header as it passes on the wire, one character a byte."""
    return LENGTH.pack(len(header)).decode("latin-1") + header


@pytest.mark.parametrize(
    "words",
    [
        "",
        "\0\0",
        "\xff\xff\xff\xff",
        "\0\0\0\2{}",
        "\0\0\0\2[]",
        '\0\0\0\x0c{"sizes":[]}',
        '\0\0\0\x0e{"sizes":[-1]}',
        '\0\0\0\x18{"sizes":[],"values": 12}',
        '\0\0\0\x1a{"sizes":[],"refused":"x"}',
        "\0\0\0\x64" + "[" * 100,
        "\0\0\x40\0" + "[" * 0x2000 + "]" * 0x2000,
        said('{"values":{"n":NaN},"sizes":[]}'),
        said('{"values":{"n":-Infinity},"sizes":[]}'),
        said('{"values":{"n":1e999},"sizes":[]}'),
        said('{"values":{"n":"\\ud800"},"sizes":[]}'),
        said('{"values":{"n":"\xed\xa0\x80"},"sizes":[]}'),
        said('{"values":{},"sizes":["3"],"died":4}'),
        said('{"values":{},"sizes":[1e300]}'),
        said('{"values":{},"sizes":[[]]}'),
        said('{"values":{"n":1}}'),
        said('{"values":{},"sizes":[3]}') + "ab",
    ],
)
def test_a_child_that_lies_is_not_believed(sandbox: Sandbox, words: str) -> None:
    with pytest.raises(SandboxDied):
        sandbox.run("lie", {"bytes": words})


def test_words_of_a_child_are_made_fit_for_a_log(sandbox: Sandbox) -> None:
    header = '{"sizes":[],"refused":{"code":"made up","where":"x\\n2026-01-01 ok <b>"}}'
    with pytest.raises(SandboxRefused) as refused:
        sandbox.run("lie", {"bytes": said(header)})
    assert (refused.value.code, refused.value.where) == ("unreadable", "x?2026?01?01 ok ?b?")


@filtered
@pytest.mark.parametrize("deed", ATTEMPTS)
def test_a_child_can_not(sandbox: Sandbox, deed: str) -> None:
    expected = "RuntimeError" if deed == "start a thread" else "PermissionError"
    assert sandbox.run("attempt", {"deed": deed}).values == {"ended": expected}
    assert not list(Path("/tmp").glob(f"escaped-{zygote_of(sandbox)}"))


@filtered
def test_confinement_says_what_is_in_force(sandbox: Sandbox) -> None:
    walls = {"limits", "no new privileges", "system calls"}
    assert set(sandbox.confinement) == walls | ({"file system"} if landlock.version() else set())


def test_limits_alone_hold_a_process_back() -> None:
    """Where the kernel has no other wall, these are all there is."""
    script = (
        "import os, sys, tempfile; from resource import *\n"
        "from studies.sandbox import confinement\n"
        "file = tempfile.TemporaryFile()\n"
        "confinement._limit(5)\n"
        "print(*(getrlimit(one) for one in (RLIMIT_AS, RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_CORE, RLIMIT_NPROC)))\n"
        "def ends(deed):\n"
        "    try: deed()\n"
        "    except (OSError, MemoryError) as error: return type(error).__name__, getattr(error, 'errno', 0)\n"
        "print(ends(lambda: os.write(file.fileno(), b'x')), ends(lambda: [os.dup(0) for _ in range(16)]),"
        " ends(lambda: bytearray(3 << 30)))"
    )
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    limits, ends = ran.stdout.splitlines()
    assert limits == " ".join(f"({most}, {most})" for most in (confinement.MEMORY, 6, 0, 0, 0))
    assert ends == f"('OSError', {errno.EFBIG}) ('OSError', {errno.EMFILE}) ('MemoryError', 0)"


@pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock")
def test_landlock_alone_keeps_a_process_from_files_and_ports(tmp_path: Path) -> None:
    """What the filter of system calls would refuse anyway: each wall must stand without the other."""
    script = (
        "import ctypes, os, socket, sys\n"
        "from studies.sandbox import landlock\n"
        "ctypes.CDLL(None).prctl(38, 1, 0, 0, 0); assert landlock.install()\n"
        "def ends(deed):\n"
        "    try: deed()\n"
        "    except OSError as error: return type(error).__name__\n"
        "print(ends(lambda: os.open('/etc/passwd', os.O_RDONLY)), ends(lambda: os.listdir('/')),"
        " ends(lambda: os.mkdir(sys.argv[1])))\n"
        "print(ends(lambda: socket.socket().connect(('127.0.0.1', 9))))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "made")], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files, port = ran.stdout.splitlines()
    assert files == "PermissionError " * 2 + "PermissionError"
    assert port == ("PermissionError" if landlock.version() >= landlock.NET_SINCE else "ConnectionRefusedError")


def test_a_kernel_without_landlock_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "CREATE_RULESET", 9999)
    assert (landlock.version(), landlock.install()) == (0, False)


@pytest.mark.parametrize(("abi", "words"), [(1, [0x1FFF]), (3, [0x7FFF]), (4, [0x7FFF, 3]), (7, [0xFFFF, 3, 3])])
def test_a_ruleset_forbids_what_its_kernel_knows_and_names_nothing_else(abi: int, words: list[int]) -> None:
    assert list(struct.unpack(f"={len(words)}Q", landlock.ruleset(abi))) == words


def test_a_machine_without_a_filter_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert seccomp.install() is False


@pytest.mark.parametrize("machine", seccomp.MACHINES)
def test_the_filter_is_a_well_formed_program(machine: str) -> None:
    code = seccomp.program(machine)
    assert len(code) % 8 == 0
    steps = len(code) // 8
    jumps = [code[at * 8 : at * 8 + 4] for at in range(steps) if code[at * 8] == seccomp.JUMP_EQUAL]
    assert all(at + 1 + max(jump[2], jump[3]) < steps for at, jump in enumerate(jumps, 4) if at < steps)


def test_a_child_sees_no_secret_and_no_neighbour(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_KEY", "secret")
    sandbox.stop()
    seen = sandbox.run("look around", {}).values
    assert seen["descriptors"] == [0, 1, 2, 3]
    assert set(seen["environment"]) <= {*ENVIRONMENT, "LC_CTYPE"}


def test_a_dead_zygote_is_replaced(sandbox: Sandbox) -> None:
    first = zygote_of(sandbox)
    os.kill(first, signal.SIGKILL)
    os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
    assert still_works(sandbox)
    assert zygote_of(sandbox) != first


def test_stop_takes_the_zygote_and_start_brings_one_back(sandbox: Sandbox) -> None:
    first = zygote_of(sandbox)
    sandbox.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)
    assert still_works(sandbox)


def test_a_zygote_that_cannot_start_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SandboxDied, match="did not start"):
        Sandbox(["studies.no_such_module"]).start()
    assert "no_such_module" in capfd.readouterr().err


def test_a_forked_process_leaves_its_parents_zygote_alone(sandbox: Sandbox) -> None:
    first = zygote_of(sandbox)
    pid = os.fork()
    if pid == 0:
        try:
            sandbox.leave_to_parent()
            own = still_works(sandbox) and zygote_of(sandbox) != first
            sandbox.stop()
        finally:
            os._exit(0 if own else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert still_works(sandbox)
    assert zygote_of(sandbox) == first


def test_the_zygote_does_not_outlive_its_parent() -> None:
    """The parent is killed without a chance to say goodbye, while a child of its zygote is at work."""
    script = (
        "from studies.sandbox import Sandbox; import threading, time\n"
        "s = Sandbox(['tests.studies.sandbox_tasks']); s.start(); print(s._process.pid, flush=True)\n"
        "s.run('wait', {}, seconds=60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        zygote = int(parent.stdout.readline())
        ended = os.pidfd_open(zygote)
        parent.kill()
    gone, _, _ = select.select([ended], [], [], 10)
    os.close(ended)
    assert gone
