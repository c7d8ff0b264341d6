"""Where every file of an archive lies, and under which name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import groupby
from typing import Final
from uuid import UUID

from studies.catalog import Original
from studies.documents.printing import print_text
from studies.receiving.preamble import MAGIC, PREAMBLE, harmless, preamble_kind
from studies.store.damage import Damaged
from studies.takehome import pages
from studies.takehome.contents import Contents, ReportFile
from studies.takehome.dicomdir import Directory, Listed, Place, directory
from studies.takehome.plan import File, Plan, held

BEGINNING: Final = 64 * 1024
"""All that a directory record repeats stands this early in a file; what may come later is private or large."""

PRINTED_LIMIT: Final = 256 * 1024
"""A longer text is not printed: half a second, and 150 pages nobody asked for."""


def lay_out(contents: Contents) -> Plan:
    """Decide every file of the archive. Reads the beginning of each original and asks the sandbox."""
    folders = _folders(contents)
    originals, listing = _originals(contents, folders)
    pictures = [File(pages.picture_name(one, folders), one.length, one.blocks) for one in contents.previews]
    versions = [_report(number, report, contents) for number, report in enumerate(contents.reports, 1)]
    contents = replace(contents, missing=contents.missing + len(contents.originals) - len(originals))
    context = pages.context(contents, folders, versions, originals, listing)
    files = [
        pages.page("README.TXT", "archive/readme.txt", context),
        pages.page("index.html", "archive/index.html", context),
        *(file for version in versions for file in version),
        *pictures,
        *([held("DICOMDIR", listing.body)] if listing.body else []),
        *originals,
    ]
    return Plan(f"lightbox-{contents.date or 'images'}.zip", files, contents.made_at)


def _folders(contents: Contents) -> dict[UUID, str]:
    """A short name for each series, the same for its pictures and its originals."""
    ids = dict.fromkeys([*(one.series_id for one in contents.originals), *(one.id for one in contents.series)])
    return {series_id: f"S{number:04}" for number, series_id in enumerate(ids, 1)}


def _report(number: int, report: ReportFile, contents: Contents) -> list[File]:
    """The version as it came; of words also a text and a print, unless they are too long for one."""
    name = f"REPORT/report-{number}"
    sent = [File(f"{name}.{report.suffix}", report.length, report.blocks)] if report.blocks else []
    if not report.text:
        return sent
    text = sent if report.suffix == "txt" else [held(f"{name}.txt", report.text.encode()), *sent]
    if len(report.text) > PRINTED_LIMIT:
        return text
    about = [
        contents.facility,
        contents.title,
        pages.said(contents.date),
        f"{report.status}, {pages.said(report.received)}",
    ]
    printed = print_text(report.text, report.title, [line for line in about if line])
    return [held(f"{name}.pdf", printed), *text]


def _originals(contents: Contents, folders: dict[UUID, str]) -> tuple[list[File], Directory]:
    """The whole originals and the DICOMDIR over them, each beginning read once, a batch in memory at a time."""
    files: list[File] = []

    def listed() -> Iterator[Listed]:
        for series_number, (_, group) in enumerate(groupby(contents.originals, lambda o: o.series_id), 1):
            for number, original in enumerate(group, 1):
                file_id = ("DICOM", folders[original.series_id], f"I{number:05}")
                try:
                    beginning = _beginning(original)
                except Damaged:
                    continue
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
    """The file as received; but a preamble that makes it a program, a page or a ZIP as well is zeroed."""
    notes = {"sop_uid": original.sop_uid}
    kind = preamble_kind(beginning[:PREAMBLE]) if beginning[PREAMBLE:].startswith(MAGIC) else None
    if kind is None:
        return File(name, original.length, original.blocks, original.crc32, original.sha256, notes)
    notes |= {"received_sha256": original.sha256, "preamble": f"zeroed, it was that of a {kind}"}
    return File(name, original.length, lambda: harmless(original.blocks()), notes=notes)


def _beginning(original: Original) -> bytes:
    """The bytes up to the pixels, but no more than a record may need."""
    wanted = min(original.pixel_offset or original.length, BEGINNING)
    beginning = b""
    for block in original.blocks():
        beginning += block
        if len(beginning) >= wanted:
            break
    return beginning[:wanted]
