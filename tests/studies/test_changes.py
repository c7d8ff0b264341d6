from __future__ import annotations

from studies.documents.changes import MOST_WORDS, changes


def said(before: str, after: str) -> str:
    marks = {"same": "{}", "added": "+{}+", "removed": "-{}-"}
    return "".join(marks[piece.kind].format(piece.text) for piece in changes(before, after))


def test_changed_words_are_marked_where_they_stand() -> None:
    assert said("A shadow in the lung.", "A small scar in the lung.") == "A -shadow-+small scar+ in the lung."
    assert said("All well.", "All well.\n\nAddendum: a cyst.") == "All well.+\n\nAddendum: a cyst.+"


def test_the_same_text_and_one_too_long_have_no_changes() -> None:
    assert changes("All well.", " All well.\n") == []
    assert changes("a " * MOST_WORDS, "b " * MOST_WORDS) == []


def test_long_stretches_that_stayed_the_same_are_shortened() -> None:
    same = " ".join(str(number) for number in range(100))
    assert said(f"A {same} B {same}", f"X {same} Y {same}") == (
        "-A-+X+ 0 1 2 3 4 5 … 94 95 96 97 98 99 -B-+Y+ 0 1 2 3 4 5 … "
    )
