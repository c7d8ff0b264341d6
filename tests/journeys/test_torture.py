"""A short torture of the real site; `make torture` is the long one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.journeys.conftest import ROOT

pytestmark = pytest.mark.journey

KILLS = 20
READY_WITHIN = 60  # seconds, on a machine that runs a whole suite besides; `make torture` allows ten


def test_twenty_kills_lose_nothing() -> None:
    if "DATABASE_URL" in os.environ:
        pytest.skip("the run on SQLite does this; make torture kills a PostgreSQL of its own, too")
    run = subprocess.run(
        [
            *(sys.executable, "-m", "torture", "--kills", str(KILLS), "--seed", "1"),
            *("--database", "sqlite"),
            *("--ready-within", str(READY_WITHIN)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"{KILLS} kills" in run.stdout
    assert "0 lost, 0 wrong, 0 double" in run.stdout
