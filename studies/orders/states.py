"""What the events of an exam come to: its state now.

Messages overtake each other, come twice and come late. The state is therefore made anew of all events each time, in
the order of the clock of the RIS, so that no order of arrival ends in another one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from studies.models import Exam

State = Exam.State

RANK: Final = {
    State.ORDERED: 0,
    State.SCHEDULED: 1,
    State.IN_PROGRESS: 2,
    State.COMPLETED: 3,
    State.DICTATED: 4,
    State.PRELIMINARY: 5,
    State.NON_REPORTABLE: 6,
    State.FINAL: 7,
    State.REVISED: 8,
    State.ADDENDED: 8,
    State.CANCELLED: 9,
}
DONE: Final = RANK[State.COMPLETED]
"""From here on an exam has been done, and only moves on."""


@dataclass(frozen=True)
class Event:
    """A state, and when the RIS said it."""

    state: State
    said_at: datetime


def present(events: Iterable[Event]) -> Event:
    """The event whose state an exam is in. Raises ValueError for none."""
    ordered = sorted(events, key=lambda one: (one.said_at, RANK[one.state]))
    if not ordered:
        raise ValueError("an exam begins with an event")
    now = ordered[0]
    for event in ordered[1:]:
        if may_follow(now.state, event.state):
            now = event
    return now


def may_follow(now: State, said: State) -> bool:
    """Whether an exam in one state goes into another that is said of it later.

    Until it is done it may be put off or begun anew; then it only moves on. What was cancelled may be taken up again.
    """
    if now == State.CANCELLED or said == State.CANCELLED:
        return True
    return RANK[now] < DONE or RANK[said] >= RANK[now]
