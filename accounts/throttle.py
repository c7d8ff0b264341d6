"""How often something may be tried: caps and rates, counted in the database, exact under parallel fire.

Counters are shared by every worker and outlive a restart. Their keys are keyed digests, so that the table names
neither people nor addresses.
"""

from __future__ import annotations

import ipaddress
from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.errors import TooManyTries
from accounts.models import AttemptCounter

LONGEST_WINDOW = timedelta(days=1)
_PASSING, _LASTING = "p", "l"  # first letter of a key: may the row be forgotten once its window is over?


def hit(purpose: str, subject: str, *, cap: int, within: timedelta | None) -> None:
    """Count one try; raise TooManyTries when `cap` of them were made `within` the window, or ever if None.

    A refused try is not counted: the window runs from its first try, and then everybody starts afresh. Within a
    caller's transaction the count is undone if that one is, so commit it before the deed that it guards.
    """
    now, key = timezone.now(), counter_key(purpose, subject, within)
    with transaction.atomic():
        AttemptCounter.objects.bulk_create([AttemptCounter(key=key, since=now)], ignore_conflicts=True)
        counter = AttemptCounter.objects.filter(key=key)
        if within is not None:
            counter.filter(since__lte=now - within).update(count=0, since=now)
        # One statement checks and counts, so parallel tries cannot both be the last one allowed.
        if counter.filter(count__lt=cap).update(count=F("count") + 1):
            return
        since = counter.values_list("since", flat=True).get()
    raise TooManyTries(retry_after=max(1, int((since + within - now).total_seconds()) + 1) if within else None)


def peek(purpose: str, subject: str, *, within: timedelta | None) -> int:
    """How many tries stand counted now."""
    counter = AttemptCounter.objects.filter(key=counter_key(purpose, subject, within))
    if within is not None:
        counter = counter.filter(since__gt=timezone.now() - within)
    return counter.values_list("count", flat=True).first() or 0


def forget_passed() -> int:
    """Delete counters whose window is long over; lifetime caps stay. Returns how many went."""
    passed = AttemptCounter.objects.filter(key__startswith=_PASSING, since__lt=timezone.now() - LONGEST_WINDOW)
    return passed.delete()[0]


def counter_key(purpose: str, subject: str, within: timedelta | None) -> str:
    """The row's key: 252 bits of a keyed digest behind a letter that says whether it may be forgotten."""
    if within is not None and within > LONGEST_WINDOW:
        raise ValueError("a window longer than a day would be forgotten before its end")
    digest = salted_hmac(f"accounts.throttle.{purpose}", subject, algorithm="sha256").hexdigest()
    return (_LASTING if within is None else _PASSING) + digest[:63]


def network_of(address: str) -> str:
    """The address to count by: IPv4 as it is, IPv6 by its /64, which one subscriber owns whole."""
    parsed = ipaddress.ip_address(address)
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
