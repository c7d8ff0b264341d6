"""Who looks, and by which right: the words in which `sharing.access` says its policy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from uuid import UUID

from django.contrib.auth.models import AnonymousUser

from accounts.audit import Actor
from accounts.errors import SignInNeeded
from accounts.facilities import facility_for_staff
from accounts.models import Facility, User
from sharing.models import Capability, Grant, ShareSession


class Right(StrEnum):
    """What a viewer may do with a study."""

    SEE = "see"
    REPORT = "report"
    DOWNLOAD = "download"
    LEND = "lend"


class Ways(StrEnum):
    """How one may come by a study, besides by working where it was published."""

    KEPT = "kept"  # by a user: on a record of hers, or in her care
    LENT = "lent"  # by a user: to her
    ANY = "any"  # by a user: either
    OPENED = "opened"  # by a share session: through a link
    PULLED = "pulled"  # by a capability


Ask = tuple[Ways, UUID]
"""One question to the policy: a way, and the id of the user, the share session or the capability."""


@dataclass(frozen=True)
class Person:
    """Somebody signed in, looking at her own record and at those she represents."""

    user: User
    facility = None

    @property
    def key(self) -> str:
        """Tells this viewer from any other."""
        return f"person:{self.user.pk}"

    @property
    def crowd(self) -> str:
        """With whom she shares what there is for one: the server's threads, and turns at the sandbox."""
        return self.key

    @property
    def asks(self) -> tuple[Ask, ...]:
        """What the policy is asked for this viewer."""
        return ((Ways.ANY, self.user.pk),)

    @property
    def actor(self) -> Actor:
        """How the audit calls her."""
        return Actor.person(self.user)


@dataclass(frozen=True)
class Staff:
    """Somebody at a facility; what is released to her as a patient she sees besides."""

    user: User
    facility: Facility

    @property
    def key(self) -> str:
        """Tells this viewer from any other."""
        return f"staff:{self.user.pk}:{self.facility.pk}"

    @property
    def crowd(self) -> str:
        """With whom she shares what there is for one."""
        return self.key

    @property
    def asks(self) -> tuple[Ask, ...]:
        """What the policy is asked for this viewer, besides what her facility published."""
        return ((Ways.ANY, self.user.pk),)

    @property
    def actor(self) -> Actor:
        """How the audit calls her."""
        return Actor.staff(self.user, self.facility)


@dataclass(frozen=True)
class Guest:
    """Somebody in a share session, who has opened links; what she sees as whoever is signed in beside it stays."""

    session: ShareSession
    host: Person | Staff | None = None

    @property
    def user(self) -> User | None:
        """Whoever is signed in as well."""
        return self.host.user if self.host else None

    @property
    def facility(self) -> Facility | None:
        """Where whoever is signed in works."""
        return self.host.facility if self.host else None

    @property
    def key(self) -> str:
        """Tells this viewer from any other."""
        return f"guest:{self.session.pk}" + (f"|{self.host.key}" if self.host else "")

    @cached_property
    def crowd(self) -> str:
        """With all who opened the same link first, however many browsers they open it in."""
        return self.host.crowd if self.host else f"grant:{self.session.openings.earliest('pk').grant_id}"

    @property
    def asks(self) -> tuple[Ask, ...]:
        """What the policy is asked for this viewer."""
        return ((Ways.OPENED, self.session.pk), *(self.host.asks if self.host else ()))

    @property
    def actor(self) -> Actor:
        """How the audit calls her: as whoever is signed in, else as she called herself, if she did."""
        return Actor.person(self.host.user) if self.host else Actor.guest(self.session.pk, self.session.declared)


@dataclass(frozen=True)
class Machine:
    """A machine that pulls what one grant lends, by a capability that somebody made of it."""

    capability: Capability
    user = None
    facility = None

    @property
    def key(self) -> str:
        """Tells this viewer from any other."""
        return f"machine:{self.capability.pk}"

    @property
    def crowd(self) -> str:
        """With every machine, and every guest, of the same grant."""
        return f"grant:{self.capability.grant_id}"

    @property
    def asks(self) -> tuple[Ask, ...]:
        """What the policy is asked for this viewer."""
        return ((Ways.PULLED, self.capability.pk),)

    @property
    def actor(self) -> Actor:
        """How the audit calls it: by whoever made the capability."""
        return Actor.machine(self.capability.pk, self.capability.made_by)


Viewer = Person | Staff | Guest | Machine


class Relation(StrEnum):
    """Why somebody may look."""

    OWN = "own"
    REPRESENTED = "represented"
    LENT = "lent"
    STAFF = "staff"


@dataclass(frozen=True)
class Way:
    """By which right a viewer looks at a study, for the audit and for the words on a page."""

    relation: Relation
    actor: Actor
    grant: Grant | None = None

    @property
    def is_keeper(self) -> bool:
        """Whether the record is the viewer's own, or in her care."""
        return self.relation in (Relation.OWN, Relation.REPRESENTED)


def viewer_for(user: User | AnonymousUser, session: ShareSession | None = None) -> Viewer:
    """What somebody is to the site, signed in or in a share session or both; SignInNeeded for neither."""
    host: Person | Staff | None = None
    if isinstance(user, User):
        facility = facility_for_staff(user)
        host = Staff(user, facility) if facility else Person(user)
    viewer = Guest(session, host) if session else host
    if viewer is None:
        raise SignInNeeded
    return viewer
