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
from sharing.access import Right, allows
from sharing.disclosures import TIMELINE
from studies import catalog, closer, reports
from studies import details as details_of
from studies.catalog import SeriesView
from studies.models import Rendition, Study

SIZES = set(Rendition.Size.values)
MARKED = "marked"
HEADS = frozenset({"BRAIN", "HEAD", "SKULL"})
# Fetched at once, not one after the other as each names the next.
MODULES = sorted(f"js/viewer/{path.name}" for path in (settings.BASE_DIR / "static/js/viewer").glob("*.js"))


@require_safe
def viewer(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """The pictures of a study, one at a time; `?series=` (one, or `marked`) and `?image=` say which."""
    leave = delivery.admit(delivery.viewer_of(request), study_id, Right.SEE)
    study, series = leave.study, catalog.series_of(leave.study)
    run = _run(series, _marks(study, series), request.GET.get("series", ""))
    may_read = allows(leave.viewer, study, Right.REPORT)
    context = {
        "study": study,
        "title": catalog.title(study),
        "phantom": study.is_phantom,
        "series": series,
        "run": run,
        "is_head": study.body_part.replace(" ", "").upper() in HEADS,
        "has_report": may_read and bool(reports.with_released([study])),
        "manifest_url": reverse("manifest", args=[study.pk]),
        "modules": MODULES,
        **_place(study, run, request.GET.get("image", "")),
    }
    return render(request, "portal/viewer.html", context)


@dataclass(frozen=True)
class Run:
    """What is turned through: the pictures of one series, or those that were marked in several; index from 1."""

    id: str
    series: SeriesView | None
    places: Sequence[tuple[SeriesView, int]]
    marked: Sequence[tuple[SeriesView, int]]


def _marks(study: Study, series: list[SeriesView]) -> list[tuple[SeriesView, int]]:
    by_id = {one.id: one for one in series}
    return [(by_id[pk], index) for pk, index in details_of.marked(study) if pk in by_id]


def _run(series: list[SeriesView], marks: list[tuple[SeriesView, int]], wanted: str) -> Run:
    """What was asked for; else what a radiologist marked, else the first series that has pictures."""
    by_id = {str(one.id): one for one in series}
    if marks and wanted not in by_id:
        return Run(MARKED, None, marks, marks)
    one = by_id.get(wanted) or next((one for one in series if one.count), None)
    places = [(one, index) for index in range(1, one.count + 1)] if one else []
    return Run(str(one.id) if one else "", one, places, marks)


def _place(study: Study, run: Run, image: str) -> dict[str, Any]:
    """Where in the run we are, and the links to the pictures before and after (for a page without script)."""
    count = len(run.places)
    if not count:
        return {"current": run.series, "index": 0, "count": 0, "picture_url": "", "previous_url": "", "next_url": ""}
    index = _index(image, count, 1 if run.id == MARKED else (count + 1) // 2)
    series, number = run.places[index - 1]
    page = f"{reverse('viewer', args=[study.pk])}?series={run.id}&image="
    return {
        "current": series,
        "index": index,
        "count": count,
        "picture_url": picture_url(study, series, number),
        "previous_url": f"{page}{index - 1}" if index > 1 else "",
        "next_url": f"{page}{index + 1}" if index < count else "",
    }


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
        made = closer.samples(leave.study, series_id, index, whole=size == "full", whose=leave.viewer.key)
        content, encoding = packing.gzipped(request, made.content())
    answer = delivery.answer(leave, packing.pieces(content), "application/octet-stream", length=len(content))
    packing.describe(answer, encoding)
    return answer


@require_safe
def full(request: HttpRequest, study_id: UUID, series_id: UUID, index: int) -> HttpResponseBase:
    """One picture (index from 1) with all its pixels, as a JPEG."""
    leave = delivery.admit(delivery.viewer_of(request), study_id, Right.SEE)
    with delivery.making(leave):
        made = closer.large(leave.study, series_id, index, whose=leave.viewer.key)
    return delivery.answer(leave, made.blocks, made.media_type, length=made.length)


@require_safe
def picture(request: HttpRequest, study_id: UUID, series_id: UUID, size: str, index: int) -> HttpResponseBase:
    """One picture of a series at one size (index from 1)."""
    leave = delivery.admit(delivery.viewer_of(request), study_id, Right.SEE)
    if size not in SIZES:
        raise NotFound
    found = catalog.picture(leave.study, series_id, size, index)
    return delivery.answer(leave, found.blocks, found.media_type, length=found.length)


@require_safe
def thumbnail(request: HttpRequest, study_id: UUID) -> HttpResponseBase:
    """The one small picture that stands for a study on the timeline."""
    leave = delivery.admit(delivery.viewer_of(request), study_id, Right.SEE, way=TIMELINE)
    found = catalog.thumbnail(leave.study)
    return delivery.answer(leave, found.blocks, found.media_type, length=found.length)
