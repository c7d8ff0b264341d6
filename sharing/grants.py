"""Grants: a person lends her images to somebody, until a day, and takes them back when she likes.

By e-mail, which is here, or by link: see `sharing.links`. Nothing here decides who sees what: `sharing.access` asks
the rows written here at each request.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, Literal, NotRequired, TypedDict, Unpack
from uuid import UUID

from allauth.account.models import EmailAddress
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import audit, people, throttle
from accounts.audit import Action, Actor
from accounts.errors import BadRequest, Conflict, NotFound, PortalError
from accounts.models import PatientRecord, User
from sharing import access, emails
from sharing.access import Right
from sharing.models import Grant, GrantItem, GrantQuerySet, Link
from studies.models import Study

LONGEST: Final = timedelta(days=366)
PER_HOUR: Final = 60  # letters that one account may cause
ONE_VISIT: Final = timedelta(hours=1)  # looks less apart than that are one, to whoever is told of each
VIEW, REPORT, DOWNLOAD = "view", "report", "download"
RIGHTS: Final = (VIEW, REPORT, DOWNLOAD)
NOTE_LENGTH: Final = 400
WHOM_LENGTH: Final = 200

Wanted = Sequence[UUID] | Literal["all", "all_and_later"]

_NOBODYS_DIGEST: Final = sha256(secrets.token_bytes(32)).digest()


class InvitationRefused(PortalError):
    """One answer for every invitation that does not open: unknown, with another secret, stopped or over."""

    status, code = 404, "invitation_refused"
    message = _("This invitation does not open, or it has ended.")
    hint = _("Ask the person who sent it to share again. If you have an account already, sign in.")


class Asked(TypedDict):
    """What somebody wants to lend, to whom, and how. Without an address it is lent by link."""

    studies: Wanted
    email: NotRequired[str]
    whom: NotRequired[str]
    rights: Collection[str]
    expires_at: datetime
    note: NotRequired[str]
    tell_each: NotRequired[bool]


@dataclass(frozen=True)
class Draft:
    """What would be granted: checked, and not stored yet."""

    grant: Grant
    studies: list[Study]  # those of today, whatever the scope


def draft(giver: User, **asked: Unpack[Asked]) -> Draft:
    """Check what somebody wants to lend.

    BadRequest with a sentence for what cannot be; NotFound or NotAllowed for a study that she cannot see or not lend.
    """
    studies = asked["studies"]
    record, chosen = _chosen(giver, studies)
    is_by_link = "email" not in asked
    drawn = Grant(
        record=record,
        given_by=giver,
        kind=Grant.Kind.LINK if is_by_link else Grant.Kind.EMAIL,
        email="" if is_by_link else _address(giver, asked["email"]),
        whom=_short(asked.get("whom", ""), WHOM_LENGTH),
        scope=studies if isinstance(studies, str) else Grant.Scope.CHOSEN,
        expires_at=_end(asked["expires_at"]),
        note=_short(asked.get("note", ""), NOTE_LENGTH),
        tell_each=asked.get("tell_each", False),
        **_rights(asked["rights"]),
    )
    return Draft(drawn, chosen)


def grant(giver: User, *, way: str, key: UUID | None = None, **asked: Unpack[Asked]) -> Grant:
    """Lend to an e-mail address, and write the invitation.

    See `draft` for what is refused. The same `key` again is the same grant, so that a form sent twice lends once.
    """
    if made := made_already(giver, key):
        return made
    drawn, secret = draft(giver, **asked), secrets.token_urlsafe(32)
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
                GrantItem.objects.bulk_create(GrantItem(grant=made, study=study) for study in drawn.studies)
            _record(Action.GRANTED, made, made.given_by, way)
            carry_out(made)
    except IntegrityError as error:
        raise Conflict from error
    return made


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
    end = _end(expires_at)
    with transaction.atomic():
        mine = managed_by(giver).filter(pk=grant_id)
        if mine.filter(revoked_at=None, expires_at__gt=timezone.now()).update(expires_at=end):
            _record(Action.GRANT_EXTENDED, mine.get(), giver, way)
        elif mine.exists():
            raise Conflict(_("This sharing has ended already."), hint=_("Share again; it takes a minute."))
        else:
            raise NotFound


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
    found = Grant.objects.live().filter(pk=grant_id).first()
    stored = bytes(found.invitation_digest) if found else _NOBODYS_DIGEST
    if not hmac.compare_digest(digest(secret), stored) or found is None:
        raise InvitationRefused
    return found


def invited(grant_id: UUID) -> Grant:
    """A grant whose invitation was opened a while ago; InvitationRefused when it has ended since."""
    found = Grant.objects.live().filter(pk=grant_id).first()
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


def _chosen(giver: User, wanted: Wanted) -> tuple[PatientRecord, list[Study]]:
    lendable = access.newest_first(access.kept_by(giver, Right.LEND))
    if isinstance(wanted, str):
        record = people.record_of(giver)
        mine = lendable.filter(patient__links__record=record, patient__links__ended_at=None)
        if wanted == "all" and not mine:
            raise BadRequest(_("There is nothing to share yet."), hint=_("Share once your first images are here."))
        return record, list(mine)
    found = list(lendable.filter(pk__in=wanted))
    for missing in set(wanted) - {study.pk for study in found}:
        access.study_for(access.viewer_for(giver), missing, Right.LEND)
    return _record_behind(found), found


def _record_behind(studies: list[Study]) -> PatientRecord:
    """The one record that all these studies are on."""
    if not studies:
        raise BadRequest(_("No exam is chosen."), hint=_("Choose at least one exam to share."))
    links = Link.objects.filter(patient__in={study.patient_id for study in studies}, ended_at=None)
    records = list(PatientRecord.objects.filter(pk__in=links.values("record")))
    if len(records) != 1:
        raise BadRequest(
            _("These exams belong to different people."), hint=_("Share the exams of one person at a time.")
        )
    return records[0]


def _address(giver: User, email: str) -> str:
    address = email.strip().lower()
    try:
        validate_email(address)
    except ValidationError as error:
        raise BadRequest(
            _("This does not look like an e-mail address."), hint=_("Type it like name@example.org.")
        ) from error
    if address == giver.email or EmailAddress.objects.filter(user=giver, email=address).exists():
        raise BadRequest(_("That is your own address."), hint=_("Type the address of the person you share with."))
    return address


def _end(expires_at: datetime) -> datetime:
    now = timezone.now()
    if expires_at <= now:
        raise BadRequest(_("The end lies in the past."), hint=_("Choose a day that is still to come."))
    if expires_at > now + LONGEST:
        raise BadRequest(_("Sharing lasts a year at most."), hint=_("Choose an earlier day; you can extend it later."))
    return expires_at


def _rights(rights: Collection[str]) -> dict[str, bool]:
    if VIEW not in rights or not set(rights) <= set(RIGHTS):
        raise BadRequest(
            _("Sharing allows to view, and if you like to read the report and to download."),
            hint=_("Name “view”, and “report” and “download” as you like."),
        )
    return {"may_report": REPORT in rights, "may_download": DOWNLOAD in rights}


def _short(text: str, most: int) -> str:
    if len(text) > most:
        raise BadRequest(_("The text is too long."), hint=_("Use %(most)d characters at most.") % {"most": most})
    return text.strip()


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
