"""The report: beside the pictures, on a page of its own, and as the file the facility sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.errors import NotFound, PortalError
from portal import delivery
from sharing.access import Right
from studies import catalog, reports
from studies.documents import changes, references, report_pages, trees
from studies.documents.changes import Piece
from studies.documents.histories import Document
from studies.documents.report_pages import MOST_PAGES, Pages
from studies.documents.trees import Addresses, Sheet
from studies.models import Report, Study
from studies.store.damage import Damaged

FILES: Final = {Report.Form.PDF: "report.pdf", Report.Form.DICOM: "report.dcm"}


@dataclass(frozen=True)
class ReportView:
    """One version of a report, as a page shows it: text has `paragraphs`, a PDF has `pages` where they are wanted, a
    structured report has a `sheet`; of what is damaged there is only the refusal, `lost`."""

    report: Report
    status_words: str
    date: datetime
    is_pdf: bool
    file_url: str = ""
    paragraphs: Sequence[str] = ()
    pages: Pages = field(default_factory=Pages)
    sheet: Sheet | None = None
    lost: PortalError | None = None

    @classmethod
    def of(cls, study: Study, report: Report, *, most_pages: int = 0) -> ReportView:
        """A version with its first `most_pages`: they take time to make."""
        return cls(
            report=report,
            status_words=report.get_status_display(),
            date=report.written_at or report.received_at,
            is_pdf=_has_pages(report),
            **_read(study, report, most_pages),
        )


def _read(study: Study, report: Report, most_pages: int) -> dict[str, Any]:
    """What stands in a version. One that is lost takes neither the others nor the pictures with it."""
    try:
        return {
            "file_url": reverse("report_file", args=[study.pk, report.pk]) if report.form in FILES else "",
            "paragraphs": reports.paragraphs(report) if report.form == Report.Form.TEXT else [],
            "pages": report_pages.pages(report, most_pages) if _has_pages(report) and most_pages else Pages(),
            "sheet": _sheet(study, report) if report.form == Report.Form.DICOM else None,
        }
    except Damaged as refusal:
        return {"lost": refusal}


def _has_pages(report: Report) -> bool:
    return report.form == Report.Form.PDF


@dataclass(frozen=True)
class DocumentView:
    """One document of a study: its newest version, in words what became of it, and its earlier versions.

    `newest` is empty where only its name is wanted.
    """

    anchor: str
    title: str
    name: str  # as its writer called it, where that says more than the title
    kind: str
    flag: str
    date: datetime
    newest: ReportView | None = None
    earlier: Sequence[ReportView] = ()
    changes: Sequence[Piece] = ()

    @classmethod
    def named(cls, document: Document) -> DocumentView:
        """Only what it is called, and what became of it."""
        report = document.newest
        return cls(**_about(document), date=report.written_at or report.received_at)

    @classmethod
    def of(cls, study: Study, document: Document, *, most_pages: int, with_earlier: bool = False) -> DocumentView:
        """With its words; with those of its earlier versions too, if wanted."""
        newest = ReportView.of(study, document.newest, most_pages=most_pages)
        earlier = [ReportView.of(study, one) for one in document.versions[1:]] if with_earlier else []
        changed = _changes(document) if with_earlier else []
        return cls(**_about(document), date=newest.date, newest=newest, earlier=earlier, changes=changed)


@dataclass(frozen=True)
class Reports:
    """What is said about a study: the report, if there is one, and what else there is, by name."""

    first: DocumentView | None
    others: Sequence[DocumentView]

    @classmethod
    def about(cls, study: Study, *, most_pages: int) -> Reports:
        """Measurements and doses are read on the report's own page: they do not stand in its place."""
        documents = reports.documents(study)
        first = next((one for one in documents if one.newest.kind in (Report.Kind.REPORT, Report.Kind.DOCUMENT)), None)
        others = [DocumentView.named(one) for one in documents if one is not first]
        return cls(DocumentView.of(study, first, most_pages=most_pages) if first else None, others)


