"""A study's page: pictures and report at once, who looked, and the way home for the files."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts import people
from portal import delivery
from portal.views.report import Reports
from sharing import access, disclosures, given, life, opening_times, priors, releases
from sharing.access import Right, allows
from sharing.models import Grant
from studies import catalog, completeness, exam, rejections
from studies.models import Study
from studies.takehome import archive

FIRST_PAGES = 2
"""Of a report that is a PDF; the others are one step away."""


@require_safe
def study(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """One study of mine."""
    leave = delivery.admit(delivery.viewer_of(request), study_id, Right.SEE)
    return render(request, "portal/study.html", page_context(leave))


def page_context(leave: delivery.Pass) -> dict[str, Any]:
    """What a study page shows to this viewer."""
    found, series = leave.study, catalog.series_of(leave.study)
    first = exam.start(series)
    user, behind = leave.viewer.user, access.way_of(leave.viewer, leave.study)
    may_read = allows(leave.viewer, found, Right.REPORT)
    may_download = allows(leave.viewer, found, Right.DOWNLOAD)
    return {
        "study": found,
        "title": catalog.title(found),
        "kind": catalog.kind_words(found),
        "facility": found.facility,
        "phantom": found.is_phantom,
        "series": series,
        "image_count": catalog.image_count(found, series),
        "first": first,
        "start_here": first.id if first and exam.is_worth_saying(series) else None,
        "about": exam.about(found),
        "may_read": may_read,
        "reports": _reports(leave) if may_read else None,
        "may_download": may_download,
        "download_size": archive.size_of(found, with_reports=may_read) if may_download else None,
        "report_waits": _waits(found, behind) if not may_read else "",
        "unproved": behind.is_keeper and not may_download and user is not None and not people.is_proved(user),
        "may_ask": behind.is_keeper,
        "may_lend": allows(leave.viewer, found, Right.LEND),
        "lent": behind.grant,
        "lender": given.lender_of(behind.grant) if behind.grant else "",
        "by_link": behind.grant is not None and behind.grant.kind == Grant.Kind.LINK,
        "shared_with": given.people_seeing(user, found) if user and behind.is_keeper else 0,
        "arriving": found.state != Study.State.READY,
        "arrived": completeness.incomplete([found]).get(found.pk),
        "lately": priors.lately(found, priors.others_of(leave.viewer, found)),
        "life": life.of_study(found) if behind.is_keeper else [],
        "taken_back": bool(rejections.taken_back([found])),
        # Whom a patient lends to is nobody else's business, her facility's neither.
        "looks": disclosures.latest(found, viewer=user) if user and behind.is_keeper else [],
    }


def _waits(study: Study, behind: access.Way) -> str:
    """When its report opens, for whoever keeps it."""
    offer = releases.report_waits(study) if behind.is_keeper else None
    return opening_times.of_decision(offer) if offer else ""


def _reports(leave: delivery.Pass) -> Reports:
    """The report, whose words stand on the page: to show them is a look of its own."""
    found = Reports.about(leave.study, most_pages=FIRST_PAGES)
    if found.first is not None:
        delivery.admit(leave.viewer, leave.study.pk, Right.REPORT)
    return found
