"""The patient's viewer: a page that works without script, its pictures, and the list its script reads."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.errors import NotFound
from portal import delivery
from sharing.access import Right, allows
from sharing.disclosures import TIMELINE
from studies import catalog, reports
from studies.catalog import SeriesView
from studies.models import Rendition, Study

SIZES = set(Rendition.Size.values)


@require_safe
def viewer(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """The pictures of a study, one at a time; `?series=` and `?image=` say which."""
    leave = delivery.admit(delivery.viewer_of(request), study_id, Right.SEE)
    series = catalog.series_of(leave.study)
    current = _chosen(series, request.GET.get("series", ""))
    may_read = allows(leave.viewer, leave.study, Right.REPORT)
    context = {
        "study": leave.study,
        "title": catalog.title(leave.study),
        "phantom": leave.study.is_phantom,
        "series": series,
        "current": current,
        "has_report": may_read and bool(reports.with_released([leave.study])),
        "manifest_url": reverse("manifest", args=[leave.study.pk]),
        **_place(leave.study, current, request.GET.get("image", "")),
    }
    return render(request, "portal/viewer.html", context)


def _chosen(series: list[SeriesView], wanted: str) -> SeriesView | None:
    """The series asked for, else the first that has pictures."""
    by_id = {str(one.id): one for one in series}
    return by_id.get(wanted) or next((one for one in series if one.count), None)


def _place(study: Study, current: SeriesView | None, image: str) -> dict[str, Any]:
    """Where in the series we are, and the links to the pictures before and after (for a page without script)."""
    if current is None or not current.count:
        return {"index": 0, "count": 0, "picture_url": "", "previous_url": "", "next_url": ""}
    index = _index(image, current.count)
    page = f"{reverse('viewer', args=[study.pk])}?series={current.id}&image="
    return {
        "index": index,
        "count": current.count,
        "picture_url": picture_url(study, current, index),
        "previous_url": f"{page}{index - 1}" if index > 1 else "",
        "next_url": f"{page}{index + 1}" if index < current.count else "",
    }


def _index(image: str, count: int) -> int:
    """The picture asked for, else the middle one. Python reads no number of thousands of digits."""
    index = int(image) if image.isdecimal() and len(image) < 10 else 0
    return index if 1 <= index <= count else (count + 1) // 2


def picture_url(study: Study, series: SeriesView, index: int, size: str = "preview") -> str:
    """The address of one picture (1-based)."""
    return reverse("picture", args=[study.pk, series.id, size, index])


@require_safe
def manifest(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Every series and where its pictures are, for the viewer's script."""
    leave = delivery.admit(delivery.viewer_of(request), study_id, Right.SEE)
    rows = [_manifest_row(leave.study, one) for one in catalog.series_of(leave.study)]
    return JsonResponse({"title": catalog.title(leave.study), "series": rows})


def _manifest_row(study: Study, series: SeriesView) -> dict[str, Any]:
    pictures = picture_url(study, series, 0).removesuffix("0/") + "{n}/" if series.count else ""
    return {
        "id": str(series.id),
        "title": str(series.title),
        "modality": series.modality,
        "plane": str(series.plane),
        "count": series.count,
        "frame_time": series.frame_time,
        "note": str(series.note),
        "pictures": pictures,
        "thumbnail": picture_url(study, series, 1, "thumbnail") if series.thumbnail else "",
    }


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
