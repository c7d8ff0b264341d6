"""Taking a study home."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from portal import delivery
from sharing import access
from sharing.access import Right, allows
from studies import burned_in, catalog
from studies.takehome import archive


@require_safe
def take_home(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """What the ZIP holds and how large it is, before the click."""
    viewer = delivery.viewer_of(request)
    study = access.study_for(viewer, study_id, Right.DOWNLOAD)
    delivery.admit(viewer, study_id, Right.SEE)  # the page says what the exam is: a look like any other
    may_read = allows(viewer, study, Right.REPORT)
    context = {
        "study": study,
        "title": catalog.title(study),
        "may_read": may_read,
        "burned_in": burned_in.may_be_in([study]),
        "size": archive.size_of(study, with_reports=may_read),
        "download_url": reverse("download", args=[study.pk]),
    }
    return render(request, "portal/take_home.html", context)


@require_safe
def download(request: HttpRequest, study_id: UUID) -> HttpResponseBase:
    """The ZIP itself, streamed."""
    leave = delivery.admit(delivery.viewer_of(request), study_id, Right.DOWNLOAD)
    with delivery.place(leave):  # the sandbox reads the headers first
        plan = archive.plan_of(leave.study, with_reports=allows(leave.viewer, leave.study, Right.REPORT))
    return delivery.answer(leave, plan.blocks(), "application/zip", length=plan.exact_size, filename=plan.filename)
