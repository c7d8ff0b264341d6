"""Every row of the table of renditions against DCMTK's dcm2pnm at the same window and frame."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from bench import oracle
from bench.samples import ours
from tests.studies.rendition_rows import BUNDLED_ROWS, MADE, SAMPLE_ROWS, Row
from tests.studies.test_rendering import BUNDLED

pytestmark = pytest.mark.skipif(not shutil.which("dcm2pnm"), reason="no dcm2pnm on this machine (.ci/packages)")

MEAN = 1.0  # grey levels


def judge(file: Path, row: Row) -> None:
    pixels, chosen = ours(file, row.frame)
    found = oracle.picture(file, chosen, row.frame, row.options)
    assert found is not None, "nobody else can show it"
    _, theirs = found
    if theirs.ndim == 2 and pixels.ndim == 3:
        theirs = np.dstack([theirs] * 3)
    assert pixels.shape == theirs.shape
    assert np.ptp(pixels) > 0
    apart = np.abs(pixels.astype(int) - theirs)
    assert apart.mean() <= MEAN, f"{apart.mean():.2f} on average, {apart.max()} at most"


def test_the_table_is_long_enough() -> None:
    assert len(MADE) + len(BUNDLED_ROWS) >= 60


@pytest.mark.parametrize("row", MADE, ids=lambda row: row.name)
def test_a_made_picture_is_what_dcmtk_shows(row: Row, tmp_path: Path) -> None:
    assert row.make
    file = tmp_path / "made.dcm"
    file.write_bytes(row.make())
    judge(file, row)


@pytest.mark.parametrize("row", BUNDLED_ROWS, ids=lambda row: f"{row.name} {row.frame}")
def test_a_bundled_picture_is_what_dcmtk_shows(row: Row) -> None:
    judge(BUNDLED / row.name, row)


@pytest.mark.samples
@pytest.mark.parametrize("row", SAMPLE_ROWS, ids=lambda row: f"{row.name} {row.frame}")
def test_a_sample_is_what_dcmtk_shows(row: Row, samples: Path) -> None:
    judge(samples / row.name, row)
