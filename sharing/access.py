"""Who may see what, now: the whole policy on one page.

A person sees what is released to a record that is hers or that she represents, and what is lent to her from one. A
share session sees what its links lend, a machine what its capability does. A facility's staff see what their facility
published. Whatever a viewer may not see answers exactly like what does not exist.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache, reduce
from operator import or_
from typing import Any
from uuid import UUID

from allauth.account.models import EmailAddress
from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from accounts import prepared
from accounts.audit import Actor
from accounts.errors import NotAllowed, NotFound
from accounts.models import Facility, PatientRecord, Representative, User
from accounts.rows import fetch
from sharing.models import Grant, GrantItem, GrantQuerySet, Link
from sharing.viewers import Ask, Guest, Machine, Person, Relation, Right, Staff, Viewer, Way, Ways, viewer_for
from studies import parts
from studies.models import Study

__all__ = ["Guest", "Machine", "Person", "Relation", "Right", "Staff", "Viewer", "Way", "Ways", "viewer_for"]


LOOKING = frozenset({Right.SEE, Right.REPORT})
LEVELS = {
    Representative.Level.VIEW: LOOKING,
    Representative.Level.MANAGE: frozenset(Right),
}
_PUBLISHED = "SELECT 1 FROM studies_study WHERE id = %s AND facility_id = %s"
_IN_PARTS = "SELECT 1 FROM sharing_grantitem WHERE study_id = %s AND series_id IS NOT NULL LIMIT 1"
LENDABLE: dict[Right, Q] = {  # what a grant must say; to lend on is not among it
    Right.SEE: Q(),
    Right.REPORT: Q(may_report=True),
    Right.DOWNLOAD: Q(may_download=True),
}
BORROWERS = {  # from a grant to whoever borrows by it
    Ways.LENT: "provider",
    Ways.ANY: "provider",
    Ways.OPENED: "openings__session",
    Ways.PULLED: "capabilities",
}


def visible_to(viewer: Viewer, right: Right = Right.SEE) -> QuerySet[Study]:
    """Every study on which this viewer has this right now."""
    hers = reduce(or_, (_among(ask, right) for ask in viewer.asks))
    if viewer.facility is None or right not in LOOKING:
        return Study.objects.filter(hers)
    published = Q(facility=viewer.facility)
    # Whoever works there is seldom a patient too; without an alternative the database goes by one index.
    is_also = any(_prepared(ways, right, connection.vendor).is_answered(who=who) for ways, who in viewer.asks)
    return Study.objects.filter(published | hers if is_also else published)


def kept_by(user: User, right: Right = Right.SEE) -> QuerySet[Study]:
    """What is released to records of hers and in her care: not what is lent to her, nor what her facility has."""
    return Study.objects.filter(_among((Ways.KEPT, user.pk), right))


def lent_to(user: User, right: Right = Right.SEE) -> QuerySet[Study]:
    """What is lent to her now."""
    return lent_by((Ways.LENT, user.pk), right)


def lent_by(ask: Ask, right: Right = Right.SEE) -> QuerySet[Study]:
    """What is lent now to a user, a share session or a capability."""
    return Study.objects.filter(_among(ask, right))


def grants_of(ask: Ask) -> GrantQuerySet:
    """The live grants to a user, a share session or a capability."""
    return Grant.objects.live().filter(_given_to(*ask))


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
    parts.narrow(study, only_series(viewer, study_id, right))
    if study.only_series is not None and not study.only_series:  # the right to its parts ended in between
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
    if viewer.facility is not None and right in LOOKING and _is_published_by(viewer.facility, study_id):
        return True
    prepared_for = {ask: _prepared_for_one(ask[0], right, connection.vendor) for ask in viewer.asks}
    return any(question.is_answered(study=study_id, who=who) for (_, who), question in prepared_for.items())


def only_series(viewer: Viewer, study_id: UUID, right: Right = Right.SEE) -> frozenset[UUID] | None:
    """The series on which a viewer has the right, where she was lent parts of a study; None for all of it."""
    if not fetch(_IN_PARTS, study_id):
        return None
    return parts_of(viewer, right, study_id).get(study_id)


def parts_of(viewer: Viewer, right: Right = Right.SEE, study_id: UUID | None = None) -> dict[UUID, frozenset[UUID]]:
    """Of the studies that she was lent in parts, and has in no other way, the series on which she has the right.

    Whatever was ever lent to her in parts is among them, so that a right that ends meanwhile leaves nothing, not all.
    """
    items = GrantItem.objects.exclude(series=None)
    if study_id is not None:
        items = items.filter(study=study_id)
    found: dict[UUID, set[UUID]] = {}
    for ask in viewer.asks:
        if not _prepared_parts(ask[0], connection.vendor).is_answered(who=ask[1]):
            continue  # nearly always, and asked by every search
        hers = items.filter(grant__in=Grant.objects.filter(_ever_given_to(*ask)).values("pk"))
        live = Grant.objects.live().filter(LENDABLE.get(right, Q(pk=None)), _given_to(*ask))
        now = set(hers.filter(grant__in=live.values("pk")).values_list("pk", flat=True))
        for pk, study, series in hers.values_list("pk", "study", "series"):
            found.setdefault(study, set()).update({series} if pk in now and series else set())
    return {study: frozenset(series) for study, series in found.items() if not _has_whole(viewer, study, right)}


def _has_whole(viewer: Viewer, study_id: UUID, right: Right) -> bool:
    """Whether she has the right on all of a study: as its keeper, by where she works, or by a grant over all of it."""
    if viewer.facility is not None and right in LOOKING and _is_published_by(viewer.facility, study_id):
        return True
    if viewer.user is not None and kept_by(viewer.user, right).filter(pk=study_id).exists():
        return True
    patient: UUID | None = Study.objects.filter(pk=study_id).values_list("patient_id", flat=True).first()
    if patient is None:
        return False
    return any(_grants_over(ask, right, patient, study_id, whole=True).exists() for ask in viewer.asks)


def are_taken_back(viewer: Viewer, studies: Collection[UUID]) -> bool:
    """Whether one of these was released to this viewer, or lent, and its facility took it back."""
    taken_back = Q(pk__in=studies) & ~Q(release=None) & ~Q(release__withdrawn_at=None)
    hers = reduce(or_, (_condition(ask, Right.SEE) for ask in viewer.asks))
    return bool(studies) and Study.objects.filter(taken_back & hers).exists()


def way_of(viewer: Viewer, study: Study, right: Right = Right.SEE) -> Way:
    """By which right a viewer has the right on a study: as its keeper first, then as lent, then as staff.

    NotFound when by none, which a check just before may not have seen yet.
    """
    user = viewer.user
    if user is not None and kept_by(user, right).filter(pk=study.pk).exists():
        own = Link.objects.filter(patient=study.patient_id, ended_at=None, record__user=user)
        return Way(Relation.OWN if own.exists() else Relation.REPRESENTED, Actor.person(user))
    if lent := _grant_behind(viewer, study, right):
        return Way(Relation.LENT, _borrower(viewer), lent)
    if viewer.facility is not None and right in LOOKING and study.facility_id == viewer.facility.pk:
        return Way(Relation.STAFF, viewer.actor)
    raise NotFound


def _grant_behind(viewer: Viewer, study: Study, right: Right) -> Grant | None:
    """The grant by which a viewer has the right, the one that lasts longest; None when the study is taken back."""
    if not Study.objects.filter(_is_released(right), pk=study.pk).exists():
        return None
    over = (_grants_over(ask, right, study.patient_id, study.pk) for ask in viewer.asks)
    behind = (grants.order_by("-expires_at", "pk").first() for grants in over)
    return next((grant for grant in behind if grant is not None), None)


def _borrower(viewer: Viewer) -> Actor:
    """Whoever borrows: a facility's staff do so for themselves."""
    return Actor.person(viewer.user) if viewer.user is not None else viewer.actor