@require_safe
def report(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Every document about a study, each with its earlier versions; `?beside` is what stands beside the pictures."""
    leave = delivery.admit(delivery.viewer_of(request), study_id, Right.REPORT)
    documents = reports.documents(leave.study)
    if not documents:
        raise NotFound
    if "beside" in request.GET:
        beside = Reports.about(leave.study, most_pages=MOST_PAGES)
        return render(request, "ui/report.html", {"study": leave.study, "reports": beside})
    views = [DocumentView.of(leave.study, one, most_pages=MOST_PAGES, with_earlier=True) for one in documents]
    context = {"study": leave.study, "title": catalog.title(leave.study), "documents": views}
    return render(request, "portal/report.html", context)


@require_safe
def report_file(request: HttpRequest, study_id: UUID, report_id: UUID) -> HttpResponseBase:
    """A version's PDF or DICOM file, unchanged, in a response that may run nothing."""
    leave = delivery.admit(delivery.viewer_of(request), study_id, Right.REPORT)
    wanted = _released(leave.study, report_id)
    if wanted.form == Report.Form.PDF:
        blocks, length = reports.blocks(wanted), wanted.body.length
    elif found := reports.original(wanted):
        blocks, length = found
    else:
        raise NotFound
    return delivery.answer(leave, blocks, wanted.form, length=length, filename=FILES[Report.Form(wanted.form)])


@require_safe
def report_page(request: HttpRequest, study_id: UUID, report_id: UUID, number: int) -> HttpResponseBase:
    """One page (from 1) of a version's PDF, as a picture."""
    leave = delivery.admit(delivery.viewer_of(request), study_id, Right.REPORT)
    wanted = _released(leave.study, report_id)
    if wanted.form != Report.Form.PDF:
        raise NotFound
    drawn = report_pages.page(wanted, number)
    return delivery.answer(leave, drawn.blocks, drawn.media_type, length=drawn.length)


def _released(study: Study, report_id: UUID) -> Report:
    wanted = {one.pk: one for one in reports.released(study)}.get(report_id)
    if wanted is None:
        raise NotFound
    return wanted


def _about(document: Document) -> dict[str, Any]:
    report = document.newest
    title = report.get_kind_display()
    name = report.title if report.title.casefold() != title.casefold() else ""
    return {
        "anchor": f"document-{report.pk}",
        "title": title,
        "name": name,
        "kind": report.kind,
        "flag": _flag(document),
    }


def _flag(document: Document) -> str:
    """What a reader of an earlier version should know at once; '' for a first version."""
    report = document.newest
    day = {"day": date_format(report.written_at or report.received_at, "DATE_FORMAT")}
    if report.status == Report.Status.CORRECTED:
        return _("Corrected on %(day)s") % day
    if report.status == Report.Status.AMENDED:
        return _("Amended on %(day)s") % day
    if report.status == Report.Status.APPENDED:
        return _("With an addendum of %(day)s") % day
    return _("Updated on %(day)s") % day if len(document.versions) > 1 else ""


def _changes(document: Document) -> list[Piece]:
    """What the newest version says otherwise than the one before, where both are words."""
    if len(document.versions) < 2:
        return []
    try:
        after, before = (reports.text(one, with_about=False) for one in document.versions[:2])
    except Damaged:
        return []
    return changes.changes(before, after) if after and before else []


def _sheet(study: Study, report: Report) -> Sheet:
    tree = reports.tree(report)
    return reports.sheet(report, tree, _addresses(study, trees.pictures(tree)))


def _addresses(study: Study, sop_uids: set[str]) -> Addresses:
    """Where in the viewer these pictures are."""
    viewer = reverse("viewer", args=[study.pk])
    places = references.places(study, sop_uids) if sop_uids else {}
    return {frame: f"{viewer}?series={series}&image={index}" for frame, (series, index) in places.items()}
