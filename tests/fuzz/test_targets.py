"""The fuzzers' targets: sound on what they begin with, and able to find what they are there for."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from fuzz.targets import TARGETS
from studies.receiving.part10 import Walk
from studies.sandbox import wire


def check_seeds(name: str) -> None:
    for seed in TARGETS[name].seeds():
        TARGETS[name].check(seed)


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_holds_on_its_seeds_and_on_damaged_ones(name: str) -> None:
    target, chance = TARGETS[name], random.Random(4)
    for seed in target.seeds():
        target.check(seed)
        damaged = bytearray(seed[: target.longest])
        for _ in range(3):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        target.check(bytes(damaged))


def test_a_reader_that_believes_anything_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_read", json.loads)
    with pytest.raises(ValueError, match="not JSON compliant"):
        check_seeds("answer")


def test_a_walk_that_forgets_between_blocks_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def forget(walk: Walk, *_: Any) -> None:
        walk._held = bytearray()

    monkeypatch.setattr(Walk, "_hold", forget)
    with pytest.raises(AssertionError, match="depends on the blocks"):
        check_seeds("walk")
