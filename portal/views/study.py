"""A study's page: pictures and report at once, who looked, and the way home for the files."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from sharing.access import Right, allows

from portal import delivery
from portal.views.report import ReportView
from sharing import disclosures
from studies import archive, catalog
from studies.models import Study


def study(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """One study of mine."""
    leave = delivery.admit(delivery.viewer_of(request), study_id, Right.SEE)
    return render(request, "portal/study.html", page_context(leave))


def page_context(leave: delivery.Pass) -> dict[str, Any]:
    """What a study page shows to this viewer."""
    found, series = leave.study, catalog.series_of(leave.study)
    may_download = allows(leave.viewer, found, Right.DOWNLOAD)
    return {
        "study": found,
        "title": catalog.title(found),
        "kind": catalog.kind_words(found),
        "facility": found.facility,
        "phantom": found.facility.is_demo,
        "series": series,
        "first": next((one for one in series if one.count), None),
        "report": ReportView.latest(found) if allows(leave.viewer, found, Right.REPORT) else None,
        "may_download": may_download,
        "download_size": archive.size_of(found) if may_download else None,
        "arriving": found.state != Study.State.READY,
        "looks": disclosures.latest(found, viewer=leave.viewer),
    }
