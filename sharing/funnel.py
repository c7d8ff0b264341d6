"""How many exams of a month reached their patients, step by step: numbers alone, of nobody in person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from datetime import date
from typing import Final

from django.db.models import Count, Exists, OuterRef, QuerySet
from django.db.models.functions import TruncMonth
from django.utils import timezone

from accounts.audit import Action
from accounts.models import AuditEvent, Facility
from sharing.models import GrantItem, Link, Notice
from studies.models import Study

MONTHS: Final = 12
OPENED: Final = (Action.VIEWED, Action.REPORT_VIEWED, Action.DOWNLOADED)
TAKEN: Final = (Action.DOWNLOADED, Action.STORED_ELSEWHERE)


@dataclass(frozen=True)
class Month:
    """Of the exams that were released in a month: how many came how far until now."""

    month: date
    released: int = 0
    notified: int = 0
    claimed: int = 0
    opened: int = 0
    lent: int = 0
    without_cd: int = 0  # taken home, lent, or stored by another archive: what a disc was for


def months(facility: Facility) -> list[Month]:
    """The last twelve months, the newest first."""
    studies = _released(facility)
    steps = {
        "released": studies,
        "notified": studies.filter(Exists(Notice.objects.filter(study=OuterRef("pk")))),
        "claimed": studies.filter(Exists(Link.objects.filter(patient=OuterRef("patient"), ended_at=None))),
        "opened": studies.filter(_event(OPENED)),
        "lent": studies.filter(_lent()),
        "without_cd": studies.filter(_event(TAKEN) | _lent()),
    }
    counted = {step: _by_month(found) for step, found in steps.items()}
    listed = sorted(counted["released"], reverse=True)[:MONTHS]
    return [Month(month, **{step: counts.get(month, 0) for step, counts in counted.items()}) for month in listed]


def rows(facility: Facility) -> Iterator[list[str]]:
    """The same as lines of a table, a heading first."""
    yield [one.name for one in fields(Month)]
    for month in months(facility):
        day, *numbers = astuple(month)
        yield [f"{day:%Y-%m}", *map(str, numbers)]


def _released(facility: Facility) -> QuerySet[Study]:
    return Study.objects.filter(
        facility=facility, release__available_at__lte=timezone.now(), release__withdrawn_at=None
    )


def _event(actions: tuple[Action, ...]) -> Exists:
    """By whoever has it, or was lent it; the facility's own looks do not count."""
    events = AuditEvent.objects.filter(study_id=OuterRef("pk"), action__in=actions)
    return Exists(events.exclude(actor_kind="staff"))


def _lent() -> Exists:
    return Exists(GrantItem.objects.filter(study=OuterRef("pk")))


def _by_month(studies: QuerySet[Study]) -> dict[date, int]:
    counted = studies.annotate(month=TruncMonth("release__available_at")).values("month").annotate(count=Count("pk"))
    return {row["month"].date(): row["count"] for row in counted.order_by("month")}
