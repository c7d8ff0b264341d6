"""Ask the sandbox about many files at once, so that a bad one costs itself and no other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from studies import sandbox
from studies.sandbox import SandboxDied, SandboxRefused

logger = logging.getLogger("lightbox.sandbox")

Unit = TypeVar("Unit")
Answer = TypeVar("Answer")

UNREADABLE = "unreadable"
"""The refusal code of a file that nobody survived."""


def ask_apart(
    units: Sequence[Unit],
    ask: Callable[[Sequence[Unit]], list[Answer]],
    refuse: Callable[[Unit, str], Answer],
    *,
    again: bool = True,
) -> list[Answer]:
    """Return `ask(units)`, one answer for each. When the child dies over them, ask about each half, down to one.

    One that fails alone is asked about once more, then gets `refuse(unit, code)`. Raises SandboxDied when it is
    the sandbox that does not work.
    """
    try:
        return ask(units)
    except SandboxRefused as refusal:
        code = refusal.code
    except SandboxDied as death:
        sandbox.run("confinement", {})  # or raise: then no file is to blame
        logger.warning("%s, over %d files", death, len(units))
        code = UNREADABLE
        if len(units) == 1 and again:
            return ask_apart(units, ask, refuse, again=False)
    if len(units) == 1:
        return [refuse(units[0], code)]
    middle = len(units) // 2
    return [
        *ask_apart(units[:middle], ask, refuse, again=False),
        *ask_apart(units[middle:], ask, refuse, again=False),
    ]
