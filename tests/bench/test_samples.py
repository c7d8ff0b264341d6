"""The judge of the sample run must see a wrong picture when there is one."""

from __future__ import annotations

import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench import oracle
from bench.samples import Line, differences, ours
from studies.rendering import render
from tests.studies.test_rendering import BUNDLED

pytestmark = pytest.mark.skipif(not shutil.which("dcm2pnm"), reason="no dcm2pnm on this machine (.ci/packages)")

FILES = ["MR_small.dcm", "MR_small_RLE.dcm", "JPEG-lossy.dcm", "SC_rgb_jpeg_dcmtk.dcm", "693_J2KI.dcm"]


def judged(file: Path, shift: int = 0, flip: bool = False) -> Line:
    """The line of a file whose picture is that many grey levels too bright, or lies on its head."""
    pixels, chosen = ours(file)
    found = oracle.picture(file, chosen)
    assert found is not None
    (stored,) = render(file.read_bytes(), sizes={"preview": 1024})
    preview = Image.open(BytesIO(stored.content))
    wrong = np.clip(pixels.astype(int) + shift, 0, 255).astype(np.uint8)[:: -1 if flip else 1]
    return differences(Line(file, 200, "shown", witness=found[0]), preview, wrong, found[1])[0]


@pytest.mark.parametrize("name", FILES)
def test_a_right_picture_is_called_right(name: str) -> None:
    assert judged(BUNDLED / name).right is True


@pytest.mark.parametrize("name", FILES[::2])
def test_a_wrong_one_is_called_wrong(name: str) -> None:
    assert judged(BUNDLED / name, shift=9).right is False
    assert judged(BUNDLED / name, flip=True).right is False


def test_what_is_stored_is_judged_as_well_as_what_is_drawn() -> None:
    file = BUNDLED / "MR_small.dcm"
    pixels, chosen = ours(file)
    found = oracle.picture(file, chosen)
    assert found is not None
    dark = Image.fromarray(pixels // 2)
    assert differences(Line(file, 200, "shown"), dark, pixels, found[1])[0].right is False


def test_what_nobody_else_can_show_is_not_called_right() -> None:
    assert Line(BUNDLED / "MR_small.dcm", 200, "shown", witness="nobody").right is None