def timeline(viewer: Viewer) -> QuerySet[Study]:
    """A person's images, newest first: those on her own record and on records she represents.

    A facility's staff find their patients' elsewhere, never among their own.
    """
    return newest_first(kept_by(viewer.user) if viewer.user is not None else Study.objects.none())


def whose(studies: Collection[Study], user: User) -> dict[UUID, str]:
    """By whose record each patient's exams are, for somebody who looks after others: the name or initials she gave, ""
    for her own; empty where all are hers."""
    links = Link.objects.filter(patient__in={study.patient_id for study in studies}, ended_at=None)
    known: list[Any] = list(links.values_list("patient", "record__user", "record__name"))
    if all(owner == user.pk for _patient, owner, _name in known):
        return {}
    return {patient: "" if owner == user.pk else name for patient, owner, name in known}


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
    hers = PatientRecord.objects.filter(Q(user=user) | Q(pk__in=represented.values("record")))
    if right in LOOKING:
        return hers
    # Whoever made her account with a code in her hand looks at once, and does no more before her address is proved.
    return hers.filter(Exists(EmailAddress.objects.filter(user=user, verified=True)))


# --- the policy's own words


def _hers(ask: Ask, right: Right) -> QuerySet[Study]:
    """What somebody has this right on in one way. It is prepared below, and asked in no other words."""
    return Study.objects.filter(_is_released(right) & _condition(ask, right))


