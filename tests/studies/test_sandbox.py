from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from studies.refusals import SENTENCES
from studies.sandbox import ENVIRONMENT, ROOT, Sandbox, SandboxDied, SandboxRefused, seccomp
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
    ],
)
def test_a_child_that_lies_is_not_believed(sandbox: Sandbox, words: str) -> None:
    with pytest.raises(SandboxDied):
        sandbox.run("lie", {"bytes": words})


def test_words_of_a_child_are_made_fit_for_a_log(sandbox: Sandbox) -> None:
    header = '{"sizes":[],"refused":{"code":"made up","where":"x\\n2026-01-01 ok <b>"}}'
    with pytest.raises(SandboxRefused) as refused:
        sandbox.run("lie", {"bytes": "\0\0\0" + chr(len(header)) + header})
    assert (refused.value.code, refused.value.where) == ("unreadable", "x?2026?01?01 ok ?b?")


@filtered
@pytest.mark.parametrize("deed", ATTEMPTS)
def test_a_child_can_not(sandbox: Sandbox, deed: str) -> None:
    expected = "RuntimeError" if deed == "start a thread" else "PermissionError"
    assert sandbox.run("attempt", {"deed": deed}).values == {"ended": expected}
    assert not Path("/tmp/escaped").exists()


@filtered
def test_confinement_says_what_is_in_force(sandbox: Sandbox) -> None:
    assert sandbox.confinement == ("limits", "no new privileges", "system calls")


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
