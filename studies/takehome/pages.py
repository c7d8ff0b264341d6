"""What a person reads of an archive: the page that shows it, and the text beside it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.template.loader import render_to_string
from django.utils.formats import date_format
from django.utils.translation import get_language

from studies.catalog import Preview
from studies.takehome.contents import Contents
from studies.takehome.dicomdir import Directory
from studies.takehome.plan import File, held


def page(name: str, template: str, context: dict[str, Any]) -> File:
    """Render one of the two templates as a file."""
    text = render_to_string(template, context)
    # Every editor of every system shows CRLF as a new line.
    return held(name, text.replace("\n", "\r\n").encode() if name.endswith(".TXT") else text.encode())


def picture_name(preview: Preview, folders: dict[UUID, str]) -> str:
    """Where a picture lies."""
    return f"PICTURES/{folders[preview.series_id]}/P{preview.index:05}.jpg"


def said(day: date | None) -> str:
    """The day in words, or ""."""
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


def context(
    contents: Contents,
    folders: dict[UUID, str],
    versions: Sequence[Sequence[File]],
    originals: Sequence[File],
    listing: Directory,
) -> dict[str, Any]:
    """What both templates say."""
    shown: dict[UUID, list[_Shown]] = defaultdict(list)
    for preview in contents.previews:
        path = picture_name(preview, folders)
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
