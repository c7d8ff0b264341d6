"""Take a study home: one ZIP, streamed, that opens without any DICOM software.

    README.TXT  index.html           plain words; the page shows pictures and report, without any script
    REPORT/report-1.pdf  .txt  .dcm  each document, the newest version of each first
    PICTURES/S0001/P00001.jpg        every picture, series after series
    DICOMDIR  DICOM/S0001/I00001     the originals, unchanged, under names that every medium can hold
    manifest.json                    SHA-256 of everything above

Names come from our own counting, never from a tag. Where everything lies and how large it is is known before the
first byte leaves; of the pictures and originals no more than one block or one picture is in memory.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from django.db.models import Sum
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import get_language

from studies import catalog, reports
from studies.catalog import Original, Preview, SeriesView
from studies.dicomdir import Directory, Listed, Place, directory
from studies.documents import enclosed
from studies.documents.printing import print_text
from studies.models import Rendition, Report, Study
from studies.receiving.preamble import preamble_kind
from studies.store import objects
from studies.zipping import Member, Zip

BEGINNING: Final = 64 * 1024
"""All that a directory record repeats stands this early in a file; what may come later is private or large."""

PRINTED_LIMIT: Final = 256 * 1024
"""A longer text is not printed: half a second, and 150 pages nobody asked for."""

PREAMBLE, MAGIC = 128, b"DICM"
MANIFEST: Final = "manifest.json"
_NO_SUM = "0" * 64

# What a file costs beyond its bytes, at most: its place in the ZIP, the manifest, the page and the DICOMDIR.
COST_OF_PICTURE, COST_OF_ORIGINAL, COST_OF_REPORT, COST_OF_ALL = 800, 1000, 40_000, 12_000


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
    """All that goes into an archive. Previews and originals are grouped by series; `made_at` dates the files."""

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


@dataclass(frozen=True)
class File:
    """One file of the archive: its sums as far as they are known, and what the manifest says besides."""

    name: str
    length: int
    blocks: Callable[[], Iterable[bytes]]
    crc32: int | None = None
    sha256: str = ""
    notes: dict[str, str] = field(default_factory=dict)

    def manifest_row(self, sums: dict[str, str]) -> dict[str, Any]:
        sha256 = self.sha256 or sums.get(self.name, _NO_SUM)
        return {"path": self.name, "size": self.length, "sha256": sha256, **self.notes}


@dataclass(frozen=True)
class Plan:
    """An archive, laid out and ready to be streamed, as often as wanted."""

    filename: str
    files: Sequence[File]
    made_at: datetime

    @property
    def exact_size(self) -> int:
        """Bytes of the whole ZIP."""
        return self._zip({}).size

    def blocks(self) -> Iterator[bytes]:
        """The ZIP. Raises `zipping.MemberChanged` when a stored body is not what its row says."""
        return self._zip({}).blocks()

    def _zip(self, sums: dict[str, str]) -> Zip:
        """Sums that nobody knew are noted as the bytes pass: the manifest comes last, and its size is known."""
        members = [Member(file.name, file.length, partial(_noting, file, sums), file.crc32) for file in self.files]
        length = len(_manifest(self.files, {}))
        members.append(Member(MANIFEST, length, lambda: [_manifest(self.files, sums)]))
        return Zip(members, self.made_at)


# --- from rows


def plan_of(study: Study, *, with_reports: bool = True) -> Plan:
    """Lay out the archive of a study, with its released reports, in the reader's language."""
    return lay_out(contents_of(study, with_reports=with_reports))


def size_of(study: Study, *, with_reports: bool = True) -> int:
    """How large the archive will be at most, in bytes: right to a few percent, from three short queries."""
    stacks = Rendition.objects.filter(series__study=study, size=Rendition.Size.PREVIEW)
    pictures = stacks.aggregate(total=Sum("stack__length"))["total"] or 0
    versions = reports.released(study) if with_reports else []
    return (
        study.size
        + pictures
        + sum(_most_bytes(report) for report in versions)
        + COST_OF_ORIGINAL * study.instance_count
        + COST_OF_PICTURE * study.image_count
        + COST_OF_REPORT * len(versions)
        + COST_OF_ALL
    )


