"""Ask the sandbox about many files at once, so that a bad one costs itself and no other."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final, TypeVar

from django.db import connections

from studies import sandbox
from studies.jobs import Hold
from studies.sandbox import SandboxDied, SandboxRefused
from studies.store.damage import Damaged

logger = logging.getLogger("lightbox.sandbox")

Unit = TypeVar("Unit")
Answer = TypeVar("Answer")

UNREADABLE = "unreadable"
"""The refusal code of a file that makes no sense to its reader."""
NO_PREVIEW = "no preview"
"""The refusal code of a file that killed its reader, or is damaged. It stands in the instance's row, so nobody tries
again; sending it again clears it."""
AT_ONCE: Final = min(4, max(2, os.cpu_count() or 2))
"""Batches of one study that the sandbox works on at the same time."""
RENEW_EVERY: Final = 10.0  # seconds, while an answer is waited for


def ask_in_turns(
    batches: Iterable[Sequence[Unit]],
    ask: Callable[[Sequence[Unit]], list[Answer]],
    refuse: Callable[[Unit, str], Answer],
    hold: Hold,
) -> Generator[Answer]:
    """Yield one answer for each unit, in order, a few batches ahead of whoever takes them; keeps the hold meanwhile.

    `ask` runs in threads: what it needs of the database it must bring along. Raises `jobs.Lost` and what `ask_apart`
    raises.
    """
    threads = ThreadPoolExecutor(AT_ONCE)
    ahead: deque[Future[list[Answer]]] = deque()
    try:
        for batch in batches:
            hold.renew()
            ahead.append(threads.submit(_ask_alone, batch, ask, refuse))
            if len(ahead) > AT_ONCE:
                yield from _answer(ahead.popleft(), hold)
        while ahead:
            yield from _answer(ahead.popleft(), hold)
    finally:
        threads.shutdown(cancel_futures=True)


def _ask_alone(
    batch: Sequence[Unit], ask: Callable[[Sequence[Unit]], list[Answer]], refuse: Callable[[Unit, str], Answer]
) -> list[Answer]:
    try:
        return ask_apart(batch, ask, refuse)
    finally:
        connections.close_all()  # this thread's own, which writing down a damage may have opened


def _answer(asked: Future[list[Answer]], hold: Hold) -> list[Answer]:
    while not wait([asked], RENEW_EVERY).done:
        hold.renew()
    return asked.result()


def ask_apart(
    units: Sequence[Unit],
    ask: Callable[[Sequence[Unit]], list[Answer]],
    refuse: Callable[[Unit, str], Answer],
    *,
    again: bool = True,
) -> list[Answer]:
    """Return `ask(units)`, one answer for each. When the child dies over them, or one is damaged in our store, ask
    about each half, down to one.

    One that kills its child alone is asked about once more, then gets `refuse(unit, code)`. Raises SandboxDied when
    it is the sandbox that does not work.
    """
    try:
        return ask(units)
    except SandboxRefused as refusal:
        code = refusal.code
    except Damaged:  # whoever read it has written that down
        code = NO_PREVIEW
    except SandboxDied as death:
        sandbox.run("confinement", {})  # or raise: then no file is to blame
        logger.warning("%s, over %d files", death, len(units))
        code = NO_PREVIEW
        if len(units) == 1 and again:
            return ask_apart(units, ask, refuse, again=False)
    if len(units) == 1:
        return [refuse(units[0], code)]
    middle = len(units) // 2
    return [
        *ask_apart(units[:middle], ask, refuse, again=False),
        *ask_apart(units[middle:], ask, refuse, again=False),
    ]
