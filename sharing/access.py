"""Who may see what, now: the whole policy on one page.

A person sees what is released to a record that is hers or that she represents, and what is lent to her from one. A
facility's staff see what their facility published. Whatever a viewer may not see answers exactly like what does not
exist.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from accounts import prepared
from accounts.audit import Actor
from accounts.errors import NotAllowed, NotFound, SignInNeeded
from accounts.facilities import facility_for_staff
from accounts.models import Facility, PatientRecord, Representative, User
from accounts.rows import fetch
from sharing.models import Grant, Link
from studies.models import Study


class Right(StrEnum):
    """What a viewer may do with a study."""

    SEE = "see"
    REPORT = "report"
    DOWNLOAD = "download"
    LEND = "lend"


LOOKING = frozenset({Right.SEE, Right.REPORT})
LEVELS = {
    Representative.Level.VIEW: LOOKING,
    Representative.Level.MANAGE: frozenset(Right),
}
_PUBLISHED = "SELECT 1 FROM studies_study WHERE id = %s AND facility_id = %s"
LENDABLE: dict[Right, Q] = {  # what a grant must say; to lend on is not among it
    Right.SEE: Q(),
    Right.REPORT: Q(may_report=True),
    Right.DOWNLOAD: Q(may_download=True),
}


@dataclass(frozen=True)
class Person:
    """Somebody signed in, looking at her own record and at those she represents."""

    user: User

    @property
    def key(self) -> str:
        """Tells this viewer from any other."""
        return f"person:{self.user.pk}"

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
    def actor(self) -> Actor:
        """How the audit calls her."""
        return Actor.staff(self.user, self.facility)


Viewer = Person | Staff


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


def viewer_for(user: User | AnonymousUser) -> Viewer:
    """What somebody signed in is to the site; SignInNeeded for nobody."""
    if not isinstance(user, User):
        raise SignInNeeded
    facility = facility_for_staff(user)
    return Staff(user, facility) if facility else Person(user)


def visible_to(viewer: Viewer, right: Right = Right.SEE) -> QuerySet[Study]:
    """Every study on which this viewer has this right now."""
    hers = _among(Ways.ANY, viewer.user, right)
    if not (isinstance(viewer, Staff) and right in LOOKING):
        return Study.objects.filter(hers)
    published = Q(facility=viewer.facility)
    # Whoever works there is seldom a patient too; without an alternative the database goes by one index.
    is_also = _prepared(Ways.ANY, right, connection.vendor).is_answered(user=viewer.user.pk)
    return Study.objects.filter(published | hers if is_also else published)


def kept_by(user: User, right: Right = Right.SEE) -> QuerySet[Study]:
    """What is released to records of hers and in her care: not what is lent to her, nor what her facility has."""
    return Study.objects.filter(_among(Ways.KEPT, user, right))


def lent_to(user: User, right: Right = Right.SEE) -> QuerySet[Study]:
    """What is lent to her now."""
    return Study.objects.filter(_among(Ways.LENT, user, right))


def newest_first(studies: QuerySet[Study]) -> QuerySet[Study]:
    """In the order of a timeline, those without a date last, with what a page says of each."""
    return studies.select_related("facility", "patient").order_by(
        F("study_date").desc(nulls_last=True), "-received_at", "pk"
    )


def study_for(viewer: Viewer, study_id: UUID, right: Right = Right.SEE) -> Study:
    """Fetch and authorise in one call: NotFound for what is not visible, NotAllowed for what is, without the right."""
    if not has(viewer, study_id, right):
        raise NotAllowed if has(viewer, study_id) else NotFound
    study = Study.objects.select_related("facility", "patient").filter(pk=study_id).first()
    if study is None:  # gone in between
        raise NotFound
    return study


def kept_study(user: User, study_id: UUID) -> Study:
    """A study on a record of hers or in her care: NotAllowed for one that she may see for another reason."""
    study = newest_first(kept_by(user)).filter(pk=study_id).first()
    if study is None:
        study_for(viewer_for(user), study_id)
        raise NotAllowed
    return study


def allows(viewer: Viewer, study: Study, right: Right) -> bool:
    """Whether the viewer has the right on a study just now."""
    return has(viewer, study.pk, right)


def has(viewer: Viewer, study_id: UUID, right: Right = Right.SEE) -> bool:
    """Whether `visible_to` holds the study just now."""
    if isinstance(viewer, Staff) and right in LOOKING and _is_published_by(viewer.facility, study_id):
        return True
    return _prepared_for_one(right, connection.vendor).is_answered(study=study_id, user=viewer.user.pk)


def are_taken_back(viewer: Viewer, studies: Collection[UUID]) -> bool:
    """Whether one of these was released to her, or lent, and its facility took it back."""
    taken_back = Q(pk__in=studies) & ~Q(release=None) & ~Q(release__withdrawn_at=None)
    hers = _is_kept_by(viewer.user, Right.SEE) | _is_lent_to(viewer.user, Right.SEE)
    return bool(studies) and Study.objects.filter(taken_back & hers).exists()


def way_of(viewer: Viewer, study: Study, right: Right = Right.SEE) -> Way:
    """By which right a viewer has the right on a study: as its keeper first, then as lent, then as staff.

    NotFound when by none, which a check just before may not have seen yet.
    """
    if kept_by(viewer.user, right).filter(pk=study.pk).exists():
        own = Link.objects.filter(patient=study.patient_id, ended_at=None, record__user=viewer.user)
        return Way(Relation.OWN if own.exists() else Relation.REPRESENTED, Actor.person(viewer.user))
    lent = _grants_over(viewer.user, right, study.patient_id, study.pk).order_by("-expires_at", "pk").first()
    if lent is not None and Study.objects.filter(_is_released(), pk=study.pk).exists():
        return Way(Relation.LENT, Actor.person(viewer.user), lent)
    if isinstance(viewer, Staff) and right in LOOKING and study.facility_id == viewer.facility.pk:
        return Way(Relation.STAFF, viewer.actor)
    raise NotFound


def timeline(viewer: Viewer) -> QuerySet[Study]:
    """A person's images, newest first: those on her own record and on records she represents.

    A facility's staff find their patients' elsewhere, never among their own.
    """
    return newest_first(kept_by(viewer.user))


def waiting_for(user: User) -> list[Facility]:
    """Facilities that a person is linked to, and that have released nothing to her yet."""
    linked = _links_of(user, Right.SEE).values("patient__facility")
    arrived = kept_by(user).values("facility")
    return list(Facility.objects.filter(pk__in=linked).exclude(pk__in=arrived).order_by("name", "pk"))


def records_of(user: User, right: Right = Right.SEE) -> QuerySet[PatientRecord]:
    """The records that are hers, and those in her care at a level that has this right."""
    levels = [level for level, rights in LEVELS.items() if right in rights]
    represented = Representative.objects.filter(
        Q(ends_at=None) | Q(ends_at__gt=timezone.now()), user=user, level__in=levels
    )
    return PatientRecord.objects.filter(Q(user=user) | Q(pk__in=represented.values("record")))


# --- the policy's own words


class Ways(StrEnum):
    """How a person may come by a study, besides by working where it was published."""

    KEPT = "kept"
    LENT = "lent"
    ANY = "any"


def _hers(ways: Ways, user: User, right: Right) -> QuerySet[Study]:
    """What a person has this right on in these ways. It is prepared below, and asked in no other words."""
    conditions = {
        Ways.KEPT: lambda: _is_kept_by(user, right),
        Ways.LENT: lambda: _is_lent_to(user, right),
        Ways.ANY: lambda: _is_kept_by(user, right) | _is_lent_to(user, right),
    }
    return Study.objects.filter(_is_released() & conditions[ways]())


def _among(ways: Ways, user: User, right: Right) -> Q:
    return Q(pk__in=_prepared(ways, right, connection.vendor).rows(user=user.pk))


@cache
def _prepared(ways: Ways, right: Right, vendor: str) -> prepared.Question:
    return prepared.question(lambda ids: _hers(ways, _stand_in(ids), right), ("user",))


@cache
def _prepared_for_one(right: Right, vendor: str) -> prepared.Question:
    def build(ids: prepared.Ids) -> QuerySet[Study]:
        return _hers(Ways.ANY, _stand_in(ids), right).filter(pk=ids["study"])

    return prepared.question(build, ("user", "study"))


def _is_published_by(facility: Facility, study_id: UUID) -> bool:
    return bool(fetch(_PUBLISHED, study_id, facility.pk))


def _stand_in(ids: prepared.Ids) -> User:
    """Somebody who differs from the next in all that a person is."""
    return User(pk=ids["user"], email=f"{ids['user']}@example.org")


def _is_released() -> Q:
    # Both conditions stand in one Q, so that a study without a release matches neither.
    return Q(release__available_at__lte=timezone.now(), release__withdrawn_at=None)


def _is_kept_by(user: User, right: Right) -> Q:
    return Q(patient__in=_links_of(user, right).values("patient"))


def _is_lent_to(user: User, right: Right) -> Q:
    # The first condition follows from the second, and lets the database find the few patients by index.
    lenders = Link.objects.filter(record__grants__provider=user, ended_at=None)
    grants = _grants_over(user, right, OuterRef("patient"), OuterRef("pk"))
    return Q(patient__in=lenders.values("patient")) & Q(Exists(grants))


def _grants_over(user: User, right: Right, patient: UUID | OuterRef, study: UUID | OuterRef) -> QuerySet[Grant]:
    """Live grants to this person that name the study, or all and later, of a record that its patient is linked to.

    The link is asked each time: a grant shows no more than its giver can see now.
    """
    if right not in LENDABLE:
        return Grant.objects.none()
    named = Q(items__study=study, items__series=None) | Q(scope=Grant.Scope.ALL_AND_LATER)
    linked = Q(record__links__patient=patient, record__links__ended_at=None)
    return Grant.objects.live().filter(named, linked, LENDABLE[right], provider=user)


def _links_of(user: User, right: Right) -> QuerySet[Link]:
    """Live links to records on which a person has this right."""
    return Link.objects.filter(record__in=records_of(user, right), ended_at=None)
