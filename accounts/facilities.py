"""Facilities, the keys their tools publish with, and the people on their staff."""

from __future__ import annotations

import hashlib
import re
import secrets

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.audit import Action, Actor
from accounts.errors import BadRequest, Conflict
from accounts.models import Facility, FacilityKey, Membership, User
from accounts.rows import Columns, fetch

_FACILITY = Columns(Facility, "id", "slug", "name", "issuer", "is_demo")
_EMPLOYER = Columns(Facility, "id", "slug", "name", "issuer", "phone", "hours", "is_demo")
_OF_STAFF = f"""
    SELECT {_EMPLOYER.of("facility")} FROM accounts_membership membership
    JOIN accounts_facility facility ON facility.id = membership.facility_id
    WHERE membership.user_id = %s ORDER BY membership.created_at, membership.id LIMIT 1
"""  # noqa: S608 - our own names
_BY_SELECTOR = f"""
    SELECT key.digest, {_FACILITY.of("facility")} FROM accounts_facilitykey key
    JOIN accounts_facility facility ON facility.id = key.facility_id
    WHERE key.selector = %s AND key.revoked_at IS NULL
"""  # noqa: S608 - our own names

KEY_FORMAT = re.compile(r"lbx_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


def add_facility(
    name: str, issuer: str = "", *, phone: str = "", hours: str = "", actor: Actor, demo: bool = False
) -> tuple[Facility, str]:
    """A new facility and its first key, which is shown this once only. BadRequest for an empty name."""
    name = name.strip()
    if not slugify(name):
        raise BadRequest(_("A facility needs a name with letters in it."), hint=_("Give it a name and try again."))
    try:
        with transaction.atomic():
            facility = Facility.objects.create(
                name=name, slug=_free_slug(name), issuer=issuer, phone=phone, hours=hours, is_demo=demo
            )
            audit.record(Action.FACILITY_ADDED, actor=actor, facility_id=facility.pk)
            return facility, issue_key(facility, actor=actor)
    except IntegrityError as error:
        raise Conflict(_("Another facility of that name was added just now."), hint=_("Try once more.")) from error


def _free_slug(name: str) -> str:
    """`lakeside-imaging`, or `lakeside-imaging-2` when that is taken."""
    base = slugify(name)[:40].strip("-")
    taken = set(Facility.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    slug, number = base, 1
    while slug in taken:
        number += 1
        slug = f"{base}-{number}"
    return slug


def issue_key(facility: Facility, *, actor: Actor) -> str:
    """One more key for a facility, shown this once only. Older keys stay valid until revoked."""
    selector, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    with transaction.atomic():
        key = FacilityKey.objects.create(facility=facility, selector=selector, digest=_digest(secret))
        audit.record(Action.KEY_ISSUED, actor=actor, facility_id=facility.pk, key=str(key.pk))
    return f"lbx_{selector}_{secret}"


def revoke_key(key: FacilityKey, *, actor: Actor) -> None:
    """End a key; the next request with it is refused. Revoking twice changes nothing."""
    with transaction.atomic():
        if FacilityKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now()):
            audit.record(Action.KEY_REVOKED, actor=actor, facility_id=key.facility_id, key=str(key.pk))


def key_named(selector: str) -> FacilityKey | None:
    """The key whose middle part, between `lbx_` and the secret, is this selector; also of a whole key."""
    match = KEY_FORMAT.fullmatch(selector)
    return FacilityKey.objects.filter(selector=match[1] if match else selector).first()


def facility_for_key(text: str) -> Facility | None:
    """The facility this key belongs to, or None for anything else.

    The selector only finds the row; the secret is compared in constant time. It has 256 random bits, so a plain
    SHA-256 of it cannot be searched.
    """
    match = KEY_FORMAT.fullmatch(text)
    if match is None:
        return None
    found = fetch(_BY_SELECTOR, match[1])
    digest, *facility = found[0] if found else (bytes(32),)
    fits = secrets.compare_digest(bytes(digest), _digest(match[2]))
    return _FACILITY.take(iter(facility)) if found and fits else None


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("ascii")).digest()


def change_contact(facility: Facility, *, phone: str, hours: str, actor: Actor) -> None:
    """How patients reach a facility: printed on its sheets, told where something fails. The same again is no deed."""
    contact = {"phone": phone.strip(), "hours": hours.strip()}
    with transaction.atomic():
        if Facility.objects.filter(pk=facility.pk).exclude(**contact).update(**contact):
            audit.record(Action.FACILITY_CHANGED, actor=actor, facility_id=facility.pk)


def administers(user: User, facility: Facility) -> bool:
    """Whether somebody on the staff may change what the facility says of itself."""
    return user.memberships.filter(facility=facility, role=Membership.Role.ADMINISTRATOR).exists()


def facility_for_staff(user: User) -> Facility | None:
    """The facility a person works at; the one joined first, should there be several."""
    found = fetch(_OF_STAFF, user.pk)
    return _EMPLOYER.take(iter(found[0])) if found else None
