"""portal.templatetags.ui: the few filters of our own."""

from __future__ import annotations

import pytest

from portal.templatetags.ui import is_heading, middle


@pytest.mark.parametrize(("count", "index"), [(1, 1), (2, 1), (3, 2), (60, 30), (61, 31)])
def test_the_middle_picture_exists(count: int, index: int) -> None:
    assert middle(count) == index


@pytest.mark.parametrize("line", ["FINDINGS", "IMPRESSION:", "Impression:", "  TECHNIQUE  "])
def test_a_short_line_in_capitals_or_with_a_colon_is_a_heading(line: str) -> None:
    assert is_heading(line)


@pytest.mark.parametrize("line", ["No fracture.", "FINDINGS:\nClear lungs.", "NO CHANGE. " * 8, "", "12.5"])
def test_a_sentence_is_no_heading(line: str) -> None:
    assert not is_heading(line)
