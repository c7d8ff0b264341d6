"""Who waits for a place in the sandbox is served in turn with everybody else, not after all who came before."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

from studies.sandbox.turns import Turns


def in_line(turns: Turns, pool: ThreadPoolExecutor, served: list[str], whose: str) -> Future[None]:
    """Somebody who waits for a place, says when she has it, and gives it back."""

    def wait() -> None:
        assert turns.acquire(whose, 30)
        served.append(whose)
        turns.release()

    before = len(turns)
    future = pool.submit(wait)
    while len(turns) == before:
        threading.Event().wait(0.001)
    return future


def test_one_who_waits_comes_before_the_many_of_another() -> None:
    turns, served = Turns(1), list[str]()
    assert turns.acquire("hilltop", 0)
    with ThreadPoolExecutor(6) as pool:
        waiting = [in_line(turns, pool, served, whose) for whose in ("hilltop",) * 4 + ("lakeside",)]
        turns.release()
        for one in waiting:
            one.result(30)
    assert served == ["hilltop", "lakeside", "hilltop", "hilltop", "hilltop"]


def test_every_place_is_used_by_one_who_is_alone() -> None:
    turns = Turns(2)
    assert [turns.acquire("hilltop", 0) for _ in range(3)] == [True, True, False]
    turns.release()
    assert turns.acquire("hilltop", 0)


def test_who_gives_up_leaves_her_place_in_the_line_to_her_others() -> None:
    turns, served = Turns(1), list[str]()
    assert turns.acquire("lakeside", 0)
    with ThreadPoolExecutor(2) as pool:
        waiting = [in_line(turns, pool, served, whose) for whose in ("hilltop", "lakeside")]
        assert not turns.acquire("hilltop", 0.01)
        turns.release()
        for one in waiting:
            one.result(30)
    assert served == ["hilltop", "lakeside"]
    assert not len(turns)
