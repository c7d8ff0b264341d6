"""Pages of events that end in the event itself: what happens between two of them is neither told twice nor left out.

The place of an event is its moment, and which one of that moment it is; its number would tell how much happens here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db.models import Q, QuerySet

from accounts.models import AuditEvent

LINES: Final = 50
_PLACE: Final = re.compile(r"([0-9]{1,17})-([0-9]{1,4})")  # microseconds since 1970, and which one of that moment
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

Place = tuple[datetime, int]


@dataclass(frozen=True)
class Page:
    """Events, the newest first, and where the pages beside this one begin; "" where there is none."""

    events: list[AuditEvent]
    newer: str = ""
    older: str = ""


def page(events: QuerySet[AuditEvent], *, before: str = "", after: str = "") -> Page:
    """The page of events before a place, or after one; the newest for a place that is none.

    `events` come newest first, by `at` and number. Whoever turns towards the newest arrives at them, a whole page.
    """
    if (place := _read(events, after)) and (found := _after(events, place)):
        return found
    place = _read(events, before)
    rows = list((events.filter(_is_older(place)) if place else events)[: LINES + 1])
    shown = rows[:LINES]
    return Page(
        shown,
        newer=_place(events, shown[0]) if place and shown else "",
        older=_place(events, shown[-1]) if len(rows) > LINES else "",
    )


def _after(events: QuerySet[AuditEvent], place: Place) -> Page | None:
    rows = list(events.filter(_is_newer(place)).order_by("at", "pk")[: LINES + 1])
    if len(rows) <= LINES:
        return None
    shown = rows[LINES - 1 :: -1]
    return Page(shown, newer=_place(events, shown[0]), older=_place(events, shown[-1]))


def _is_older(place: Place) -> Q:
    at, number = place
    return Q(at__lt=at) | Q(at=at, pk__lt=number)


def _is_newer(place: Place) -> Q:
    at, number = place
    return Q(at__gt=at) | Q(at=at, pk__gt=number)


def _place(events: QuerySet[AuditEvent], event: AuditEvent) -> str:
    which = events.filter(at=event.at, pk__lte=event.pk).count()
    return f"{(event.at - _BEGINNING) // _MICROSECOND}-{which}"


def _read(events: QuerySet[AuditEvent], said: str) -> Place | None:
    found = _PLACE.fullmatch(said)
    if not found:
        return None
    at, which = _BEGINNING + int(found[1]) * _MICROSECOND, int(found[2])
    numbers = events.filter(at=at).order_by("pk").values_list("pk", flat=True)[:which]
    return at, max(numbers, default=0)
