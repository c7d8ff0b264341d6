"""The fuzzers: each reader of foreign bytes that stands outside the sandbox, a million inputs each.

    python -m fuzz [--inputs N] [--keep FOLDER] [TARGET …]

One process a target, with libFuzzer's clock of ten seconds an input and a bound on memory. The corpus is made anew
each time, from pydicom's files and a few seeds; what a run finds in the way of crashes is named, kept and becomes a
test (tests/studies/test_hostile.py), so no corpus is committed.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from fuzz.targets import TARGETS, Target

INPUTS = 1_000_000
SECONDS = 10  # for one input
MEMORY_MIB = 1024
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Outcome:
    """What one run came to."""

    inputs: int
    seconds: float
    peak_mib: int
    failed: bool

    def __str__(self) -> str:
        rate = self.inputs / self.seconds
        verdict = "FAILED" if self.failed else "no crash, no hang"
        return f"{self.inputs:>12,} inputs  {rate:>8,.0f}/s  {self.peak_mib:>5} MiB at most  {verdict}"


def main() -> int:
    """Fuzz the targets one after the other; 1 when any failed."""
    options = _options()
    failed = 0
    for name in options.targets or TARGETS:
        with tempfile.TemporaryDirectory(prefix="lightbox-fuzz-") as corpus:
            _plant(Path(corpus), TARGETS[name])
            outcome = _run(name, Path(corpus), options.keep, options.inputs)
        print(f"{name:<10} {outcome}", flush=True)
        failed |= outcome.failed or outcome.inputs < options.inputs
    return int(failed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []], metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--inputs", type=int, default=INPUTS, help="how many, for each target")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()), help="where crashing inputs go")
    return parser.parse_args()


def _plant(corpus: Path, target: Target) -> None:
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)


def _run(name: str, corpus: Path, keep: Path, inputs: int) -> Outcome:
    command = [
        *(sys.executable, "-m", "fuzz.one", name, str(corpus)),
        *(f"-runs={inputs}", f"-timeout={SECONDS}", f"-rss_limit_mb={MEMORY_MIB}"),
        *(f"-max_len={TARGETS[name].longest}", "-print_final_stats=1", f"-artifact_prefix={keep}/{name}-"),
    ]
    began = time.monotonic()
    ran = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    words = ran.stdout.decode(errors="replace")
    if ran.returncode:
        print(words[-4000:])
    return Outcome(
        _stat(words, "number_of_executed_units"),
        time.monotonic() - began,
        _stat(words, "peak_rss_mb"),
        failed=bool(ran.returncode),
    )


def _stat(words: str, name: str) -> int:
    found = re.search(rf"stat::{name}:\s+(\d+)", words)
    return int(found[1]) if found else 0


if __name__ == "__main__":
    sys.exit(main())
