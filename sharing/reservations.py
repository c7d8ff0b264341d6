"""Claim first, account second: a code that was proved in a browser is kept for it while an account is made.

The session of that browser holds a secret, the code's row its digest and an hour. Nothing is shown until somebody is
signed in there, and nobody else claims by that code meanwhile.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.audit import Action, Actor
from accounts.models import User
from sharing import claims, codes, proving
from sharing.models import ClaimCode, Link
from sharing.proving import ClaimRefused

KEY: Final = "reserved"  # where a session keeps what was proved in it
PROVED: Final = "proved"  # and which dead code
GOOD_FOR: Final = timedelta(hours=1)
ASKING: Final = timedelta(minutes=15)


@dataclass(frozen=True)
class Reserved:
    """A code that this browser holds."""

    code: ClaimCode
    birth_date: date
    secret: str

    @property
    def facility_name(self) -> str:
        """All that is said of it before somebody is signed in."""
        return self.code.patient.facility.name


def reserve(session: SessionBase, code: str, birth_date: date, *, address: str) -> Reserved:
    """Prove a code for somebody who is not signed in, and keep it for this browser. Refuses as `proving.prove`."""
    symbols = codes.tidy(code)
    if not codes.is_whole(symbols):
        raise ClaimRefused
    kept: dict[str, Any] = session.get(KEY, {})
    secret = kept.get("secret") or secrets.token_urlsafe(32)
    found = proving.prove(symbols, birth_date, address=address, secret=secret)
    now = timezone.now()
    free = proving.open_codes(now).filter(proving.free_for(secret, now), pk=found.pk)
    if not free.update(reserved_until=now + GOOD_FOR, reserved_digest=proving.digest(secret)):
        raise proving.CodeReserved(found)
    with transaction.atomic():
        facility_id = found.patient.facility_id
        audit.record(Action.CODE_PROVED, actor=Actor.nobody(), facility_id=facility_id, claim_code=str(found.pk))
    session[KEY] = {"code": str(found.pk), "secret": secret, "born": birth_date.isoformat()}
    return Reserved(found, birth_date, secret)


def held_in(session: SessionBase) -> Reserved | None:
    """What this browser has reserved, while that lasts."""
    kept = session.get(KEY)
    if not kept:
        return None
    now = timezone.now()
    running = proving.open_codes(now).filter(reserved_until__gt=now, reserved_digest=proving.digest(kept["secret"]))
    found = running.select_related("patient__facility").filter(pk=UUID(kept["code"])).first()
    return Reserved(found, date.fromisoformat(kept["born"]), kept["secret"]) if found else None


def spend(session: SessionBase, user: User, whose: str = "") -> Link | None:
    """Claim what this browser has reserved, now that somebody is signed in; None where nothing is.

    OtherBirthDate as `claims.claim`, and then it stays reserved. CodeUsed when it was lost meanwhile.
    """
    held = held_in(session)
    if held is None:
        return None
    link = claims.take(held.code, claims.record_for(user, held.birth_date, whose), user, secret=held.secret)
    session.pop(KEY, None)
    return link


def keep_dead(session: SessionBase, code: ClaimCode) -> None:
    """Remember that a code which does not open was proved here, so that a new one can be asked for in one tap."""
    session[PROVED] = {"code": str(code.pk), "until": (timezone.now() + ASKING).timestamp()}


def dead_in(session: SessionBase) -> ClaimCode | None:
    """The dead code that was proved in this browser a moment ago."""
    kept = session.get(PROVED)
    if not kept or kept["until"] < timezone.now().timestamp():
        return None
    return ClaimCode.objects.select_related("patient__facility").filter(pk=UUID(kept["code"])).first()
