"""Who may see what, now: the whole policy on one page.

A person sees what is released to a record that is hers or that she represents. A facility's staff see what their
facility published. Whatever a viewer may not see answers exactly like what does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from accounts.audit import Actor
from accounts.errors import NotAllowed, NotFound, SignInNeeded
from accounts.facilities import facility_for_staff
from accounts.models import Facility, Representative, User
from sharing.models import Link
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


def viewer_for(user: User | AnonymousUser) -> Viewer:
    """What somebody signed in is to the site; SignInNeeded for nobody."""
    if not isinstance(user, User):
        raise SignInNeeded
    facility = facility_for_staff(user)
    return Staff(user, facility) if facility else Person(user)


def visible_to(viewer: Viewer, right: Right = Right.SEE) -> QuerySet[Study]:
    """Every study on which this viewer has this right now."""
    allowed = _released_to(viewer.user, right)
    if isinstance(viewer, Staff) and right in LOOKING:
        allowed |= Q(facility=viewer.facility)
    return Study.objects.filter(allowed)


def study_for(viewer: Viewer, study_id: UUID, right: Right = Right.SEE) -> Study:
    """Fetch and authorise in one call: NotFound for what is not visible, NotAllowed for what is, without the right."""
    study = visible_to(viewer, right).select_related("facility", "patient").filter(pk=study_id).first()
    if study is not None:
        return study
    if visible_to(viewer).filter(pk=study_id).exists():
        raise NotAllowed
    raise NotFound


def allows(viewer: Viewer, study: Study, right: Right) -> bool:
    """Whether the viewer has the right on a study just now."""
    return visible_to(viewer, right).filter(pk=study.pk).exists()


def timeline(viewer: Viewer) -> QuerySet[Study]:
    """A person's images, newest first: those on her own record and on records she represents.

    A facility's staff find their patients' elsewhere, never among their own.
    """
    mine = visible_to(Person(viewer.user)).select_related("facility", "patient")
    return mine.order_by(F("study_date").desc(nulls_last=True), "-received_at", "pk")


def waiting_for(user: User) -> list[Facility]:
    """Facilities that a person is linked to, and that have released nothing to her yet."""
    linked = _links_of(user, Right.SEE).values("patient__facility")
    arrived = visible_to(Person(user)).values("facility")
    return list(Facility.objects.filter(pk__in=linked).exclude(pk__in=arrived).order_by("name", "pk"))


def record_behind(viewer: Viewer, study: Study) -> UUID | None:
    """The record on which a study stands, whoever looks: the one whose owner reads of the look."""
    live = Link.objects.filter(patient=study.patient_id, ended_at=None)
    return live.values_list("record_id", flat=True).first()


def _released_to(user: User, right: Right) -> Q:
    # Both conditions on the release stand in one Q, so that a study without a release matches neither.
    return Q(
        patient__in=_links_of(user, right).values("patient"),
        release__available_at__lte=timezone.now(),
        release__withdrawn_at=None,
    )


def _links_of(user: User, right: Right) -> QuerySet[Link]:
    """Live links to records on which a person has this right: her own, and those she represents at a level."""
    levels = [level for level, rights in LEVELS.items() if right in rights]
    represented = Representative.objects.filter(
        Q(ends_at=None) | Q(ends_at__gt=timezone.now()), user=user, level__in=levels
    )
    return Link.objects.filter(Q(record__user=user) | Q(record__in=represented.values("record")), ended_at=None)
