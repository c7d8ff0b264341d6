"""The patient's viewer: a page that works without script, its pictures, and the list its script reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.errors import NotFound
from portal import delivery, packing
from portal.ohif import views as ohif
from sharing import priors
from sharing.access import Right, allows
from studies import catalog, closer, exam, reports
from studies import details as details_of
from studies.catalog import SeriesView
from studies.models import Study

MARKED = "marked"
MOST_OFFERED = 5
HEADS = frozenset({"BRAIN", "HEAD", "SKULL"})
# Fetched at once, not one after the other as each names the next.
MODULES = sorted(f"js/viewer/{path.name}" for path in (settings.BASE_DIR / "static/js/viewer").glob("*.js"))


@require_safe
def viewer(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """The pictures of a study, one at a time; `?series=` (one, or `marked`) and `?image=` say which.

    `?with=` lays another exam of the same person beside it, at its series `?beside=`.
    """
    leave = delivery.admit(delivery.viewer_of(request), study_id, Right.SEE)
    asked, study = request.GET, leave.study
    others = priors.others_of(leave.viewer, study)
    alike = [one for one in others if priors.is_alike(one, study)]
    first = Side.of(study, asked.get("series", ""), asked.get("image", ""))
    other = _beside(leave, others, asked["with"]) if "with" in asked else None
    sides = [first] if other is None else [first, Side.of(other, asked.get("beside", "") or _like(first, other), "")]
    context = {
        "study": study,
        "title": catalog.title(study),
        "phantom": study.is_phantom,
        "sides": sides,
        "first": first,
        "others": [] if other else [Prior(one, catalog.title(one)) for one in alike[:MOST_OFFERED]],
        "lately": None if other else priors.lately(study, alike),
        "has_report": allows(leave.viewer, study, Right.REPORT) and bool(reports.with_released([study])),
        "may_download": all(allows(leave.viewer, side.study, Right.DOWNLOAD) for side in sides),
        "ohif_url": ohif.address(study),
        "modules": MODULES,
    }
    return render(request, "portal/viewer.html", context)


def _beside(leave: delivery.Pass, others: list[Study], wanted: str) -> Study:
    """The exam that is laid beside one. NotFound for another person's: nobody should compare two people by mistake."""
    chosen = next((one for one in others if str(one.pk) == wanted), None)
    if chosen is None:
        raise NotFound
    return delivery.admit(leave.viewer, chosen.pk, Right.SEE).study


def _like(first: Side, other: Study) -> str:
    """Which of its series shows most like the one on the other side; "" for any."""
    if first.current is None:
        return ""
    wanted = first.current
    alike = [one for one in catalog.series_of(other) if one.count and one.modality == wanted.modality]
    alike.sort(key=lambda one: (one.title != wanted.title, one.plane != wanted.plane, abs(one.count - wanted.count)))
    return str(alike[0].id) if alike else ""


@dataclass(frozen=True)
class Prior:
    """Another exam that may be laid beside this one."""

    study: Study
    title: str


@dataclass(frozen=True)
class Run:
    """What is turned through: the pictures of one series, or those that were marked in several; index from 1."""

    id: str
    series: SeriesView | None
    places: Sequence[tuple[SeriesView, int]]
    marked: Sequence[tuple[SeriesView, int]]

    @classmethod
    def of(cls, series: list[SeriesView], marks: list[tuple[SeriesView, int]], wanted: str) -> Run:
        """What was asked for; else what a radiologist marked, else the series that is worth looking at first."""
        by_id = {str(one.id): one for one in series}
        if marks and wanted not in by_id:
            return cls(MARKED, None, marks, marks)
        one = by_id.get(wanted) or exam.start(series)
        places = [(one, index) for index in range(1, one.count + 1)] if one else []
        return cls(str(one.id) if one else "", one, places, marks)


