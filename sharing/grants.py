"""Grants: a person lends her images to somebody, until a day, and takes them back when she likes.

By e-mail, which is here, or by link: see `sharing.links`. Nothing here decides who sees what: `sharing.access` asks
the rows written here at each request.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, Unpack
from uuid import UUID

from allauth.account.models import EmailAddress
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import audit, people, throttle
from accounts.audit import Action, Actor
from accounts.errors import Conflict, NotFound, PortalError
from accounts.models import User
from sharing import access, drafts, emails
from sharing.access import Right
from sharing.drafts import DOWNLOAD, REPORT, VIEW, Asked, Draft
from sharing.models import Grant, GrantItem, GrantQuerySet
from studies.models import Series, Study

PER_HOUR: Final = 60  # letters that one account may cause
SOON: Final = timedelta(days=3)  # before its end whoever borrows is reminded
ONE_VISIT: Final = timedelta(hours=1)  # looks less apart than that are one, to whoever is told of each


_NOBODYS_DIGEST: Final = sha256(secrets.token_bytes(32)).digest()


class InvitationRefused(PortalError):
    """One answer for every invitation that does not open: unknown, with another secret, stopped or over."""

    status, code = 404, "invitation_refused"
    message = _("This invitation does not open, or it has ended.")
    hint = _("Ask the person who sent it to share again. If you have an account already, sign in.")


def grant(giver: User, *, way: str, key: UUID | None = None, **asked: Unpack[Asked]) -> Grant:
    """Lend to an e-mail address, and write the invitation.

    See `drafts.draft` for what is refused. The same `key` again is the same grant: a form sent twice lends once.
    """
    if made := made_already(giver, key):
        return made
    drawn, secret = drafts.draft(giver, **asked), secrets.token_urlsafe(32)
    drawn.grant.invitation_digest = digest(secret)
    try:
        return store(drawn, lambda made: _invite(made, secret), way=way, key=key)
    except Conflict:
        if made := made_already(giver, key):
            return made
        raise


def made_already(giver: User, key: UUID | None) -> Grant | None:
    """What a form with this key has lent before."""
    return Grant.objects.filter(pk=key, given_by=giver).first() if key else None


def store(drawn: Draft, carry_out: Callable[[Grant], None], *, way: str, key: UUID | None = None) -> Grant:
    """Store what was drawn, with what else belongs to it; all or nothing.

    TooManyTries beyond a rate, Conflict when there is a grant with this key.
    """
    made = drawn.grant
    throttle.hit("grant by account", str(made.given_by.pk), cap=PER_HOUR, within=timedelta(hours=1))
    made.pk = key or made.pk
    try:
        with transaction.atomic():
            made.save(force_insert=True)
            if made.scope != Grant.Scope.ALL_AND_LATER:
                GrantItem.objects.bulk_create(_items(drawn))
            _record(Action.GRANTED, made, made.given_by, way)
            carry_out(made)
    except IntegrityError as error:
        raise Conflict from error
    return made


def _items(drawn: Draft) -> Iterator[GrantItem]:
    """One for each study, or for each of its series that were chosen."""
    for study in drawn.studies:
        parts: list[Series | None] = [one for one in drawn.series if one.study_id == study.pk]
        yield from (GrantItem(grant=drawn.grant, study=study, series=one) for one in parts or [None])


def _invite(made: Grant, secret: str) -> None:
    emails.invitation(made, secret)
    holder = _holder(made.email)
    if holder is not None:
        _give(made, holder)


def revoke(giver: User, grant_id: UUID, *, way: str = "page") -> None:
    """Stop a grant: refused from the next request on. Twice changes nothing; NotFound for anybody else's.

    A look that runs asks `access` again every few seconds and ends there. The study's epoch stays as it is, for a
    download of the giver's own is none of this grant's business.
    """
    with transaction.atomic():
        mine = managed_by(giver).filter(pk=grant_id)
        if mine.filter(revoked_at=None).update(revoked_at=timezone.now()):
            _record(Action.REVOKED, mine.get(), giver, way)
        elif not mine.exists():
            raise NotFound


def revoke_all(giver: User, *, way: str = "page") -> int:
    """Stop every grant that is not over; returns how many."""
    with transaction.atomic():
        running = list(managed_by(giver).filter(revoked_at=None, expires_at__gt=timezone.now()))
        for one in running:
            revoke(giver, one.pk, way=way)
    return len(running)


def extend(giver: User, grant_id: UUID, expires_at: datetime, *, way: str = "page") -> None:
    """Move the end of a grant that still runs. BadRequest for a day that cannot be, Conflict once it is over."""
    with transaction.atomic():
        mine = managed_by(giver).filter(pk=grant_id)
        end = drafts.end(expires_at, mine.values_list("starts_at", flat=True).first() or timezone.now())
        if mine.filter(revoked_at=None, expires_at__gt=timezone.now()).update(expires_at=end, reminded_at=None):
            _record(Action.GRANT_EXTENDED, mine.get(), giver, way)
        elif mine.exists():
            raise Conflict(_("This sharing has ended already."), hint=_("Share again; it takes a minute."))
        else:
            raise NotFound


def widen(giver: User, grant_id: UUID, studies: Collection[UUID], *, report: bool, way: str = "page") -> None:
    """Add exams to a grant that still runs, and the reports if she wants; what was allowed before stays.

    Conflict once it is over. NotFound for anybody else's grant, and for exams that are not on its record.
    """
    with transaction.atomic():
        mine = managed_by(giver).filter(pk=grant_id).select_for_update().first()
        if mine is None:
            raise NotFound
        if mine.revoked_at is not None or mine.expires_at <= timezone.now():
            raise Conflict(_("This sharing has ended already."), hint=_("Share again; it takes a minute."))
        more = list(addable(giver, mine).filter(pk__in=studies))
        if len(more) != len(set(studies)):
            raise NotFound
        GrantItem.objects.bulk_create(GrantItem(grant=mine, study=study) for study in more)
        Grant.objects.filter(pk=mine.pk).update(may_report=mine.may_report or report, more_asked_at=None)
        _record(Action.GRANT_WIDENED, mine, giver, way)


def addable(giver: User, given: Grant) -> QuerySet[Study]:
    """The exams that could be added to a grant: on its record, hers to lend, and not in it yet."""
    mine = access.kept_by(giver, Right.LEND)
    hers = mine.filter(patient__links__record=given.record_id, patient__links__ended_at=None)
    if given.scope == Grant.Scope.ALL_AND_LATER:
        return hers.none()
    return access.newest_first(hers.exclude(pk__in=given.items.values("study")))


def ask_more(lent: Grant, actor: Actor) -> bool:
    """Tell the giver that whoever she lends to would like to see more; once a day. Returns whether she is told now."""
    now = timezone.now()
    not_lately = Q(more_asked_at=None) | Q(more_asked_at__lte=now - timedelta(days=1))
    with transaction.atomic():
        if not Grant.objects.live().filter(not_lately, pk=lent.pk).update(more_asked_at=now):
            return False
        audit.record(Action.MORE_ASKED, actor=actor, record_id=lent.record_id, way="page", grant=str(lent.pk))
        emails.more_asked(lent.given_by)
    return True


def remind() -> int:
    """Write to those to whom something is lent that ends soon, once for each end; returns how many letters."""
    now = timezone.now()
    soon = Grant.objects.live().filter(expires_at__lte=now + SOON, reminded_at=None).exclude(provider=None)
    written = 0
    for ending in soon.select_related("provider").order_by("pk"):
        if ending.provider is None or ending.expires_at - ending.starts_at <= SOON:
            continue  # it was short from the beginning, and she knows
        with transaction.atomic():
            if Grant.objects.filter(pk=ending.pk, reminded_at=None).update(reminded_at=now):
                emails.ends_soon(ending.provider, ending)
                written += 1
    return written


def managed_by(user: User) -> GrantQuerySet:
    """Grants from records that are hers or that she manages, whoever of them gave it."""
    return Grant.objects.filter(record__in=access.records_of(user, Right.LEND))


def rights_of(given: Grant) -> list[str]:
    """What a grant allows, in the words that `grant` takes."""
    asked = [(VIEW, True), (REPORT, given.may_report), (DOWNLOAD, given.may_download)]
    return [right for right, is_given in asked if is_given]


def adopt(user: User) -> int:
    """Hand somebody the grants that wait for one of her verified addresses; returns how many."""
    verified = EmailAddress.objects.filter(user=user, verified=True).values_list("email", flat=True)
    waiting = Grant.objects.filter(email__in=[one.lower() for one in verified], provider=None, revoked_at=None)
    return sum(_give(one, user) for one in waiting)


def open_invitation(grant_id: UUID, secret: str) -> Grant:
    """The live grant that an invitation's link belongs to; InvitationRefused otherwise, after the same work."""
    found = Grant.objects.standing().filter(pk=grant_id).first()
    stored = bytes(found.invitation_digest) if found else _NOBODYS_DIGEST
    if not hmac.compare_digest(digest(secret), stored) or found is None:
        raise InvitationRefused
    return found


