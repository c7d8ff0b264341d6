"""About an exam: calm, plain, short, and never about what was found."""

from __future__ import annotations

import re

import pytest
from django.utils import translation

from studies.exam.telling import TOLD, told


@pytest.mark.parametrize("kind", TOLD)
def test_what_is_said_is_read_at_school(kind: str) -> None:
    text = " ".join(told(kind))
    assert grade(text) <= 8, text
    assert 2 <= len(sentences(text)) <= 8
    assert not re.search(r"normal(ly)? finding|cancer|tumou?r|disease|diagnos|abnormal|risk", text, re.IGNORECASE)


@pytest.mark.parametrize("kind", TOLD)
def test_all_of_it_is_said_in_spanish(kind: str) -> None:
    with translation.override("es"):
        spanish = told(kind)
    assert len(spanish) == len(told(kind))
    assert not set(spanish) & set(told(kind))


def test_of_an_unknown_kind_nothing_is_said() -> None:
    assert told("") == told("no such kind") == []


def sentences(text: str) -> list[str]:
    return [one for one in re.split(r"[.:](?:\s|$)", text) if one]


def grade(text: str) -> float:
    """Flesch-Kincaid; syllables by groups of vowels, without an e at the end."""
    words = re.findall(r"[a-z]+", text.lower())
    syllables = sum(max(1, len(re.findall(r"[aeiouy]+", re.sub(r"e$", "", word)))) for word in words)
    return 0.39 * len(words) / len(sentences(text)) + 11.8 * syllables / len(words) - 15.59
