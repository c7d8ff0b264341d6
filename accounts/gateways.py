"""Gateways of a facility: what each last said of itself, so that its PACS administrator sees one that has stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.audit import Action, Actor
from accounts.errors import Conflict, NotFound
from accounts.models import Facility, Gateway

SILENT: Final = timedelta(minutes=5)
"""After which one that speaks every minute has stopped."""
FORGOTTEN: Final = timedelta(days=90)
MOST: Final = 50
ALL: Final = "all"


@dataclass(frozen=True)
class Machine:
    """One that sends to a gateway, and when it last did, in seconds before now; None for never since its start."""

    name: str
    seconds_ago: int | None


@dataclass(frozen=True)
class Letter:
    """Something that the portal does not take: which exam or message, and why."""

    id: str
    what: str
    reason: str
    seconds_ago: int


@dataclass(frozen=True)
class Wanted:
    """What staff want of a gateway: letters to try again, and whether it should test itself."""

    retry: tuple[str, ...] = ()
    is_test: bool = False

    @property
    def is_anything(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.retry) or self.is_test


def hear(
    facility: Facility,
    name: str,
    *,
    waiting: int,
    oldest_seconds: int,
    dead: int,
    trouble: str,
    machines: Sequence[Machine],
    letters: Sequence[Letter] = (),
    findings: Sequence[Mapping[str, Any]] = (),
) -> Wanted:
    """Write down what a gateway says of itself, and hand over what staff want of it, once.

    Its clock counts for nothing. Without `findings` it has not tested itself since. Conflict beyond 50 of a facility.
    """
    now = timezone.now()
    said = {
        "heard_at": now,
        "waiting": waiting,
        "waiting_since": now - timedelta(seconds=oldest_seconds) if waiting else None,
        "dead": dead,
        "trouble": trouble,
        "machines": [{"name": one.name, "heard_at": _time(one.seconds_ago)} for one in machines],
        "letters": [
            {"id": one.id, "what": one.what, "reason": one.reason, "since": _time(one.seconds_ago)} for one in letters
        ],
        **({"findings": list(findings), "tested_at": now} if findings else {}),
    }
    with transaction.atomic():
        if not Gateway.objects.filter(facility=facility, name=name).update(**said):
            if Gateway.objects.filter(facility=facility).count() >= MOST:
                raise Conflict(
                    _("This facility has too many gateways."), hint=_("Give each a name that stays the same.")
                )
            Gateway.objects.update_or_create(facility=facility, name=name, defaults=said)
        mine = Gateway.objects.select_for_update().get(facility=facility, name=name)
        wanted = Wanted(tuple(mine.to_retry), is_test=mine.to_test)
        if wanted.is_anything:
            Gateway.objects.filter(pk=mine.pk).update(to_retry=[], to_test=False)
    return wanted


def ask(facility: Facility, gateway_id: int, *, retry: str = "", actor: Actor) -> None:
    """Want a letter of a gateway's tried again (ALL: every one), or without one a test of itself.

    It hears of it when it speaks next. NotFound for another facility's gateway, or a letter that it has not.
    """
    with transaction.atomic():
        mine = Gateway.objects.select_for_update().filter(facility=facility, pk=gateway_id).first()
        known = {one["id"] for one in mine.letters} if mine else set()
        if mine is None or (retry and retry != ALL and retry not in known):
            raise NotFound
        if retry:
            mine.to_retry = sorted({*mine.to_retry, *(known if retry == ALL else {retry})})
        else:
            mine.to_test = True
        mine.save(update_fields=["to_retry", "to_test"])
        audit.record(Action.GATEWAY_ASKED, actor=actor, facility_id=facility.pk, gateway=mine.name, test=not retry)


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
