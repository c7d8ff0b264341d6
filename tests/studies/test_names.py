from __future__ import annotations

import pytest

from studies.names import folded, initials, listed, parts_of, pn_of


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("GARCÍA-LÓPEZ^Ana María", " garcia lopez ana maria"),
        ("O'Brien^Sean", " obrien sean"),
        ("o’brien", " obrien"),
        ("Strauß^Øystein", " strauss oystein"),
        ("Łukasz", " lukasz"),
        ("Yamada^Tarou=山田^太郎", " yamada tarou 山田 太郎"),
        (" ^^ ", ""),
    ],
)
def test_a_name_is_folded_to_plain_words(typed: str, words: str) -> None:
    assert folded(typed) == words


def test_what_stands_inside_a_word_begins_none() -> None:
    assert folded("ann") in folded("Smith^Anna")
    assert folded("nna") not in folded("Smith^Anna")


@pytest.mark.parametrize(
    ("pn", "shown", "letters"),
    [
        ("Garcia Lopez^Maria^^Dr", "Garcia Lopez, Maria", "M. G."),
        ("Cher", "Cher", "C."),
        ("^Maria", "Maria", "M."),
        ("=山田^太郎", "山田 太郎", ""),
        ("", "", ""),
    ],
)
def test_a_name_is_listed_by_family_and_abbreviated_as_spoken(pn: str, shown: str, letters: str) -> None:
    assert (listed(pn), initials(pn)) == (shown, letters)


def test_a_form_cannot_smuggle_a_separator_into_a_name() -> None:
    assert pn_of(" Doe^Sr ", "Jane=\\") == "Doe Sr^Jane"
    assert pn_of("Doe", "") == "Doe"
    assert parts_of(pn_of("Doe", "Jane")) == ("Doe", "Jane")
