"""What is lent to somebody, patient by patient: to a provider by e-mail, to a share session by links."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from accounts import audit
from accounts.audit import Action, Actor
from accounts.models import AuditEvent, PatientRecord, ProviderProfile, User
from sharing import access, given
from sharing.access import Person, Relation, Right, Viewer, Ways
from sharing.disclosures import LOOKS
from sharing.models import Grant, Link, ShareSession
from sharing.viewers import Ask, Guest
from studies import catalog, parts
from studies.models import Study

Borrower = User | ShareSession

ONE_LOOK: Final = timedelta(minutes=15)


@dataclass(frozen=True)
class LentStudy:
    """One study, what is allowed with it, and until when at the longest."""

    study: Study
    title: str
    may_report: bool
    may_download: bool
    grant: Grant  # that lasts longest
    is_new: bool

    def has(self, words: list[str], name: str) -> bool:
        """Whether each of these words, in small letters, stands in what a list says of it and of its patient."""
        said = f"{name} {self.title} {self.study.study_date or ''} {self.study.facility.name}".casefold()
        return all(word in said for word in words)

    @property
    def until(self) -> datetime:
        """When it ends."""
        return self.grant.expires_at


@dataclass
class Lending:
    """Everything that is lent from one record, the newest study first."""

    record: PatientRecord
    grants: list[Grant] = field(default_factory=list)
    studies: list[LentStudy] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The patient by the name she gave, else by the address of whoever lends; a link tells nobody an address."""
        return given.lender_of(self.grants[0])

    @property
    def birth_date(self) -> date | None:
        """As she gave it."""
        return self.record.birth_date

    @property
    def until(self) -> datetime:
        """When the last of it ends."""
        return max(grant.expires_at for grant in self.grants)

    @property
    def notes(self) -> list[str]:
        """What was written along, the newest first."""
        return [grant.note for grant in self.grants if grant.note]

    @property
    def is_new(self) -> bool:
        """Whether something of it was never looked at."""
        return any(one.is_new for one in self.studies)


def show(borrower: Borrower, text: str = "") -> list[Lending]:
    """What `of` says, or of that what has these words, for whoever reads it on a page.

    Each exam in the list is a look that the patient reads of: one event per study and 15 minutes, all of them in one
    statement. A list that cannot be written down is not shown.
    """
    lendings, actor = _found(of(borrower), text), _actor(borrower)
    keys = {f"{actor.kind}:{actor.id}|listed {about}": event for about, event in _lines(lendings, actor)}
    with transaction.atomic():
        audit.record_all([keys[key] for key in sorted(audit.once_each(keys, ONE_LOOK))])
    return lendings


def _found(lendings: list[Lending], text: str) -> list[Lending]:
    """Those in which every word stands: in the patient's name, or in title, date and place of an exam of hers."""
    words = text.casefold().split()
    if not words:
        return lendings
    found = [replace(one, studies=[study for study in one.studies if study.has(words, one.name)]) for one in lendings]
    return [one for one in found if one.studies]


def _lines(lendings: list[Lending], actor: Actor) -> Iterator[tuple[str, AuditEvent]]:
    """What the list tells: an event for each exam; for whom there is none, one for the name."""
    for lending in lendings:
        for one in lending.studies:
            yield str(one.study.pk), _listed(lending, one.grant, actor, one.study)
        if not lending.studies:
            yield f"record {lending.record.pk}", _listed(lending, lending.grants[0], actor)


def _listed(lending: Lending, behind: Grant, actor: Actor, study: Study | None = None) -> AuditEvent:
    return audit.event(
        Action.LISTED,
        actor=actor,
        record_id=lending.record.pk,
        study_id=study.pk if study else None,
        facility_id=study.facility_id if study else None,
        way="page",
        relation=Relation.LENT,
        grant=str(behind.pk),
    )


