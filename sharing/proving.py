"""Whether a code and a birth date open what they are for. Each try is counted before anything is compared.

Whoever has not both right hears one sentence, after one argon2, whatever stands behind the code. Whoever has both hears
what is the matter with a code that does not open: it is her paper, and she needs a next step.
"""

from __future__ import annotations

import hmac
import logging
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Final

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import audit, throttle
from accounts.audit import Action, Actor
from accounts.errors import PortalError, TooManyTries
from accounts.models import User
from sharing import codes
from sharing.models import ClaimCode, Link

LIFETIME_CAP: Final = 10  # wrong tries that a code survives
LAST_WORDS: Final = 3  # tries more that are compared, to tell whoever has both right that it is locked
PER_ACCOUNT: Final = 20  # tries an hour
PER_NETWORK: Final = 100  # tries an hour from one address; families and clinics share one
ALARM: Final = 50  # wrong tries a minute, of everybody together
HOUR: Final = timedelta(hours=1)

logger = logging.getLogger("lightbox.claims")


class ClaimRefused(PortalError):
    """One answer for every code that does not claim: unknown, or for another birth date."""

    status, code = 422, "claim_refused"
    message = _("This code and birth date do not go together, or the code is no longer good.")
    hint = _("Compare both with your letter. A code works once and ends; the facility can make a new one at once.")


class CodeDead(ClaimRefused):
    """The right code and the right birth date, and yet it does not open. `found` is the code's row."""

    status = 410

    def __init__(self, found: ClaimCode) -> None:
        super().__init__()
        self.found = found


class CodeExpired(CodeDead):
    """Its last day is over."""

    code = "code_expired"
    message = _("This code has ended.")
    hint = _("Codes end after some weeks, so that a lost letter opens nothing. Ask for a new one; it takes one tap.")


class CodeReplaced(CodeDead):
    """A newer one was made, or it was ended at the desk or by the person on file."""

    code = "code_replaced"
    message = _("This code was replaced, or stopped.")
    hint = _("If you have a newer letter, use the code on that one. Else ask for a new code; it takes one tap.")


class CodeLocked(CodeDead):
    """Too many wrong tries."""

    code = "code_locked"
    message = _("This code is locked.")
    hint = _("It was tried too often with something wrong. Your images are safe: ask for a new code; it takes one tap.")


class CodeUsed(CodeDead):
    """Somebody has claimed by it."""

    code = "code_used"
    message = _("This code was used already.")
    hint = _("If that was you, sign in with that account. If not, tell the facility: it can take the images back.")


class CodeReserved(CodeDead):
    """Somebody makes her account with it in another browser."""

    code = "code_reserved"
    message = _("This code is being used in another browser.")
    hint = _("Go on there, or come back in an hour. If that is not you, call the facility.")


def prove(symbols: str, birth_date: date, *, address: str, user: User | None = None, secret: str = "") -> ClaimCode:
    """The open code that this is, for somebody signed in or not; `secret` of a browser that has reserved it.

    ClaimRefused, or CodeDead for whoever has both right; TooManyTries beyond a rate. Not for use within a transaction:
    tries and refusals must stand whatever happens after them.
    """
    found = _spend_try(user, codes.selector(symbols), address)
    # Exactly one argon2, whether or not there is anything to compare with: the time must not tell.
    fits = codes.matches(symbols, found.digest if found else codes.dummy_digest())
    if not (found and fits and found.patient.birth_date == birth_date):
        note_refusal(user, found, "unknown" if found is None else "birth_date" if fits else "verifier")
        raise ClaimRefused
    was_locked = found.wrong_tries > LIFETIME_CAP
    ClaimCode.objects.filter(pk=found.pk).update(wrong_tries=F("wrong_tries") - 1)  # this try was not a wrong one
    if dead := _dead(found, secret, is_locked=was_locked):
        note_refusal(user, found, dead.code)
        raise dead
    return found


def open_codes(now: datetime) -> QuerySet[ClaimCode]:
    """Those that open."""
    return ClaimCode.objects.filter(used_at=None, revoked_at=None, expires_at__gt=now)


def free_for(secret: str, now: datetime) -> Q:
    """Of codes: reserved by nobody, or by this browser."""
    free = Q(reserved_until=None) | Q(reserved_until__lte=now)
    return free | Q(reserved_digest=digest(secret)) if secret else free


def digest(secret: str) -> bytes:
    """What is stored of a browser's secret, which has more bits than anybody guesses."""
    return sha256(secret.encode()).digest()


def note_refusal(user: User | None, found: ClaimCode | None, reason: str) -> None:
    """The refusal's own event, in a transaction of its own: nothing that follows can undo it."""
    with transaction.atomic(durable=True):
        audit.record(
            Action.CLAIM_REFUSED,
            actor=Actor.person(user) if user else Actor.nobody(),
            facility_id=found.patient.facility_id if found else None,
            record_id=user.record.pk if user and hasattr(user, "record") else None,
            reason=reason,
        )
    _sound_alarm()


def _spend_try(user: User | None, selector: str, address: str) -> ClaimCode | None:
    """Count the try everywhere before anything is compared, so that parallel tries cannot pass a cap.

    Returns the code with that selector, the open one before the newest that has ended; None where there is none, or
    none that is compared any more. One transaction either way, so both cost one commit.
    """
    with transaction.atomic(durable=True):
        if user is not None:
            throttle.hit("claim by account", str(user.pk), cap=PER_ACCOUNT, within=HOUR)
        throttle.hit("claim from network", throttle.network_of(address), cap=PER_NETWORK, within=HOUR)
        known = ClaimCode.objects.filter(selector=selector).order_by("-issued_at")
        code = known.filter(used_at=None, revoked_at=None).first() or known.first()
        if code is None:
            return None
        tries = ClaimCode.objects.filter(pk=code.pk, wrong_tries__lt=LIFETIME_CAP + LAST_WORDS)
        if not tries.update(wrong_tries=F("wrong_tries") + 1):
            return None
        return ClaimCode.objects.select_related("patient__facility").get(pk=code.pk)


def _dead(found: ClaimCode, secret: str, *, is_locked: bool) -> CodeDead | None:
    """What is the matter with a code that was proved; None when it opens."""
    now = timezone.now()
    if found.used_at is not None:
        return CodeUsed(found)
    if found.revoked_at is not None:
        return CodeReplaced(found)
    if found.expires_at <= now:
        return CodeExpired(found)
    if is_locked:
        return CodeLocked(found)
    reserved = found.reserved_until is not None and found.reserved_until > now
    if reserved and not (secret and hmac.compare_digest(bytes(found.reserved_digest), digest(secret))):
        return CodeReserved(found)
    return None


def is_hers(found: ClaimCode, user: User) -> bool:
    """Whether a code that was used brought its images to a record of this person's."""
    return Link.objects.filter(patient=found.patient_id, ended_at=None, claimed_by=user).exists()


def _sound_alarm() -> None:
    """Say in the log when wrong tries come by the dozen, whoever makes them: once for each minute of it."""
    try:
        throttle.hit("claims refused", "all", cap=ALARM, within=timedelta(minutes=1))
    except TooManyTries:
        with transaction.atomic():
            if audit.once("claims refused by the dozen", timedelta(minutes=1)):
                logger.warning("more than %s claims were refused within a minute", ALARM)
