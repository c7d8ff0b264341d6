"""What changed from one version of a text to the next, word by word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

MOST_WORDS: Final = 4_000
"""Of both versions together: beyond that, comparing takes longer than a reader waits."""
_WORDS: Final = re.compile(r"\s+|[^\s]+")
_CONTEXT: Final = 12


@dataclass(frozen=True)
class Piece:
    """A piece of text that is in both, or was added, or was taken out: kind is same, added or removed."""

    kind: str
    text: str


def changes(before: str, after: str) -> list[Piece]:
    """The pieces in order, long stretches that stayed the same shortened; [] for no change, or too long a text."""
    old, new = _WORDS.findall(before.strip()), _WORDS.findall(after.strip())
    if old == new or len(old) + len(new) > 2 * MOST_WORDS:
        return []
    return list(_pieces(old, new))


def _pieces(old: list[str], new: list[str]) -> Iterator[Piece]:
    steps = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    for number, (step, old_from, old_to, new_from, new_to) in enumerate(steps):
        if step == "equal":
            yield Piece("same", _shortened(new[new_from:new_to], number == 0, number == len(steps) - 1))
            continue
        if removed := "".join(old[old_from:old_to]):
            yield Piece("removed", removed)
        if added := "".join(new[new_from:new_to]):
            yield Piece("added", added)


def _shortened(words: list[str], is_first: bool, is_last: bool) -> str:
    """What stayed the same, as far as it tells where a change is."""
    head, tail = (0 if is_first else _CONTEXT), (0 if is_last else _CONTEXT)
    if len(words) <= head + tail + _CONTEXT:
        return "".join(words)
    return "".join([*words[:head], " … ", *words[len(words) - tail :]])