@dataclass(frozen=True)
class Side:
    """One exam in the viewer: what can be opened of it, what is, and the picture we are at."""

    study: Study
    series: list[SeriesView]
    run: Run
    index: int  # from 1; 0 where there is nothing to show
    current: SeriesView | None
    picture_url: str

    @classmethod
    def of(cls, study: Study, wanted: str, image: str) -> Side:
        """The side of an exam at the series and picture asked for, as far as there are such."""
        series = catalog.series_of(study)
        by_id = {one.id: one for one in series}
        marks = [(by_id[pk], index) for pk, index in details_of.marked(study) if pk in by_id]
        run = Run.of(series, marks, wanted)
        if not run.places:
            return cls(study, series, run, 0, run.series, "")
        index = _index(image, len(run.places), 1 if run.id == MARKED else (len(run.places) + 1) // 2)
        current, number = run.places[index - 1]
        return cls(study, series, run, index, current, picture_url(study, current, number))

    @property
    def count(self) -> int:
        """Pictures of what is turned through."""
        return len(self.run.places)

    @property
    def is_head(self) -> bool:
        """Whether a window for the brain makes sense."""
        return self.study.body_part.replace(" ", "").upper() in HEADS

    @property
    def previous(self) -> int:
        """The picture before, for a page without script; 0 for none."""
        return self.index - 1

    @property
    def next(self) -> int:
        """The picture after; 0 for none."""
        return self.index + 1 if self.index < self.count else 0


def _index(image: str, count: int, default: int) -> int:
    """The picture asked for, else the default. Python reads no number of thousands of digits."""
    index = int(image) if image.isdecimal() and len(image) < 10 else 0
    return index if 1 <= index <= count else default


def picture_url(study: Study, series: SeriesView, index: int, size: str = "preview") -> str:
    """The address of one picture (1-based)."""
    return reverse("picture", args=[study.pk, series.id, size, index])


@require_safe
def manifest(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Every series and where its pictures are, for the viewer's script."""
    leave = delivery.admit(delivery.viewer_of(request), study_id, Right.SEE)
    study = leave.study
    told = {
        "title": catalog.title(study),
        "date": study.study_date.isoformat() if study.study_date else "",
        "marked": [{"series": str(series), "index": index} for series, index in details_of.marked(study)],
        "series": [_manifest_row(study, one) for one in catalog.series_of(study)],
    }
    return packing.packed(request, JsonResponse(told))


def _manifest_row(study: Study, series: SeriesView) -> dict[str, Any]:
    return {
        "id": str(series.id),
        "number": series.number,
        "title": str(series.title),
        "modality": series.modality,
        "plane": str(series.plane),
        "count": series.count,
        "frame_time": series.frame_time,
        "autoplay": series.is_cine,
        "note": str(series.note),
        "pictures": _addresses("picture", study, series, "preview") if series.count else "",
        "full": _addresses("full", study, series) if series.count and series.is_larger else "",
        "pixels": _addresses("pixels", study, series) if series.count and series.has_grey else "",
        "details": reverse("details", args=[study.pk, series.id]),
        "thumbnail": picture_url(study, series, 1, "thumbnail") if series.thumbnail else "",
    }


def _addresses(route: str, study: Study, series: SeriesView, *more: str) -> str:
    """The addresses of a series' pictures, {n} standing for the index from 1."""
    return reverse(route, args=[study.pk, series.id, *more, 0]).removesuffix("0/") + "{n}/"


@require_safe
def details(request: HttpRequest, study_id: UUID, series_id: UUID) -> HttpResponse:
    """What each picture of a series measures, which way it lies, and the windows it offers."""
    leave = delivery.admit(delivery.viewer_of(request), study_id, Right.SEE)
    return packing.packed(request, JsonResponse(details_of.details(leave.study, series_id)))


@require_safe
def pixels(request: HttpRequest, study_id: UUID, series_id: UUID, index: int) -> HttpResponseBase:
    """The samples of one picture (index from 1), `?size=` fitted to a screen or full: see `closer.Samples`."""
    leave = delivery.admit(delivery.viewer_of(request), study_id, Right.SEE)
    size = request.GET.get("size", "fitted")
    if size not in ("fitted", "full"):
        raise NotFound
    with delivery.making(leave):
        made = closer.samples(leave.study, series_id, index, whole=size == "full", whose=leave.viewer.crowd)
        content, encoding = packing.gzipped(request, made.content())
    answer = delivery.answer(leave, packing.pieces(content), "application/octet-stream", length=len(content))
    packing.describe(answer, encoding)
    return answer


@require_safe
def full(request: HttpRequest, study_id: UUID, series_id: UUID, index: int) -> HttpResponseBase:
    """One picture (index from 1) with all its pixels, as a JPEG."""
    leave = delivery.admit(delivery.viewer_of(request), study_id, Right.SEE)
    with delivery.making(leave):
        made = closer.large(leave.study, series_id, index, whose=leave.viewer.crowd)
    return delivery.answer(leave, made.blocks, made.media_type, length=made.length)
