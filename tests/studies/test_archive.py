"""A study taken home opens without us, holds everything, and says so byte for byte."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID
from zipfile import ZipFile

import pytest
from django.utils import translation

from accounts.models import Facility
from studies import archive, catalog, intake, pipeline, reports, sandbox
from studies.archive import Contents, Plan, ReportFile, lay_out
from studies.catalog import Original, Preview, SeriesView
from studies.models import Report, SealedObject, Study
from studies.zipping import MemberChanged
from tests.factories import CT, ct_file, ct_series, uid
from tests.studies.documents_made import pdf_object, radiology_report
from tests.studies.media import instances_on

BLOCK = 64 * 1024
DAY = date(2026, 3, 5)
NOON = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
AXIAL, SCOUT = UUID(int=1), UUID(int=2)


@pytest.fixture(scope="module", autouse=True)
def zygote() -> Iterator[None]:
    sandbox.start()
    yield
    sandbox.stop()


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


class References(HTMLParser):
    """Every place a page points to, every name it can be pointed at, and every tag."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.targets: set[str] = set()
        self.names: set[str] = set()
        self.tags: set[str] = set()
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {key: value or "" for key, value in attrs}
        self.tags.add(tag)
        self.targets |= {said[key] for key in ("href", "src") if key in said}
        self.names |= {said["id"]} if "id" in said else set()


# --- what is inside


def test_everything_is_there_under_short_names() -> None:
    with opened(lay_out(contents(reports=[text_report("Lungs clear.")]))) as zipped:
        assert zipped.namelist() == [
            "README.TXT",
            "index.html",
            "REPORT/report-1.pdf",
            "REPORT/report-1.txt",
            "PICTURES/S0001/P00001.jpg",
            "PICTURES/S0001/P00002.jpg",
            "DICOMDIR",
            "DICOM/S0001/I00001",
            "DICOM/S0001/I00002",
            "manifest.json",
        ]


def test_originals_come_back_byte_for_byte() -> None:
    files = ct_series(3)
    told = contents(originals=[original(file, number) for number, file in enumerate(files, 1)])
    with opened(lay_out(told)) as zipped:
        assert [zipped.read(f"DICOM/S0001/I0000{number}") for number in (1, 2, 3)] == files


