"""How long exams take at a facility: from the order to the images, to the final report, to the patient; by modality.

Of what was stored alone, and of nobody in person. Half of the exams took no longer than p50, nine in ten than p90.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Facility
from sharing.models import Release
from studies.models import Report, Study
from studies.orders.states import State
from studies.reports import READ_FIRST

DAYS: Final = 90
ALL: Final = ""
STEPS: Final = {
    "images": _("Order to images"),
    "final": _("Images to final report"),
    "open": _("Final report to patient"),
    "whole": _("Order to patient"),
}


@dataclass(frozen=True)
class Span:
    """One step of one modality's exams."""

    count: int
    p50: timedelta | None
    p90: timedelta | None

    @classmethod
    def of(cls, times: Iterable[timedelta]) -> Span:
        ordered = sorted(times)
        return cls(len(ordered), _rank(ordered, 0.5), _rank(ordered, 0.9))


@dataclass(frozen=True)
class Moments:
    """When what happened to one exam; None where it did not, or nobody said so."""

    ordered: datetime | None
    images: datetime
    final: datetime | None
    opened: datetime | None

    def spans(self) -> dict[str, timedelta]:
        """The steps that it has taken. What came in another order than it should took no time."""
        pairs = {
            "images": (self.ordered, self.images),
            "final": (self.images, self.final),
            "open": (self.final, self.opened),
            "whole": (self.ordered, self.opened),
        }
        return {step: max(end - begin, timedelta()) for step, (begin, end) in pairs.items() if begin and end}


def by_modality(facility: Facility, days: int = DAYS) -> dict[str, dict[str, Span]]:
    """Of each modality, with ALL first, each step; of exams whose images came in the last days."""
    times: dict[str, dict[str, list[timedelta]]] = defaultdict(lambda: defaultdict(list))
    for study in _lately(facility, days):
        spans = moments(study).spans()
        for modality in (ALL, study.modalities[0] if study.modalities else "OT"):
            for step, span in spans.items():
                times[modality][step].append(span)
    return {
        modality: {step: Span.of(times[modality][step]) for step in STEPS}
        for modality in sorted(times)  # ALL is the empty name
    }


def moments(study: Study) -> Moments:
    """When what happened to a study's exam. Needs `_lately`'s prefetches to be quick."""
    events = [event for exam in study.exams.all() for event in exam.events.all()]
    ordered = [one.said_at for one in events if one.state in (State.ORDERED, State.SCHEDULED)]
    final = [one.said_at for one in events if one.state == State.FINAL]
    final += [one.received_at for one in study.reports.all() if _is_final(one)]
    return Moments(
        min(ordered, default=None),
        study.received_at,
        min(final, default=None),
        _opened(getattr(study, "release", None)),
    )


def _lately(facility: Facility, days: int) -> Iterable[Study]:
    since = timezone.now() - timedelta(days=days)
    lately = facility.studies.filter(received_at__gt=since).select_related("release")
    return lately.prefetch_related("exams__events", "reports").iterator(chunk_size=500)


def _is_final(report: Report) -> bool:
    return report.kind in READ_FIRST and report.status != Report.Status.PRELIMINARY


def _opened(offer: Release | None) -> datetime | None:
    """When images and report were both open."""
    if offer is None or offer.withdrawn_at or offer.available_at is None or offer.report_at is None:
        return None
    both: datetime = max(offer.available_at, offer.report_at)
    return both if both <= timezone.now() else None


def _rank(ordered: list[timedelta], share: float) -> timedelta | None:
    return ordered[ceil(share * len(ordered)) - 1] if ordered else None
