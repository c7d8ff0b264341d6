"""A file that was cut off on its way is never taken for a whole one, wherever it was cut."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from studies.dicom import identify
from studies.receiving.part10 import Facts, Surprise, Walk
from studies.refusals import NotReadable
from tests.studies.elements_made import BUNDLED, bundled

CUTS = 50
RT_DOSE = "1.2.840.10008.5.1.4.1.1.481.2"  # may be curves alone, without pixels
LARGEST = 1 << 20  # of a bundled file; there are few larger, and they say nothing new


def judged(content: bytes, size: int) -> Facts | str:
    """What intake makes of a file: what the walk saw, "whole" by the sandbox's word, or "" when it is refused."""
    walk = Walk()
    walk.feed(content)
    try:
        facts = walk.finish()
    except Surprise:
        return _by_the_sandbox(content)
    return facts if facts.complete else ""


def _by_the_sandbox(content: bytes) -> str:
    try:
        said = identify(content[: 1 << 20], len(content))
    except NotReadable:
        return ""
    return "whole" if said["sop_uid"] and said["study_uid"] and said["series_uid"] and not said["cut"] else ""


def taken(path: Path) -> Iterator[int]:
    """The cuts of a file that nobody noticed, of fifty between its first and its last byte."""
    content = path.read_bytes()
    whole = judged(content, len(content))
    for number in range(CUTS):
        end = 1 + (len(content) - 2) * number // (CUTS - 1)
        if found := judged(content[:end], end):
            yield end
            assert _may_be_whole(whole, found, end), f"{path.name} cut at {end}"


def _may_be_whole(whole: Facts | str, found: Facts | str, end: int) -> bool:
    """Whether no reader could tell: the object has no pixels, and every element that is there is there whole; or
    the pixels are all there and what is missing stood behind them."""
    if not isinstance(whole, Facts) or not isinstance(found, Facts):
        return False
    if not whole.has_pixels or (found.identity and found.identity.sop_class_uid == RT_DOSE):
        return not found.has_pixels
    return found.has_pixels and (whole.pixel_offset or 0) + whole.pixel_length <= end


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_no_cut_of_pydicoms_files_is_taken_for_a_whole_picture() -> None:
    unnoticed = {path: list(taken(path)) for path in bundled() if path.stat().st_size <= LARGEST}
    assert len(unnoticed) > 150
    cuts = sum(map(len, unnoticed.values()))
    assert cuts < 0.02 * CUTS * len(unnoticed), "between two elements of what is no picture, where nobody can tell"


@pytest.mark.samples
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_no_cut_of_the_samples_is_taken_for_a_whole_picture(samples: Path) -> None:
    files = [path for path in sorted(samples.rglob("*.dcm")) if path.stat().st_size <= LARGEST]
    for path in files[:: max(1, len(files) // 60)]:
        list(taken(path))
    assert files


def test_the_folder_of_pydicoms_files_is_where_it_was() -> None:
    assert BUNDLED.is_dir()