def invited(grant_id: UUID) -> Grant:
    """A grant whose invitation was opened a while ago; InvitationRefused when it has ended since."""
    found = Grant.objects.standing().filter(pk=grant_id).first()
    if found is None:
        raise InvitationRefused
    return found


def is_for(opened: Grant, user: User) -> bool:
    """Whether a grant is hers, once she has adopted what waits for her."""
    adopt(user)
    return Grant.objects.filter(pk=opened.pk, provider=user).exists()


def has_account(opened: Grant) -> bool:
    """Whether the addressee can sign in, rather than needs an account first."""
    known = User.objects.filter(email=opened.email).exists()
    return known or EmailAddress.objects.filter(email=opened.email).exists()


def accept(opened: Grant, password: str, *, name: str, practice: str) -> User:
    """An account for the addressee, whose letter proves the address. Conflict when there is one meanwhile."""
    with transaction.atomic():
        user = people.add_provider(opened.email, password, name=name, practice=practice)
        adopt(user)
    return user


def note_opening(opened: Grant, *, anew: bool = False) -> None:
    """Write down that the addressee has looked, in the transaction of the look, and tell the giver.

    She is told the first time, or at each visit where she wants that; a link opened `anew` is a visit of its own.

    NotFound if it ended meanwhile: the statement waits for a revocation that is being committed and then sees it, so
    no look stands recorded under a grant that was stopped before.
    """
    now = timezone.now()
    running = Grant.objects.filter(pk=opened.pk, revoked_at=None, expires_at__gt=now)
    last_visit = now if anew else now - ONE_VISIT
    if running.filter(first_opened_at=None).update(first_opened_at=now, last_opened_at=now):
        emails.opened(opened.given_by)
    elif running.filter(tell_each=True, last_opened_at__lte=last_visit).update(last_opened_at=now):
        emails.opened_again(opened.given_by)
    elif not running.update(last_opened_at=now):
        raise NotFound


def _holder(email: str) -> User | None:
    """Whoever has proved to own an address."""
    proved = EmailAddress.objects.filter(email=email, verified=True, user__is_active=True)
    address = proved.select_related("user").first()
    return address.user if address else None


def _give(waiting: Grant, user: User) -> bool:
    with transaction.atomic():
        if not Grant.objects.filter(pk=waiting.pk, provider=None).update(provider=user):
            return False
        _record(Action.GRANT_ADOPTED, waiting, user, "")
    return True


def _record(action: Action, about: Grant, by: User, way: str) -> None:
    audit.record(action, actor=Actor.person(by), record_id=about.record_id, way=way, grant=str(about.pk))


def digest(secret: str) -> bytes:
    """What is stored of a secret of 256 bits, which needs no slow hash."""
    return sha256(secret.encode()).digest()