def _most_bytes(report: Report) -> int:
    """Text is there twice, for it is printed; a DICOM file sent by itself, beside what was read in it."""
    if report.form == Report.Form.PDF:
        return report.body.length
    return 2 * report.body.length + (report.original.length if report.original else 0)


def contents_of(study: Study, *, with_reports: bool = True) -> Contents:
    """Gather what goes into the archive; of the bytes only the reports that are words are read.

    Who may not read the reports gets none, among the originals neither.
    """
    documents = reports.documents(study) if with_reports else []
    originals = catalog.originals(study)
    return Contents(
        study_id=study.pk,
        title=catalog.title(study),
        kind=catalog.kind_words(study),
        date=study.study_date,
        facility=study.facility.name,
        phantom=study.is_phantom,
        made_at=timezone.localtime(study.changed_at),
        series=catalog.series_of(study),
        previews=list(catalog.previews(study)),
        originals=[one for one in originals if with_reports or not enclosed.is_document(one.sop_class_uid)],
        reports=[
            _report_file(report, is_earlier=number > 0)
            for document in documents
            for number, report in enumerate(document.versions)
        ],
    )


def _report_file(report: Report, *, is_earlier: bool) -> ReportFile:
    about: dict[str, Any] = {
        "title": report.title or report.get_kind_display(),
        "status": report.get_status_display(),
        "received": timezone.localdate(report.written_at or report.received_at),
        "is_earlier": is_earlier,
    }
    if report.form == Report.Form.DICOM:
        sent = report.original  # else it is an instance, and among the originals
        blocks = partial(objects.read, sent) if sent else None
        length = sent.length if sent else 0
        return ReportFile(**about, length=length, blocks=blocks, text=reports.text(report), suffix="dcm")
    text, suffix = reports.text(report), "txt" if report.form == Report.Form.TEXT else "pdf"
    return ReportFile(
        **about, length=report.body.length, blocks=partial(reports.blocks, report), text=text, suffix=suffix
    )


# --- the layout


def lay_out(contents: Contents) -> Plan:
    """Decide every file of the archive. Reads the beginning of each original and asks the sandbox."""
    folders = _folders(contents)
    originals, listing = _originals(contents, folders)
    pictures = [File(_picture_name(one, folders), one.length, one.blocks) for one in contents.previews]
    versions = [_report(number, report, contents) for number, report in enumerate(contents.reports, 1)]
    context = _context(contents, folders, versions, originals, listing)
    files = [
        _page("README.TXT", "archive/readme.txt", context),
        _page("index.html", "archive/index.html", context),
        *(file for version in versions for file in version),
        *pictures,
        *([_held("DICOMDIR", listing.body)] if listing.body else []),
        *originals,
    ]
    return Plan(f"lightbox-{contents.date or 'images'}.zip", files, contents.made_at)


def _folders(contents: Contents) -> dict[UUID, str]:
    """A short name for each series, the same for its pictures and its originals."""
    ids = dict.fromkeys([*(one.series_id for one in contents.originals), *(one.id for one in contents.series)])
    return {series_id: f"S{number:04}" for number, series_id in enumerate(ids, 1)}


def _picture_name(preview: Preview, folders: dict[UUID, str]) -> str:
    return f"PICTURES/{folders[preview.series_id]}/P{preview.index:05}.jpg"


def _report(number: int, report: ReportFile, contents: Contents) -> list[File]:
    """The version as it came; of words also a text and a print, unless they are too long for one."""
    name = f"REPORT/report-{number}"
    sent = [File(f"{name}.{report.suffix}", report.length, report.blocks)] if report.blocks else []
    if not report.text:
        return sent
    text = sent if report.suffix == "txt" else [_held(f"{name}.txt", report.text.encode()), *sent]
    if len(report.text) > PRINTED_LIMIT:
        return text
    about = [contents.facility, contents.title, _said(contents.date), f"{report.status}, {_said(report.received)}"]
    printed = print_text(report.text, report.title, [line for line in about if line])
    return [_held(f"{name}.pdf", printed), *text]


