"""What goes into an archive, gathered from the rows of a study."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.utils import timezone

from studies import catalog, reports
from studies.catalog import Original, Preview, SeriesView
from studies.documents import enclosed
from studies.models import Report, Study
from studies.store import objects
from studies.store.damage import Damaged


@dataclass(frozen=True)
class ReportFile:
    """One version of a document: its words, '' for a PDF, and its bytes where they are a file of their own.

    What came as DICOM and lies among the originals is not there twice: `blocks` is then empty.
    """

    title: str
    status: str
    received: date
    length: int = 0
    blocks: Callable[[], Iterator[bytes]] | None = None
    text: str = ""
    suffix: str = "pdf"
    is_earlier: bool = False


@dataclass(frozen=True)
class Contents:
    """All that goes into an archive. Previews and originals are grouped by series; `made_at` dates the files.

    What is damaged in our store is `missing`: it costs nobody the rest.
    """

    study_id: UUID
    title: str
    kind: str
    date: date | None
    facility: str
    phantom: bool
    made_at: datetime
    series: Sequence[SeriesView]
    previews: Sequence[Preview]
    originals: Sequence[Original]
    reports: Sequence[ReportFile]
    missing: int = 0


def contents_of(study: Study, *, with_reports: bool = True) -> Contents:
    """Gather what goes into the archive; of the bytes only the reports that are words are read.

    Who may not read the reports gets none, among the originals neither.
    """
    sent = [one for one in catalog.originals(study) if with_reports or not enclosed.is_document(one.sop_class_uid)]
    originals = [one for one in sent if not one.pack.damaged_at]
    enough = {(one.sop_uid, one.sha256) for one in originals}
    versions = list(_versions(study, enough)) if with_reports else []
    return Contents(
        study_id=study.pk,
        title=catalog.title(study),
        kind=catalog.kind_words(study),
        date=study.study_date,
        facility=study.facility.name,
        phantom=study.is_phantom,
        made_at=timezone.localtime(study.changed_at),
        series=catalog.series_of(study),
        previews=[one for one in catalog.previews(study) if not one.stack.damaged_at],
        originals=originals,
        reports=[one for one in versions if one],
        missing=len(sent) - len(originals) + versions.count(None),
    )


def _versions(study: Study, originals: Collection[tuple[str, str]]) -> Iterator[ReportFile | None]:
    """Every version of every document, None for one that is damaged."""
    for document in reports.documents(study):
        for number, report in enumerate(document.versions):
            try:
                yield _report_file(report, originals, is_earlier=number > 0)
            except Damaged:
                yield None


def _report_file(report: Report, originals: Collection[tuple[str, str]], *, is_earlier: bool) -> ReportFile:
    if report.form != Report.Form.TEXT and report.body.damaged_at:
        raise Damaged
    about: dict[str, Any] = {
        "title": report.title or report.get_kind_display(),
        "status": report.get_status_display(),
        "received": timezone.localdate(report.written_at or report.received_at),
        "is_earlier": is_earlier,
    }
    if report.form == Report.Form.DICOM:
        is_here = (report.sop_uid, bytes(report.sha256).hex()) in originals
        sent = None if is_here or (report.original and report.original.damaged_at) else report.original
        blocks = partial(objects.read, sent) if sent else None
        length = sent.length if sent else 0
        return ReportFile(**about, length=length, blocks=blocks, text=reports.text(report), suffix="dcm")
    text, suffix = reports.text(report), "txt" if report.form == Report.Form.TEXT else "pdf"
    return ReportFile(
        **about, length=report.body.length, blocks=partial(reports.blocks, report), text=text, suffix=suffix
    )