def test_the_manifest_has_the_sum_and_size_of_every_other_file() -> None:
    with opened(lay_out(contents(reports=[text_report("Lungs clear."), pdf_report(b"%PDF-1.4")]))) as zipped:
        rows = manifest(zipped)
        assert set(rows) == set(zipped.namelist()) - {"manifest.json"}
        for name, row in rows.items():
            body = zipped.read(name)
            assert (row["size"], row["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())
        assert rows["DICOM/S0001/I00002"]["sop_uid"] == uid(1, 1, 2)


def test_dicom_software_finds_every_original_through_the_dicomdir(tmp_path: Path) -> None:
    with opened(lay_out(contents())) as zipped:
        zipped.extractall(tmp_path)
    assert [one.SOPInstanceUID for one in instances_on(tmp_path)] == [uid(1, 1, 1), uid(1, 1, 2)]


def test_pictures_and_originals_of_a_series_share_its_number() -> None:
    told = contents(
        series=[series(), series(SCOUT, title="Scout")],
        previews=[preview(b"axial"), preview(b"scout", series_id=SCOUT)],
        originals=[original(ct_file(1), series_id=SCOUT), original(ct_file(2, series=2), 2)],
    )
    with opened(lay_out(told)) as zipped:
        assert zipped.read("PICTURES/S0001/P00001.jpg") == b"scout"
        assert zipped.read("PICTURES/S0002/P00001.jpg") == b"axial"
        assert zipped.read("DICOM/S0002/I00001") == ct_file(2, series=2)


def test_a_text_report_is_there_as_it_came_and_printed() -> None:
    text = "Findings:\r\nLungs clear, größer als 3 mm. 王"
    with opened(lay_out(contents(reports=[text_report(text)]))) as zipped:
        assert zipped.read("REPORT/report-1.txt") == text.encode()
        assert zipped.read("REPORT/report-1.pdf").startswith(b"%PDF")


def test_a_pdf_report_leaves_as_it_came() -> None:
    body = b"%PDF-1.7" + bytes(range(256)) * 8192
    with opened(lay_out(contents(reports=[pdf_report(body)]))) as zipped:
        assert zipped.read("REPORT/report-1.pdf") == body
        assert "REPORT/report-1.txt" not in zipped.namelist()


def test_a_very_long_text_is_not_printed() -> None:
    with opened(lay_out(contents(reports=[text_report("word " * 60_000)]))) as zipped:
        assert "REPORT/report-1.pdf" not in zipped.namelist()
        assert "REPORT/report-1.txt" in zipped.namelist()


def test_no_name_of_a_file_comes_from_a_tag() -> None:
    evil = "../../x\r\n<script>ZEBRAFISH"
    told = contents(title=evil, series=[series(title=evil)], facility=evil)
    plan = lay_out(told)
    with opened(plan) as zipped:
        assert not [name for name in zipped.namelist() if ".." in name or "ZEBRA" in name]
    assert plan.filename == "lightbox-2026-03-05.zip"
    assert lay_out(replace(told, date=None)).filename == "lightbox-images.zip"


# --- what a computer could run


@pytest.mark.parametrize(
    ("start", "kind"),
    [(b"MZ\x90\0", "windows program"), (b"%PDF-1.4", "pdf"), (b"<html>", "markup"), (b"PK\3\4", "zip")],
)
def test_a_preamble_that_could_be_opened_is_zeroed_and_both_sums_are_told(start: bytes, kind: str) -> None:
    harmless = ct_file(1, size=256)
    received = start.ljust(128, b"\x90") + harmless[128:]
    with opened(lay_out(contents(originals=[original(received)]))) as zipped:
        left = zipped.read("DICOM/S0001/I00001")
        assert left == bytes(128) + received[128:]
        row = manifest(zipped)["DICOM/S0001/I00001"]
        assert row["sha256"] == hashlib.sha256(left).hexdigest()
        assert row["received_sha256"] == hashlib.sha256(received).hexdigest()
        assert kind in row["preamble"]
        assert "DICOM/S0001/I00001" in readme(zipped)


@pytest.mark.parametrize("start", [b"II*\0", b"MM\0*", b"\1\2\3\4"])
def test_a_harmless_preamble_is_left_alone(start: bytes) -> None:
    received = start.ljust(128, b"\0") + ct_file()[128:]
    with opened(lay_out(contents(originals=[original(received)]))) as zipped:
        assert zipped.read("DICOM/S0001/I00001") == received
        assert "received_sha256" not in manifest(zipped)["DICOM/S0001/I00001"]


def test_what_has_no_preamble_is_never_cut() -> None:
    received = b"MZ" + b"no DICOM at all" * 100
    with opened(lay_out(contents(originals=[original(received)]))) as zipped:
        assert zipped.read("DICOM/S0001/I00001") == received


# --- what a person reads


def test_the_page_points_at_nothing_but_what_is_in_the_zip() -> None:
    told = contents(
        reports=[text_report("Lungs clear.")],
        series=[series(), series(SCOUT, count=0)],
        originals=[original(ct_file(1)), original(ct_file(2, series=2), 2, SCOUT)],
    )
    with opened(lay_out(told)) as zipped:
        found = References(page(zipped))
        names = {*zipped.namelist(), *(name.rpartition("/")[0] + "/" for name in zipped.namelist())}
    inside = {target for target in found.targets if not target.startswith("#")}
    assert inside <= names
    assert {target[1:] for target in found.targets - inside} <= found.names


def test_the_page_has_no_script_and_forbids_any() -> None:
    with opened(lay_out(contents())) as zipped:
        found = References(page(zipped))
        assert not found.tags & {"script", "iframe", "object", "embed", "form", "link"}
        assert "script-src 'none'" in page(zipped)


def test_text_from_elsewhere_is_text_on_the_page() -> None:
    evil = "<script>alert(1)</script>"
    told = contents(title=evil, facility=evil, series=[series(title=evil, note=evil)], reports=[text_report(evil)])
    with opened(lay_out(told)) as zipped:
        assert "script" not in References(page(zipped)).tags
        assert page(zipped).count("&lt;script&gt;") == 6


def test_the_page_shows_report_series_and_pictures() -> None:
    told = contents(reports=[text_report("Lungs clear.\n\nHeart normal.")])
    with opened(lay_out(told)) as zipped:
        said = page(zipped)
    assert "Lungs clear.\n\nHeart normal." in said
    assert "Axial 2.5 mm" in said
    assert "March 5, 2026 · Lakeside Imaging" in said
    assert 'alt="Picture 2 of 2"' in said


def test_a_phantom_is_called_one() -> None:
    with opened(lay_out(contents(phantom=True))) as zipped:
        assert "Phantom: not a person" in page(zipped)
        assert "Phantom: not a person" in readme(zipped)


def test_a_series_without_pictures_says_why() -> None:
    told = contents(series=[series(note="This is a video. Download it to watch it.", count=0)], previews=[])
    with opened(lay_out(told)) as zipped:
        assert "This is a video." in page(zipped)
        assert "PICTURES" not in readme(zipped)


def test_the_readme_is_short_plain_lines_for_any_editor() -> None:
    with opened(lay_out(contents(facility="O'Hara & Sons"))) as zipped:
        said = readme(zipped)
    assert "O'Hara & Sons, March 5, 2026\r\n" in said
    assert max(map(len, said.splitlines())) <= 80
    assert "\n\n" not in said.replace("\r\n", "\r")
    assert "2 originals, as the facility sent them." in said


def test_an_original_without_a_record_is_there_and_told() -> None:
    told = contents(originals=[original(ct_file(1)), original(b"\0" * 500, 2)])
    with opened(lay_out(told)) as zipped:
        assert zipped.read("DICOM/S0001/I00002") == b"\0" * 500
        assert "DICOMDIR has no place for these originals." in readme(zipped)
        assert "  DICOM/S0001/I00002\r\n" in readme(zipped)


def test_without_any_record_there_is_no_dicomdir() -> None:
    with opened(lay_out(contents(originals=[original(b"\0" * 500)]))) as zipped:
        assert "DICOMDIR" not in zipped.namelist()
        assert "could not be listed in a DICOMDIR" in readme(zipped)


def test_the_page_speaks_the_language_of_its_reader() -> None:
    with translation.override("es"), opened(lay_out(contents())) as zipped:
        assert '<html lang="es">' in page(zipped)
        assert "5 de marzo de 2026" in page(zipped)


def test_the_newest_report_stands_before_the_pictures_and_the_earlier_ones_behind() -> None:
    earlier = replace(text_report("A shadow."), is_earlier=True)
    with opened(lay_out(contents(reports=[text_report("No shadow."), earlier]))) as zipped:
        said = page(zipped)
    places = [said.index(words) for words in ("No shadow.", "Axial 2.5 mm", "Earlier version", "A shadow.")]
    assert places == sorted(places)


# --- how it leaves


def test_the_same_contents_give_the_same_bytes() -> None:
    told = contents(reports=[text_report("Lungs clear.")])
    assert b"".join(lay_out(told).blocks()) == b"".join(lay_out(told).blocks())


def test_a_plan_can_be_streamed_twice_at_once() -> None:
    plan = lay_out(contents())
    first, second = plan.blocks(), plan.blocks()
    assert b"".join([next(first), *second, *first])


def test_an_original_that_is_not_what_its_row_says_breaks_the_zip_off() -> None:
    wrong = replace(original(ct_file()), crc32=1)
    with pytest.raises(MemberChanged):
        list(lay_out(contents(originals=[wrong])).blocks())


def test_a_large_study_passes_through_little_memory() -> None:
    @dataclass(frozen=True)
    class Large(KeptOriginal):
        def blocks(self) -> Iterator[bytes]:
            return (bytes(BLOCK) for _ in range(self.length // BLOCK))

    body = ct_file()
    crc32 = zlib.crc32(bytes(64 << 20))
    large = Large(**{**vars(original(body)), "length": 64 << 20, "crc32": crc32})
    plan = lay_out(contents(originals=[large]))
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    size = sum(len(block) for block in plan.blocks())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size == plan.exact_size > 64 << 20
    assert peak - before < 2 << 20


# --- from rows


@pytest.fixture
def study(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.setattr(pipeline, "ring", lambda *args, **_: None)
    lakeside = Facility.objects.create(name="Lakeside Imaging", slug="lakeside")
    receipt = intake.publish(lakeside, [[file] for file in FILES])
    assert not receipt.failed
    found = Study.objects.get()
    reports.receive(lakeside, status=Report.Status.FINAL, content=b"Lungs clear.", study_uid=found.study_uid)
    reports.receive(lakeside, status=Report.Status.PRELIMINARY, content=b"Wait.", study_uid=found.study_uid)
    pipeline.advance(found.pk, at_once=True)
    found.refresh_from_db()
    return found


FILES = [*ct_series(4), *ct_series(2, series=2, SeriesDescription="Thin")]


def test_what_was_published_is_what_is_taken_home(study: Study) -> None:
    with opened(archive.plan_of(study)) as zipped:
        originals = [name for name in zipped.namelist() if name.startswith("DICOM/")]
        assert sorted(zipped.read(name) for name in originals) == sorted(FILES)
        pictures = [name for name in zipped.namelist() if name.startswith("PICTURES/")]
        assert len(pictures) == 6
        assert all(zipped.read(name).startswith(b"\xff\xd8\xff") for name in pictures)
        assert zipped.read("REPORT/report-1.txt") == b"Lungs clear."
        assert "REPORT/report-2.txt" not in zipped.namelist()


def test_the_report_stays_out_when_it_may_not_be_seen(study: Study) -> None:
    with opened(archive.plan_of(study, with_reports=False)) as zipped:
        assert not [name for name in zipped.namelist() if name.startswith("REPORT")]
        assert "Lungs clear" not in page(zipped)


@pytest.mark.parametrize("with_reports", [True, False])
def test_the_size_told_before_the_click_is_a_little_more_than_the_truth(study: Study, with_reports: bool) -> None:
    exact = archive.plan_of(study, with_reports=with_reports).exact_size
    told = archive.size_of(study, with_reports=with_reports)
    assert exact <= told <= exact * 1.05 + 32_000


def test_the_page_of_a_patient_names_nobody(study: Study) -> None:
    with opened(archive.plan_of(study)) as zipped:
        told = page(zipped) + readme(zipped) + zipped.read("manifest.json").decode()
    assert "ZEBRAFISH" not in told.upper()


def test_words_of_the_catalog_are_on_the_page(study: Study) -> None:
    with opened(archive.plan_of(study)) as zipped:
        assert catalog.title(study) in page(zipped)
        assert "Thin" in page(zipped)


def test_a_structured_report_is_taken_home_as_words_and_as_its_file(study: Study) -> None:
    enclosed, alone = radiology_report(), radiology_report("Heart normal.", number=2)
    intake.publish(study.facility, [[enclosed]])
    pipeline.advance(study.pk, at_once=True)
    reports.receive(study.facility, status=Report.Status.AMENDED, content=alone)
    with opened(archive.plan_of(study)) as zipped:
        files = {name: zipped.read(name) for name in zipped.namelist()}
        said = page(zipped)
    assert [name for name, body in files.items() if body == enclosed] == ["DICOM/S0003/I00001"]
    assert [name for name, body in files.items() if body == alone] == ["REPORT/report-1.dcm"]
    assert b"Heart normal." in files["REPORT/report-1.txt"]
    assert b"Lungs clear." in files["REPORT/report-3.txt"]
    assert all(files[f"REPORT/report-{number}.pdf"].startswith(b"%PDF") for number in (1, 2, 3))
    assert "Heart normal." in said
    exact, told = archive.plan_of(study).exact_size, archive.size_of(study)
    assert exact <= told


def test_who_may_not_read_the_report_gets_it_among_the_originals_neither(study: Study) -> None:
    intake.publish(study.facility, [[radiology_report("Secret findings.")], [pdf_object(SOPInstanceUID=uid(1, 9, 2))]])
    pipeline.advance(study.pk, at_once=True)
    study.refresh_from_db()
    with opened(archive.plan_of(study, with_reports=False)) as zipped:
        assert not any(b"Secret findings" in zipped.read(name) for name in zipped.namelist())
        assert len([name for name in zipped.namelist() if name.startswith("DICOM/")]) == len(FILES)
    with opened(archive.plan_of(study)) as zipped:
        assert len([name for name in zipped.namelist() if name.startswith("DICOM/")]) == len(FILES) + 2
