from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from studies import sandbox
from studies.apart import ask_apart
from studies.sandbox import SandboxDied, SandboxRefused


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


def test_a_sandbox_that_does_not_work_blames_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: Any) -> None:
        raise SandboxDied("the zygote did not start")

    monkeypatch.setattr(sandbox, "run", die)
    with pytest.raises(SandboxDied):
        answers(2, {0: [SandboxDied("")] * 9})
