"""How much a facility may still send: its share of a day, and room on the disk for everybody."""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.errors import PortalError, Unavailable
from accounts.models import Facility
from studies.store import objects

DAY: Final = timedelta(hours=24)
LOOK_EVERY: Final = 8 * 2**20
"""Bytes between two looks at the free space: those of all senders at once fit into the floor."""
FRESH: Final = 5.0
"""Seconds in which a process believes what it knows of a facility's day; it adds what it takes in itself."""
MOST_INSTANCES: Final = 50_000
"""Instances in one request; each is an item of its answer."""


class Limit(PortalError):
    """More than is taken, or than there is room for. What was whole before it is kept."""

    hint = _("Send less at once, or ask the operator for more room.")


class RequestTooLarge(Limit):
    """One request beyond the limit."""

    status, code = 413, "request_too_large"
    message = _("The request is larger than this portal takes.")
    hint = _("Send the study in several requests.")


class TooManyInstances(Limit):
    """More instances than one answer should name."""

    status, code = 413, "too_many_instances"
    message = _("The request has more instances than this portal takes at once.")
    hint = _("Send the study in several requests.")


class TooMuch(Limit):
    """The facility has used up what it may send in a day."""

    status, code = 413, "too_much"
    message = _("This facility has sent as much as it may within 24 hours.")
    hint = _("Send the rest tomorrow, or ask the operator for more room.")


class Full(Unavailable, Limit):
    """The disk is nearly full: reading goes on, nothing new is taken."""

    code = "no_room"
    message = _("There is no room for new images just now.")
    hint = _("Nothing is lost. Please send them again in some minutes.")


class Allowance:
    """What one request may still bring. Requests at the same time share the day only once they are recorded."""

    def __init__(self, facility: Facility, expected: int = 0) -> None:
        """Refuse before a byte is read what cannot fit: `expected` bytes, 0 when not known."""
        if expected > settings.MAX_REQUEST_BYTES:
            raise RequestTooLarge
        self._left_of_request = settings.MAX_REQUEST_BYTES
        self._day = _day_of(facility)
        self._left_of_day = settings.MAX_FACILITY_DAY_BYTES - self._day.sent
        self._instances = 0
        self._unseen = 0
        if expected > self._left_of_day:
            raise TooMuch
        _look_for_room(expected)

    def admit(self) -> None:
        """Count an instance that begins. Raises `TooManyInstances`."""
        self._instances += 1
        if self._instances > MOST_INSTANCES:
            raise TooManyInstances

    def keep(self, count: int) -> None:
        """Add bytes that were recorded to the facility's day."""
        self._day.sent += count

    def spend(self, count: int) -> None:
        """Count bytes that have come. Raises `RequestTooLarge`, `TooMuch` or `Full`."""
        self._left_of_request -= count
        self._left_of_day -= count
        if self._left_of_request < 0:
            raise RequestTooLarge
        if self._left_of_day < 0:
            raise TooMuch
        self._unseen += count
        if self._unseen >= LOOK_EVERY:
            self._unseen = 0
            _look_for_room()


class _Day:
    """What a facility has sent lately: looked up when it is old, for a day has many thousand rows to add up."""

    def __init__(self) -> None:
        self.sent = 0
        self._until = 0.0

    def look_up(self, facility: Facility) -> None:
        if time.monotonic() >= self._until:
            self.sent = _sent_lately(facility)
            self._until = time.monotonic() + FRESH


_days: defaultdict[UUID, _Day] = defaultdict(_Day)


def _day_of(facility: Facility) -> _Day:
    day = _days[facility.pk]
    day.look_up(facility)
    return day


def _sent_lately(facility: Facility) -> int:
    since = timezone.now() - DAY
    images = facility.publications.filter(received_at__gt=since).aggregate(sent=Sum("size"))
    # Those that came inside their study were counted with it.
    alone = facility.reports.filter(received_at__gt=since, instance=None)
    reports = alone.aggregate(sent=Sum("body__length"), files=Sum("original__length"))
    return sum(count or 0 for count in (images["sent"], *reports.values()))


def _look_for_room(expected: int = 0) -> None:
    if objects.store().free_bytes() - expected < settings.FREE_SPACE_FLOOR:
        raise Full(retry_after=300)
