"""The landing page, and a person's own images."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from accounts import people
from accounts.models import User
from portal import delivery
from sharing import access, guests, life, opening_times, releases
from sharing.access import Right
from studies import catalog, completeness, rejections, reports
from studies.completeness import Arrived
from studies.models import Study


@dataclass(frozen=True)
class Card:
    """One study on the timeline; `whose` where several people's stand there."""

    study: Study
    title: str
    kind: str
    image_count: int
    report_ready: bool
    arriving: bool
    arrived: Arrived | None  # when less has come than was announced
    taken_back: bool
    has_thumbnail: bool
    whose: str

    @classmethod
    def of(cls, study: Study, *, report_ready: bool, arrived: Arrived | None, taken_back: bool, whose: str) -> Card:
        return cls(
            study=study,
            title=catalog.title(study),
            kind=catalog.kind_words(study),
            image_count=study.image_count,
            report_ready=report_ready,
            arriving=study.state != Study.State.READY,
            arrived=arrived,
            taken_back=taken_back,
            has_thumbnail=study.image_count > 0,
            whose=whose,
        )


def _cards(studies: list[Study], user: User) -> list[Card]:
    readable = set(access.kept_by(user, Right.REPORT).values_list("pk", flat=True))
    reported = reports.with_released(studies) & readable
    arrived = completeness.incomplete(studies)
    back = rejections.taken_back(studies)
    whose = access.whose(studies, user)
    return [
        Card.of(
            study,
            report_ready=study.pk in reported,
            arrived=arrived.get(study.pk),
            taken_back=study.pk in back,
            whose=whose.get(study.patient_id, ""),
        )
        for study in studies
    ]


def _year(card: Card) -> int | None:
    return card.study.study_date.year if card.study.study_date else None


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """My images as a timeline; for a guest what her links lend, for a visitor what this is."""
    if not request.user.is_authenticated:
        if guests.session_of(request):
            return redirect("shared")
        return render(request, "portal/landing.html")
    viewer = delivery.viewer_of(request)
    studies = list(access.timeline(viewer))
    cards = _cards(studies, request.user)
    held = releases.held_for(request.user)
    ahead = life.ahead_of(request.user)
    later = {one.study.facility for one in held} | {one.facility for one in ahead}
    context = {
        "unproved": not people.is_proved(request.user),
        "years": [(year, list(group)) for year, group in groupby(cards, key=_year)],
        "waiting": [one for one in access.waiting_for(request.user) if one not in later],
        "held": [{"offer": one, "words": opening_times.of_decision(one)} for one in held],
        "ahead": ahead,
        "count": len(cards),
    }
    return render(request, "portal/home.html", context)
