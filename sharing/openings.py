"""Opening a link: from a secret, or the code on a sheet, to a share session that sees what the link lends.

Only a POST comes here. The dead states of a link are told to who has its secret, and to nobody else.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from accounts import audit, throttle
from accounts.audit import Action, Actor, DetailValue
from accounts.errors import BadRequest, NotAllowed, PortalError
from sharing import codes, emails, grants, links
from sharing.models import Grant, Opening, ShareLink, ShareSession
from sharing.viewers import Guest, Person, Right, Staff

IDLE: Final = timedelta(hours=1)
LIFETIME: Final = timedelta(hours=12)
RESOLUTION: Final = timedelta(seconds=20)  # between writes of the last activity
SLUG: Final = re.compile(r"[\w-]{1,32}", re.ASCII)
OPENINGS_PER_DAY: Final = 100  # of one link: each is a line that its giver reads, and perhaps a letter
INTRODUCTIONS_PER_HOUR: Final = 10
CODES_PER_ADDRESS: Final = 20  # an hour
TRIES_PER_SELECTOR: Final = 20  # a day: against 40 bits that is nothing

Host = Person | Staff | None

_NOBODYS_DIGEST: Final = grants.digest(secrets.token_urlsafe(32))


class LinkUnknown(PortalError):
    """No link, or another secret."""

    status, code = 404, "link_unknown"
    message = _("This link or code does not open.")
    hint = _("Check that all of it was copied. If it was, ask the person who gave it to you to share again.")


class LinkExpired(PortalError):
    """The day is over."""

    status, code = 410, "link_expired"
    message = _("This sharing has ended.")
    hint = _("Its last day is over. Ask the person who gave you the link to share again; it takes a minute.")


class LinkRevoked(PortalError):
    """The giver stopped it, or may not lend any more."""

    status, code = 410, "link_revoked"
    message = _("This sharing was stopped.")
    hint = _("The person who gave you the link has ended it. If you still need the images, ask for a new link.")


class LinkForLooking(NotAllowed):
    """It does not let anybody download, and a machine wants to."""

    message = _("This link is for looking only.")
    hint = _("Ask the person who gave it to you to share again, with leave to download.")


class LinkWaiting(PortalError):
    """It has not begun."""

    status, code = 403, "link_waiting"
    message = _("This sharing has not begun yet.")
    hint = _("Open the link again on the day that you were told.")

    def __init__(self, begins: datetime) -> None:
        day = date_format(timezone.localtime(begins), "DATETIME_FORMAT")
        super().__init__(hint=_("Open the link again from %(day)s on.") % {"day": day})


class LinkLocked(PortalError):
    """Too many wrong passcodes, ever."""

    status, code = 410, "link_locked"
    message = _("This link is locked.")
    hint = _("The passcode was typed wrongly too often. The person who shared was told; ask for a new link.")


class LinkUsedUp(PortalError):
    """It was opened as often as its giver wanted."""

    status, code = 410, "link_used_up"
    message = _("This link was opened as often as it may be.")
    hint = _("Go on in the browser where you opened it first, or ask the person who gave it to you for a new link.")


class PasscodeNeeded(PortalError):
    """The link is right; its passcode is missing."""

    status, code = 422, "passcode_needed"
    message = _("A passcode goes with this link.")
    hint = _("Six digits. The person who gave you the link tells you, in another way than the link came.")


class PasscodeWrong(PortalError):
    """The link is right; its passcode is not."""

    status, code = 422, "passcode_wrong"
    message = _("This passcode does not fit.")
    hint = _("Ask the person who gave you the link to tell you the six digits once more.")

    def __init__(self, left: int) -> None:
        words = ngettext_lazy("You have one more try.", "You have %(left)d more tries.", left)
        super().__init__(hint=words % {"left": left} if left else _("The link is locked now."))


@dataclass(frozen=True)
class Opened:
    """A link that is open in a share session. `token` is for its cookie; empty where the session had one."""

    grant: Grant
    session: ShareSession
    token: str


def open_link(slug: str, secret: str, passcode: str = "", *, session: ShareSession | None, host: Host) -> Opened:
    """Open a link by its secret, in this share session if there is one.

    LinkUnknown for a secret that is not the link's. Not for use within a transaction, as `open_code`.
    """
    is_one = SLUG.fullmatch(slug) is not None
    found = ShareLink.objects.select_related("grant__given_by").filter(slug=slug).first() if is_one else None
    stored = bytes(found.digest) if found else _NOBODYS_DIGEST
    if not hmac.compare_digest(grants.digest(secret), stored) or found is None:
        raise LinkUnknown
    return _open(found, passcode, session, host)


def open_code(
    code: str,
    passcode: str = "",
    *,
    session: ShareSession | None,
    host: Host,
    address: str,
    right: Right = Right.SEE,
) -> Opened:
    """Open a link by the code on its sheet; TooManyTries beyond a rate. Tries stand whatever happens after them.

    NotAllowed, and no opening is spent, where the link does not give the right that is wanted.
    """
    symbols = codes.tidy(code)
    if not codes.is_whole(symbols):
        raise LinkUnknown
    selector, day = codes.selector(symbols), timedelta(days=1)
    throttle.hit(
        "share code by address", throttle.network_of(address), cap=CODES_PER_ADDRESS, within=timedelta(hours=1)
    )
    throttle.hit("share code by selector", selector, cap=TRIES_PER_SELECTOR, within=day)
    alike = list(ShareLink.objects.select_related("grant__given_by").filter(code_selector=selector))
    # One argon2 at the least, whether or not there is anything to compare with.
    fitting = [one for one in alike if codes.matches(symbols, one.code_digest)]
    if not alike:
        codes.matches(symbols, codes.dummy_digest())
    if not fitting:
        raise LinkUnknown
    return _open(fitting[0], passcode, session, host, right)


def session_of(token: str, *, is_there: bool = True) -> ShareSession | None:
    """The share session that a cookie holds, unless it ended; its clock is wound if somebody is there."""
    now = timezone.now()
    alive = ShareSession.objects.filter(ended_at=None, created_at__gt=now - LIFETIME, seen_at__gt=now - IDLE)
    found = alive.filter(digest=grants.digest(token)).first()
    if found is not None and is_there and found.seen_at < now - RESOLUTION:
        ShareSession.objects.filter(pk=found.pk).update(seen_at=now)
    return found


def close(session: ShareSession) -> None:
    """End a share session: everything it opened is closed in that browser."""
    ShareSession.objects.filter(pk=session.pk, ended_at=None).update(ended_at=timezone.now())


def introduce(session: ShareSession, *, name: str, practice: str, npi: str) -> None:
    """Write down who somebody says she is, for the givers to read. Nobody proves it; BadRequest for a wrong NPI."""
    check_npi(npi)
    said = name.strip(), practice.strip(), npi
    if said == (session.name, session.practice, session.npi):
        return
    throttle.hit("introductions", str(session.pk), cap=INTRODUCTIONS_PER_HOUR, within=timedelta(hours=1))
    session.name, session.practice, session.npi = said
    with transaction.atomic():
        session.save(update_fields=["name", "practice", "npi"])
        for opening in session.openings.select_related("grant"):
            _record(Action.INTRODUCED, opening.grant, _actor(session, None))


def check_npi(text: str) -> None:
    """BadRequest for what is no NPI; none at all is well."""
    if text and not is_npi(text):
        raise BadRequest(_("This is not an NPI."), hint=_("It has ten digits. Leave it out if you have none."))


def is_npi(text: str) -> bool:
    """Whether ten digits are a National Provider Identifier: Luhn's check over 80840 and them (45 CFR 162.406)."""
    if not (len(text) == 10 and text.isascii() and text.isdigit()):
        return False
    digits = [int(digit) for digit in "80840" + text]
    doubled = [digit * 2 if place % 2 else digit for place, digit in enumerate(reversed(digits))]
    return sum(digit // 10 + digit % 10 for digit in doubled) % 10 == 0


def _open(link: ShareLink, passcode: str, session: ShareSession | None, host: Host, right: Right = Right.SEE) -> Opened:
    _refuse_dead(link.grant)
    if session and Opening.objects.filter(session=session, grant=link.grant).exists():
        return Opened(link.grant, session, "")
    _refuse_spent(link)
    if link.passcode_digest:
        _prove(link, passcode, session, host)
    if right is Right.DOWNLOAD and not link.grant.may_download:
        raise LinkForLooking
    return _enter(link, session, host)


def _refuse_dead(grant: Grant) -> None:
    if grant.revoked_at is None and grant.expires_at <= timezone.now():
        raise LinkExpired
    if not Grant.objects.standing().filter(pk=grant.pk).exists():
        raise LinkRevoked
    if grant.starts_at > timezone.now():
        raise LinkWaiting(grant.starts_at)


def _refuse_spent(link: ShareLink) -> None:
    if link.wrong_passcodes >= ShareLink.WRONG_PASSCODES:
        raise LinkLocked
    if link.most_openings is not None and link.openings >= link.most_openings:
        raise LinkUsedUp


def _prove(link: ShareLink, passcode: str, session: ShareSession | None, host: Host) -> None:
    """Raise unless the passcode is right. A try is spent before it is compared, and given back if it was right.

    Both in one transaction: the first statement holds the row, so that of any number in parallel ten are compared.
    """
    if not passcode.strip():
        raise PasscodeNeeded
    this = ShareLink.objects.filter(pk=link.pk)
    with transaction.atomic():
        if not this.filter(wrong_passcodes__lt=ShareLink.WRONG_PASSCODES).update(
            wrong_passcodes=F("wrong_passcodes") + 1
        ):
            raise LinkLocked
        if links.fits(link, passcode):
            this.update(wrong_passcodes=F("wrong_passcodes") - 1)
            return
        left = ShareLink.WRONG_PASSCODES - this.values_list("wrong_passcodes", flat=True).get()
        _record(Action.PASSCODE_REFUSED, link.grant, _actor(session, host), left=left)
        if not left:
            emails.link_locked(link.grant.given_by)
    raise PasscodeWrong(left)


def _enter(link: ShareLink, session: ShareSession | None, host: Host) -> Opened:
    token = ""
    throttle.hit("openings of a link", str(link.pk), cap=OPENINGS_PER_DAY, within=timedelta(days=1))
    with transaction.atomic():
        if session is None:
            token, now = secrets.token_urlsafe(32), timezone.now()
            session = ShareSession.objects.create(digest=grants.digest(token), created_at=now, seen_at=now)
        room_left = Q(most_openings=None) | Q(openings__lt=F("most_openings"))
        _, is_new = Opening.objects.get_or_create(session=session, grant=link.grant)
        if is_new:
            if not ShareLink.objects.filter(room_left, pk=link.pk).update(openings=F("openings") + 1):
                raise LinkUsedUp
            _record(Action.LINK_OPENED, link.grant, _actor(session, host))
            grants.note_opening(link.grant, anew=True)
    return Opened(link.grant, session, token)


def _actor(session: ShareSession | None, host: Host) -> Actor:
    """Whoever opens: as signed in, else as she called herself in this browser, else nobody known."""
    if host:
        return Actor.person(host.user)
    return Guest(session).actor if session else Actor.nobody()


def _record(action: Action, grant: Grant, actor: Actor, **detail: DetailValue) -> None:
    about = {"grant": str(grant.pk), **detail}
    audit.record(action, actor=actor, record_id=grant.record_id, study_id=None, facility_id=None, way="page", **about)
