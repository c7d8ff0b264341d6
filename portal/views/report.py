"""The report: beside the pictures, on a page of its own, and as the file the facility sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.errors import NotFound
from portal import delivery
from sharing.access import Right
from studies import catalog, report_pages, reports
from studies.models import Report, Study
from studies.report_pages import MOST_PAGES, Pages


@dataclass(frozen=True)
class ReportView:
    """One version of a report, as a page shows it. A PDF has `pages` where they are wanted, text has `paragraphs`."""

    report: Report
    status_words: str
    date: datetime
    paragraphs: list[str]
    is_pdf: bool
    file_url: str
    updated: bool
    pages: Pages = field(default_factory=Pages)

    @classmethod
    def of(cls, study: Study, report: Report, *, updated: bool = False, most_pages: int = 0) -> ReportView:
        """A version with its first `most_pages`: they take time to make."""
        is_pdf = report.form == Report.Form.PDF
        return cls(
            report=report,
            status_words=report.get_status_display(),
            date=report.received_at,
            paragraphs=[] if is_pdf else reports.paragraphs(report),
            is_pdf=is_pdf,
            file_url=reverse("report_file", args=[study.pk, report.pk]) if is_pdf else "",
            updated=updated,
            pages=report_pages.pages(report, most_pages) if is_pdf and most_pages else Pages(),
        )

    @classmethod
    def latest(cls, study: Study, *, most_pages: int = 0) -> ReportView | None:
        """The newest released version; `updated` when it replaces one that was shown before."""
        released = reports.released(study)
        if not released:
            return None
        return cls.of(study, released[0], updated=len(released) > 1, most_pages=most_pages)


@require_safe
def report(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """The report and its earlier versions."""
    leave = delivery.admit(delivery.viewer_of(request), study_id, Right.REPORT)
    latest = ReportView.latest(leave.study, most_pages=MOST_PAGES)
    if latest is None:
        raise NotFound
    context = {
        "study": leave.study,
        "title": catalog.title(leave.study),
        "report": latest,
        "versions": [ReportView.of(leave.study, one) for one in reports.released(leave.study)[1:]],
    }
    return render(request, "portal/report.html", context)


@require_safe
def report_file(request: HttpRequest, study_id: UUID, report_id: UUID) -> HttpResponseBase:
    """A version's PDF, unchanged, in a response that may run nothing."""
    leave = delivery.admit(delivery.viewer_of(request), study_id, Right.REPORT)
    wanted = _released_pdf(leave.study, report_id)
    return delivery.answer(
        leave, reports.blocks(wanted), "application/pdf", length=wanted.body.length, filename="report.pdf"
    )


@require_safe
def report_page(request: HttpRequest, study_id: UUID, report_id: UUID, number: int) -> HttpResponseBase:
    """One page (from 1) of a version's PDF, as a picture."""
    leave = delivery.admit(delivery.viewer_of(request), study_id, Right.REPORT)
    drawn = report_pages.page(_released_pdf(leave.study, report_id), number)
    return delivery.answer(leave, drawn.blocks, drawn.media_type, length=drawn.length)


def _released_pdf(study: Study, report_id: UUID) -> Report:
    released = {one.pk: one for one in reports.released(study)}
    wanted = released.get(report_id)
    if wanted is None or wanted.form != Report.Form.PDF:
        raise NotFound
    return wanted
