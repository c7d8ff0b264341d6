"""Taking a study home."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from sharing.access import Right

from portal import delivery
from sharing import access
from studies import archive, catalog


def take_home(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """What the ZIP holds and how large it is, before the click."""
    study = access.study_for(delivery.viewer_of(request), study_id, Right.DOWNLOAD)
    context = {
        "study": study,
        "title": catalog.title(study),
        "size": archive.size_of(study),
        "download_url": reverse("download", args=[study.pk]),
    }
    return render(request, "portal/take_home.html", context)


def download(request: HttpRequest, study_id: UUID) -> HttpResponseBase:
    """The ZIP itself, streamed."""
    leave = delivery.admit(delivery.viewer_of(request), study_id, Right.DOWNLOAD)
    plan = archive.plan_of(leave.study)
    return delivery.answer(leave, plan.blocks(), "application/zip", length=plan.exact_size, filename=plan.filename)
