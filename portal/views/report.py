"""The report: beside the pictures, on a page of its own, and as the file the facility sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from sharing.access import Right

from accounts.errors import NotFound
from portal import delivery
from studies import catalog, reports
from studies.models import Report, Study


@dataclass(frozen=True)
class ReportView:
    """One version of a report, as a page shows it."""

    report: Report
    status_words: str
    date: datetime
    paragraphs: list[str]
    is_pdf: bool
    file_url: str
    updated: bool

    @classmethod
    def of(cls, study: Study, report: Report, *, updated: bool = False) -> ReportView:
        is_pdf = report.form == Report.Form.PDF
        return cls(
            report=report,
            status_words=report.get_status_display(),
            date=report.received_at,
            paragraphs=[] if is_pdf else reports.paragraphs(report),
            is_pdf=is_pdf,
            file_url=reverse("report_file", args=[study.pk, report.pk]) if is_pdf else "",
            updated=updated,
        )

    @classmethod
    def latest(cls, study: Study) -> ReportView | None:
        """The newest released version; `updated` when it replaces one that was shown before."""
        released = reports.released(study)
        return cls.of(study, released[0], updated=len(released) > 1) if released else None


def report(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """The report and its earlier versions."""
    leave = delivery.admit(delivery.viewer_of(request), study_id, Right.REPORT)
    versions = [ReportView.of(leave.study, one) for one in reports.released(leave.study)]
    if not versions:
        raise NotFound
    context = {
        "study": leave.study,
        "title": catalog.title(leave.study),
        "report": versions[0],
        "versions": versions[1:],
    }
    return render(request, "portal/report.html", context)


def report_file(request: HttpRequest, study_id: UUID, report_id: UUID) -> HttpResponseBase:
    """A version's PDF, unchanged, in a response that may run nothing."""
    leave = delivery.admit(delivery.viewer_of(request), study_id, Right.REPORT)
    released = {one.pk: one for one in reports.released(leave.study)}
    wanted = released.get(report_id)
    if wanted is None or wanted.form != Report.Form.PDF:
        raise NotFound
    return delivery.answer(
        leave, reports.blocks(wanted), "application/pdf", length=wanted.body.length, filename="report.pdf"
    )