def _originals(contents: Contents, folders: dict[UUID, str]) -> tuple[list[File], Directory]:
    """The originals and the DICOMDIR over them, each beginning read once, a batch in memory at a time."""
    files: list[File] = []

    def listed() -> Iterator[Listed]:
        for series_number, (_, group) in enumerate(groupby(contents.originals, lambda o: o.series_id), 1):
            for number, original in enumerate(group, 1):
                file_id = ("DICOM", folders[original.series_id], f"I{number:05}")
                beginning = _beginning(original)
                files.append(_original("/".join(file_id), original, beginning))
                yield Listed(_place(original, file_id, number, series_number, contents.date), beginning)

    listing = directory(listed(), contents.study_id)
    return files, listing


def _place(original: Original, file_id: tuple[str, ...], number: int, series: int, day: date | None) -> Place:
    return Place(
        file_id=file_id,
        sop_uid=original.sop_uid,
        sop_class_uid=original.sop_class_uid,
        transfer_syntax_uid=original.transfer_syntax_uid,
        number=number,
        series_number=series,
        date=f"{day:%Y%m%d}" if day else "",
    )


def _original(name: str, original: Original, beginning: bytes) -> File:
    """The file as received; but a preamble that makes it a program, a page or a ZIP as well is zeroed.

    On the facility's own disks it was data. In a folder that a patient opens it could run (CVE-2019-11687).
    """
    notes = {"sop_uid": original.sop_uid}
    kind = preamble_kind(beginning[:PREAMBLE]) if beginning[PREAMBLE:].startswith(MAGIC) else None
    if kind is None:
        return File(name, original.length, original.blocks, original.crc32, original.sha256, notes)
    notes |= {"received_sha256": original.sha256, "preamble": f"zeroed, it was that of a {kind}"}
    return File(name, original.length, partial(_without_preamble, original), notes=notes)


def _beginning(original: Original) -> bytes:
    """The bytes up to the pixels, but no more than a record may need."""
    wanted = min(original.pixel_offset or original.length, BEGINNING)
    beginning = b""
    for block in original.blocks():
        beginning += block
        if len(beginning) >= wanted:
            break
    return beginning[:wanted]


def _without_preamble(original: Original) -> Iterator[bytes]:
    passed = 0
    for block in original.blocks():
        zeros = min(max(PREAMBLE - passed, 0), len(block))
        yield bytes(zeros) + block[zeros:]
        passed += len(block)


def _held(name: str, body: bytes) -> File:
    return File(name, len(body), lambda: [body])


def _noting(file: File, sums: dict[str, str]) -> Iterator[bytes]:
    if file.sha256:
        yield from file.blocks()
        return
    sha256 = hashlib.sha256()
    for block in file.blocks():
        sha256.update(block)
        yield block
    sums[file.name] = sha256.hexdigest()


def _manifest(files: Sequence[File], sums: dict[str, str]) -> bytes:
    """Equally long whatever the sums are."""
    return json.dumps({"files": [file.manifest_row(sums) for file in files]}, indent=1).encode()


# --- the words


def _page(name: str, template: str, context: dict[str, Any]) -> File:
    text = render_to_string(template, context)
    # Every editor of every system shows CRLF as a new line.
    return _held(name, text.replace("\n", "\r\n").encode() if name.endswith(".TXT") else text.encode())


def _said(day: date | None) -> str:
    return date_format(day) if day else ""


@dataclass(frozen=True)
class _Shown:
    """A picture on the page."""

    path: str
    index: int
    width: int
    height: int

    @property
    def before(self) -> int:
        return self.index - 1

    @property
    def after(self) -> int:
        return self.index + 1


def _context(
    contents: Contents,
    folders: dict[UUID, str],
    versions: Sequence[Sequence[File]],
    originals: Sequence[File],
    listing: Directory,
) -> dict[str, Any]:
    """What both templates say."""
    shown: dict[UUID, list[_Shown]] = defaultdict(list)
    for preview in contents.previews:
        path = _picture_name(preview, folders)
        shown[preview.series_id].append(_Shown(path, preview.index, preview.width, preview.height))
    told = list(zip(contents.reports, versions, strict=True))
    return {
        "contents": contents,
        "language": get_language(),
        "series": [{"view": view, "folder": folders[view.id], "pictures": shown[view.id]} for view in contents.series],
        "report": told[:1],
        "other_reports": told[1:],
        "originals": len(originals),
        "listed": bool(listing.body),
        "unlisted": ["/".join(place.file_id) for place in listing.left_out],
        "zeroed": [file.name for file in originals if "preamble" in file.notes],
    }
