"""Whose turn it is where only a few may be at once: each of those who wait is served in turn, however many ask for one.

A facility that sends thousands of odd files would otherwise be served before, and instead of, everybody else's.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Hashable


class Turns:
    """So many places. Who waits longest among those whose turn it is comes first."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._changed = threading.Condition()
        self._waiting: dict[Hashable, deque[object]] = {}  # in the order of whose turn is next

    def __len__(self) -> int:
        """How many wait."""
        with self._changed:
            return sum(map(len, self._waiting.values()))

    def acquire(self, whose: Hashable, timeout: float | None) -> bool:
        """Take a place for somebody; False when it was not her turn within so many seconds."""
        ticket, came = object(), False
        with self._changed:
            self._waiting.setdefault(whose, deque()).append(ticket)
            try:
                came = self._changed.wait_for(lambda: self._is_next(whose, ticket), timeout)
            finally:
                self._leave_queue(whose, ticket, served=came)
        return came

    def release(self) -> None:
        """Give a place back."""
        with self._changed:
            self._free += 1
            self._changed.notify_all()

    def _is_next(self, whose: Hashable, ticket: object) -> bool:
        return self._free > 0 and next(iter(self._waiting)) == whose and self._waiting[whose][0] is ticket

    def _leave_queue(self, whose: Hashable, ticket: object, *, served: bool) -> None:
        """Step out of the line; behind whoever was served, her others come after everybody else's."""
        line = self._waiting[whose]
        line.remove(ticket)
        if served or not line:
            del self._waiting[whose]
        if served and line:
            self._waiting[whose] = line
        self._free -= served
        self._changed.notify_all()  # there may be another place, or another who is next
