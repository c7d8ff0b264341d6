"""A study taken home holds everything under short names, reads without us, and says so byte for byte."""

from __future__ import annotations

import hashlib
import tracemalloc
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.utils import translation

from studies import sandbox
from studies.takehome.layout import lay_out
from studies.takehome.zipping import MemberChanged
from tests.factories import ct_file, ct_series, uid
from tests.studies.archives_made import (
    BLOCK,
    SCOUT,
    KeptOriginal,
    contents,
    manifest,
    opened,
    original,
    page,
    pdf_report,
    preview,
    readme,
    series,
    text_report,
)
from tests.studies.media import instances_on


@pytest.fixture(scope="module", autouse=True)
def zygote() -> Iterator[None]:
    sandbox.start()
    yield
    sandbox.stop()


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
