"""People and their records: opened at sign-up, kept up to date by their owner."""

from __future__ import annotations

from datetime import date

from allauth.account.models import EmailAddress
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.audit import Action, Actor
from accounts.errors import Conflict
from accounts.models import Facility, Membership, PatientRecord, ProviderProfile, Representative, User


def add_account(
    email: str,
    password: str,
    *,
    provider: bool = False,
    staff_of: Facility | None = None,
    administrator: bool = False,
    actor: Actor,
) -> User:
    """A person whose address the operator vouches for, with an empty record. Conflict when the address is taken."""
    with transaction.atomic():
        user, record = _open(email, password)
        if provider:
            ProviderProfile.objects.create(user=user)
        if staff_of is not None:
            role = Membership.Role.ADMINISTRATOR if administrator else Membership.Role.CLERK
            Membership.objects.create(user=user, facility=staff_of, role=role)
        audit.record(
            Action.ACCOUNT_ADDED,
            actor=actor,
            record_id=record.pk,
            facility_id=staff_of.pk if staff_of else None,
            account=str(user.pk),
        )
    return user


def add_provider(email: str, password: str, *, name: str, practice: str) -> User:
    """A physician who has proved her address by a letter that reached it. Conflict when the address is taken."""
    with transaction.atomic():
        user, record = _open(email, password)
        ProviderProfile.objects.create(user=user, name=name.strip(), practice=practice.strip())
        audit.record(Action.SIGNED_UP, actor=Actor.person(user), record_id=record.pk, way="page")
    return user


def sign_up(email: str, password: str, *, name: str, birth_date: date | None) -> User:
    """A person whose address nobody has proved yet, see `is_proved`. Conflict when the address is taken."""
    with transaction.atomic():
        user, record = _open(email, password, verified=False)
        record.name, record.birth_date = name.strip(), birth_date
        record.save(update_fields=["name", "birth_date"])
        audit.record(Action.SIGNED_UP, actor=Actor.person(user), record_id=record.pk, way="page")
    return user


def is_proved(user: User) -> bool:
    """Whether an address of hers was verified. Until then she neither shares nor downloads, nor signs in elsewhere."""
    return bool(EmailAddress.objects.filter(user=user, verified=True).exists())


def record_in_care(user: User, initials: str, birth_date: date) -> PatientRecord:
    """The record of somebody in her care with these initials and this birth date; opened when there is none."""
    called = " ".join(initials.split())[:40]
    hers = Representative.objects.filter(user=user, level=Representative.Level.MANAGE, ends_at=None)
    known = PatientRecord.objects.filter(representatives__in=hers, birth_date=birth_date, user=None)
    with transaction.atomic():
        for record in known.select_for_update():
            if _letters(record.name) == _letters(called):
                return record
        record = PatientRecord.objects.create(name=called, birth_date=birth_date)
        Representative.objects.create(record=record, user=user, level=Representative.Level.MANAGE)
        audit.record(Action.CARE_TAKEN, actor=Actor.person(user), record_id=record.pk, way="page")
    return record


def cares_for_somebody(user: User) -> bool:
    """Whether there are records in her care."""
    return Representative.objects.filter(user=user).exists()


def _letters(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _open(email: str, password: str, *, verified: bool = True) -> tuple[User, PatientRecord]:
    email = email.strip().lower()
    if User.objects.filter(email=email).exists() or EmailAddress.objects.filter(email=email).exists():
        raise Conflict(_("An account with that e-mail address exists already."), hint=_("Choose another address."))
    user = User.objects.create_user(email, password)
    EmailAddress.objects.create(user=user, email=email, verified=verified, primary=True)
    return user, PatientRecord.objects.create(user=user)


def find(email: str) -> User | None:
    """The person who signs in with this address, whatever its case."""
    return User.objects.filter(email=email.strip().lower()).first()


def record_of(user: User) -> PatientRecord:
    """A person's own record; opened empty for whoever has none yet."""
    record, _created = PatientRecord.objects.get_or_create(user=user)
    return record


def change_details(user: User, *, name: str, birth_date: date | None) -> None:
    """What a person says of herself. Never taken from a facility, never given to one."""
    with transaction.atomic():
        record = record_of(user)
        record.name, record.birth_date = name.strip(), birth_date
        record.save(update_fields=["name", "birth_date"])
        audit.record(Action.DETAILS_CHANGED, actor=Actor.person(user), record_id=record.pk)


def end_sessions(user: User) -> None:
    """End every session of a person at its next request, whichever device it is on.

    `user` carries the new epoch afterwards: a view that keeps its own session calls Django's
    `update_session_auth_hash` with it.
    """
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(session_epoch=F("session_epoch") + 1)
        user.refresh_from_db(fields=["session_epoch"])
        audit.record(Action.SESSIONS_ENDED, actor=Actor.person(user), record_id=record_of(user).pk)
