"""Gateways of a facility: what each last said of itself, so that its PACS administrator sees one that has stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.errors import Conflict
from accounts.models import Facility, Gateway

SILENT: Final = timedelta(minutes=5)
"""After which one that speaks every minute has stopped."""
FORGOTTEN: Final = timedelta(days=90)
MOST: Final = 50


@dataclass(frozen=True)
class Machine:
    """One that sends to a gateway, and when it last did, in seconds before now; None for never since its start."""

    name: str
    seconds_ago: int | None


def hear(
    facility: Facility,
    name: str,
    *,
    waiting: int,
    oldest_seconds: int,
    dead: int,
    trouble: str,
    machines: Sequence[Machine],
) -> None:
    """Write down what a gateway says of itself; its clock counts for nothing. Conflict beyond 50 of a facility."""
    now = timezone.now()
    said = {
        "heard_at": now,
        "waiting": waiting,
        "waiting_since": now - timedelta(seconds=oldest_seconds) if waiting else None,
        "dead": dead,
        "trouble": trouble,
        "machines": [{"name": one.name, "heard_at": _time(one.seconds_ago)} for one in machines],
    }
    with transaction.atomic():
        if not Gateway.objects.filter(facility=facility, name=name).update(**said):
            if Gateway.objects.filter(facility=facility).count() >= MOST:
                raise Conflict(
                    _("This facility has too many gateways."), hint=_("Give each a name that stays the same.")
                )
            Gateway.objects.update_or_create(facility=facility, name=name, defaults=said)


def _time(seconds_ago: int | None) -> str:
    return "" if seconds_ago is None else (timezone.now() - timedelta(seconds=seconds_ago)).isoformat()


def of(facility: Facility) -> list[Gateway]:
    """Every gateway of a facility, by name."""
    return list(Gateway.objects.filter(facility=facility).order_by("name"))


def is_silent(gateway: Gateway) -> bool:
    """Whether it has not been heard for so long that it has stopped, or cannot get through."""
    return timezone.now() - gateway.heard_at > SILENT


def in_trouble(facility: Facility) -> int:
    """How many need somebody to look: silent, or with letters that the portal does not take."""
    return sum(is_silent(one) or one.dead > 0 for one in of(facility))


def forget() -> None:
    """Drop those that were not heard for three months."""
    Gateway.objects.filter(heard_at__lt=timezone.now() - FORGOTTEN).delete()