def _condition(ask: Ask, right: Right) -> Q:
    ways, who = ask
    if ways is Ways.KEPT:
        return _is_kept_by(_stand_in(who), right)
    if ways is Ways.ANY:
        return _is_kept_by(_stand_in(who), right) | _is_lent((Ways.LENT, who), right)
    return _is_lent(ask, right)


def _among(ask: Ask, right: Right) -> Q:
    ways, who = ask
    return Q(pk__in=_prepared(ways, right, connection.vendor).rows(who=who))


@cache
def _prepared(ways: Ways, right: Right, vendor: str) -> prepared.Question:
    return prepared.question(lambda ids: _hers((ways, ids["who"]), right), ("who",))


@cache
def _prepared_for_one(ways: Ways, right: Right, vendor: str) -> prepared.Question:
    def build(ids: prepared.Ids) -> QuerySet[Study]:
        return _hers((ways, ids["who"]), right).filter(pk=ids["study"])

    return prepared.question(build, ("who", "study"))


@cache
def _prepared_parts(ways: Ways, vendor: str) -> prepared.Question:
    def build(ids: prepared.Ids) -> QuerySet[GrantItem]:
        return GrantItem.objects.exclude(series=None).filter(
            grant__in=Grant.objects.filter(_ever_given_to(ways, ids["who"]))
        )

    return prepared.question(build, ("who",))


def _is_published_by(facility: Facility, study_id: UUID) -> bool:
    return bool(fetch(_PUBLISHED, study_id, facility.pk))


def _stand_in(who: UUID) -> User:
    """Somebody with this id, who differs from the next in all that a person is."""
    return User(pk=who, email=f"{who}@example.org")


def _is_released(right: Right) -> Q:
    # The conditions stand in one Q, so that a study without a release matches none of them.
    now = timezone.now()
    if right is Right.REPORT:
        return Q(release__available_at__lte=now, release__withdrawn_at=None, release__report_at__lte=now)
    return Q(release__available_at__lte=now, release__withdrawn_at=None)


def _is_kept_by(user: User, right: Right) -> Q:
    return Q(patient__in=_links_of(user, right).values("patient"))


def _is_lent(ask: Ask, right: Right) -> Q:
    # The first condition follows from the second, and lets the database find the few patients by index.
    lenders = Link.objects.filter(**{f"record__grants__{BORROWERS[ask[0]]}": ask[1]}, ended_at=None)
    grants = _grants_over(ask, right, OuterRef("patient"), OuterRef("pk"))
    return Q(patient__in=lenders.values("patient")) & Q(Exists(grants))


def _grants_over(
    ask: Ask, right: Right, patient: UUID | OuterRef, study: UUID | OuterRef, *, whole: bool = False
) -> QuerySet[Grant]:
    """Live grants that name the study, or all and later, of a record that its patient is linked to.

    Those too that name parts of it, unless `whole`: see `only_series`.

    The link is asked each time: a grant shows no more than its giver can see now.
    """
    if right not in LENDABLE:
        return Grant.objects.none()
    item = Q(items__study=study, items__series=None) if whole else Q(items__study=study)
    named = item | Q(scope=Grant.Scope.ALL_AND_LATER)
    linked = Q(record__links__patient=patient, record__links__ended_at=None)
    return Grant.objects.live().filter(named, linked, LENDABLE[right], _given_to(*ask))


def _ever_given_to(ways: Ways, who: UUID) -> Q:
    """The grants that one borrower ever had."""
    return Q(**{BORROWERS[ways]: who})


def _given_to(ways: Ways, who: UUID) -> Q:
    """The grants of one borrower, by what ties her to them, while that lasts."""
    hers = _ever_given_to(ways, who)
    if ways is Ways.OPENED:
        return hers & Q(openings__session__ended_at=None)
    if ways is Ways.PULLED:
        return hers & Q(capabilities__ended_at=None, capabilities__expires_at__gt=timezone.now(), may_download=True)
    return hers


def _links_of(user: User, right: Right) -> QuerySet[Link]:
    """Live links to records on which a person has this right."""
    return Link.objects.filter(record__in=records_of(user, right), ended_at=None)
