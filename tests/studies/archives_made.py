"""What an archive is made of, without a store and without rows; and an archive, opened."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from io import BytesIO
from typing import Any
from uuid import UUID
from zipfile import ZipFile

from studies.catalog import Original, Preview, SeriesView
from studies.models import SealedObject
from studies.takehome.contents import Contents, ReportFile
from studies.takehome.plan import Plan
from tests.factories import CT, ct_series, uid

BLOCK = 64 * 1024
DAY = date(2026, 3, 5)
NOON = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
AXIAL, SCOUT = UUID(int=1), UUID(int=2)


def blocks_of(body: bytes) -> Iterator[bytes]:
    return (body[at : at + BLOCK] for at in range(0, len(body), BLOCK))


@dataclass(frozen=True)
class KeptOriginal(Original):
    """An original in memory: no store, no row."""

    body: bytes = b""

    def blocks(self) -> Iterator[bytes]:
        return blocks_of(self.body)


@dataclass(frozen=True)
class KeptPreview(Preview):
    body: bytes = b""

    def blocks(self) -> Iterator[bytes]:
        return blocks_of(self.body)


def original(body: bytes, number: int = 1, series_id: UUID = AXIAL, **values: Any) -> KeptOriginal:
    said: dict[str, Any] = {
        "number": number,
        "sop_uid": uid(1, 1, number),
        "sop_class_uid": CT,
        "series_id": series_id,
        "series_number": 1,
        "sha256": hashlib.sha256(body).hexdigest(),
        "crc32": zlib.crc32(body),
        "length": len(body),
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "order": number - 1,
        "pixel_offset": None,
        "pack": SealedObject(),
    }
    return KeptOriginal(**{**said, **values}, body=body)


def preview(body: bytes, index: int = 1, series_id: UUID = AXIAL) -> KeptPreview:
    return KeptPreview(series_id, index, len(body), 512, 512, SealedObject(), body=body)


def series(series_id: UUID = AXIAL, **values: Any) -> SeriesView:
    said: dict[str, Any] = {
        "id": series_id,
        "title": "Axial 2.5 mm",
        "modality": "CT",
        "modality_words": "CT scan",
        "plane": "axial",
        "number": 1,
        "count": 2,
        "instances": 2,
        "frame_time": None,
        "note": "",
        "thumbnail": True,
    }
    return SeriesView(**{**said, **values})


def text_report(text: str) -> ReportFile:
    body = text.encode()
    return ReportFile("Report", "Final", DAY, len(body), lambda: iter([body]), text, "txt")


def pdf_report(body: bytes) -> ReportFile:
    return ReportFile("Report", "Amended", DAY, len(body), lambda: blocks_of(body))


def contents(**values: Any) -> Contents:
    said: dict[str, Any] = {
        "study_id": UUID(int=7),
        "title": "CT chest",
        "kind": "CT scan",
        "date": DAY,
        "facility": "Lakeside Imaging",
        "phantom": False,
        "made_at": NOON,
        "series": [series()],
        "previews": [preview(b"\xff\xd8first", 1), preview(b"\xff\xd8second", 2)],
        "originals": [original(file, number) for number, file in enumerate(ct_series(2), 1)],
        "reports": [],
    }
    return Contents(**{**said, **values})


def opened(plan: Plan) -> ZipFile:
    whole = b"".join(plan.blocks())
    assert len(whole) == plan.exact_size
    zipped = ZipFile(BytesIO(whole))
    assert zipped.testzip() is None
    return zipped


def manifest(zipped: ZipFile) -> dict[str, dict[str, Any]]:
    return {row["path"]: row for row in json.loads(zipped.read("manifest.json"))["files"]}


def page(zipped: ZipFile) -> str:
    return zipped.read("index.html").decode()


def readme(zipped: ZipFile) -> str:
    return zipped.read("README.TXT").decode()