def of(borrower: Borrower) -> list[Lending]:
    """What is lent to her now: records with something unseen first, then by the newest grant."""
    lendings: dict[UUID, Lending] = {}
    for grant in borrowed(borrower).select_related("record", "given_by").prefetch_related("items"):
        lendings.setdefault(grant.record_id, Lending(grant.record)).grants.append(grant)
    for record_id, studies in _studies(borrower, lendings).items():
        lendings[record_id].studies.extend(studies)
    return sorted(lendings.values(), key=lambda one: not one.is_new)


def borrowed(borrower: Borrower) -> QuerySet[Grant]:
    """The live grants to her, the newest first."""
    return access.grants_of(_ask(borrower)).order_by("-created_at", "pk")


def only_study(session: ShareSession, grant: Grant) -> UUID | None:
    """The one study that a link lends, if it is one just now."""
    lent = access.lent_by(_ask(session))
    if grant.scope == Grant.Scope.ALL_AND_LATER:
        lent = lent.filter(patient__links__record=grant.record_id, patient__links__ended_at=None)
    else:
        lent = lent.filter(pk__in=grant.items.values("study"))
    found = list(lent.values_list("pk", flat=True)[:2])
    return found[0] if len(found) == 1 else None


def has_any(user: User) -> bool:
    """Whether the provider's page is hers to visit: a physician's always, anybody else's while something is lent."""
    return ProviderProfile.objects.filter(user=user).exists() or borrowed(user).exists()


def _ask(borrower: Borrower) -> Ask:
    return (Ways.OPENED if isinstance(borrower, ShareSession) else Ways.LENT, borrower.pk)


def _viewer(borrower: Borrower) -> Viewer:
    return Guest(borrower) if isinstance(borrower, ShareSession) else Person(borrower)


def _actor(borrower: Borrower) -> Actor:
    return Guest(borrower).actor if isinstance(borrower, ShareSession) else Actor.person(borrower)


def _studies(borrower: Borrower, lendings: dict[UUID, Lending]) -> dict[UUID, list[LentStudy]]:
    studies = list(access.newest_first(access.lent_by(_ask(borrower))))
    lent_in_parts = access.parts_of(_viewer(borrower))  # after them, so that none of them is without its bounds
    for study in studies:
        parts.narrow(study, lent_in_parts.get(study.pk))
    links = Link.objects.filter(ended_at=None, patient__in=[study.patient_id for study in studies])
    record_of = dict(links.values_list("patient_id", "record_id"))
    seen, allowed = _seen(borrower, studies), {right: _ids(borrower, right) for right in (Right.REPORT, Right.DOWNLOAD)}
    found: dict[UUID, list[LentStudy]] = defaultdict(list)
    for study in studies:
        lending = lendings.get(record_of[study.patient_id])
        if lending is not None:
            found[lending.record.pk].append(
                LentStudy(
                    study=study,
                    title=catalog.title(study),
                    may_report=study.pk in allowed[Right.REPORT],
                    may_download=study.pk in allowed[Right.DOWNLOAD],
                    grant=_longest(study, lending.grants),
                    is_new=study.pk not in seen,
                )
            )
    return found


def _ids(borrower: Borrower, right: Right) -> set[UUID]:
    return set(access.lent_by(_ask(borrower), right).values_list("pk", flat=True))


def _seen(borrower: Borrower, studies: list[Study]) -> set[UUID]:
    """Those of the studies that she has looked at before."""
    looks = AuditEvent.objects.filter(study_id__in=[study.pk for study in studies], action__in=LOOKS)
    return {one for one in looks.filter(actor_id=str(borrower.pk)).values_list("study_id", flat=True) if one}


def _longest(study: Study, grants: list[Grant]) -> Grant:
    """The grant over a study that ends last; the newest where one was stopped since the list was read."""
    over = [
        grant
        for grant in grants
        if grant.scope == Grant.Scope.ALL_AND_LATER or study.pk in {item.study_id for item in grant.items.all()}
    ]
    return max(over or grants[:1], key=lambda grant: grant.expires_at)
