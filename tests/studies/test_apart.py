from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from studies import sandbox
from studies.apart import AT_ONCE, NO_PREVIEW, ask_apart, ask_in_turns
from studies.jobs import Lost
from studies.sandbox import SandboxDied, SandboxRefused
from studies.store.damage import Damaged


@pytest.fixture(autouse=True)
def _healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox that works, whatever becomes of the files."""
    monkeypatch.setattr(sandbox, "run", lambda *_: None)


def asking(bad: dict[int, list[Exception]], asked: list[int]) -> Callable[[Sequence[int]], list[str]]:
    """A sandbox that fails over the bad ones, each as often as it has errors left."""

    def ask(units: Sequence[int]) -> list[str]:
        asked.append(len(units))
        for unit in units:
            if bad.get(unit):
                raise bad[unit].pop()
        return [f"good {unit}" for unit in units]

    return ask


def answers(count: int, bad: dict[int, list[Exception]], asked: list[int] | None = None) -> list[str]:
    ask = asking(bad, [] if asked is None else asked)
    return ask_apart(list(range(count)), ask, lambda unit, code: f"{code} {unit}")


def test_files_are_asked_about_together() -> None:
    asked: list[int] = []
    assert answers(3, {}, asked) == ["good 0", "good 1", "good 2"]
    assert asked == [3]


def test_one_that_kills_the_child_is_found_by_halves() -> None:
    asked: list[int] = []
    said = answers(16, {5: [SandboxDied("")] * 20}, asked)
    assert [one for one in said if not one.startswith("good")] == ["no preview 5"]
    assert len(asked) < 12


def test_one_that_fails_alone_is_tried_once_more() -> None:
    assert answers(1, {0: [SandboxDied("")]}) == ["good 0"]
    assert answers(1, {0: [SandboxDied("")] * 2}) == ["no preview 0"]


def test_a_refusal_is_the_files_own() -> None:
    assert answers(2, {1: [SandboxRefused("codec")] * 2}) == ["good 0", "codec 1"]


def test_one_that_is_damaged_in_our_store_costs_itself() -> None:
    assert answers(4, {2: [Damaged()] * 9}) == ["good 0", "good 1", "no preview 2", "good 3"]


def test_a_sandbox_that_does_not_work_blames_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: Any) -> None:
        raise SandboxDied("the zygote did not start")

    monkeypatch.setattr(sandbox, "run", die)
    with pytest.raises(SandboxDied):
        answers(2, {0: [SandboxDied("")] * 9})


class Held:
    """A hold that counts how often it was renewed, and is lost after so many times."""

    def __init__(self, lost_after: int = 1000) -> None:
        self.renewed = 0
        self._lost_after = lost_after

    def renew(self) -> None:
        self.renewed += 1
        if self.renewed > self._lost_after:
            raise Lost


def in_turns(hold: Any, asked: list[int], batches: int = 10) -> Iterator[str]:
    ask = asking({7: [SandboxDied("")] * 20}, asked)
    units = [[number * 2, number * 2 + 1] for number in range(batches)]
    return ask_in_turns(units, ask, lambda unit, code: f"{code} {unit}", hold)


def test_batches_are_asked_about_beside_each_other_and_answered_in_order() -> None:
    said = list(in_turns(Held(), []))
    assert said == [f"{NO_PREVIEW if unit == 7 else 'good'} {unit}" for unit in range(20)]


def test_no_more_is_asked_than_is_taken_soon() -> None:
    asked: list[int] = []
    hold = Held()
    answers = in_turns(hold, asked, batches=50)
    next(answers)
    assert hold.renewed == AT_ONCE + 1


def test_one_who_lost_the_hold_asks_no_more() -> None:
    hold = Held(lost_after=3)
    with pytest.raises(Lost):
        list(in_turns(hold, []))
    assert hold.renewed == 4
