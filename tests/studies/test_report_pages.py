from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from accounts.errors import NotFound, Unavailable
from accounts.models import Facility
from studies import reports, sandbox
from studies.documents import pages as drawing
from studies.documents import readings, report_pages
from studies.documents.report_pages import PageRefused, page, pages
from studies.models import Report
from studies.refusals import SENTENCES
from studies.sandbox import Result
from tests.studies.pdfs_made import ENDLESS, pdf

DAMAGED = b"%PDF-1.4 nonsense"


def report_of(content: bytes) -> Report:
    facility = Facility.objects.create(name="Lakeside", slug="lakeside")
    return reports.receive(facility, study_uid="1.2.3", status=Report.Status.FINAL, content=content)[0]


@pytest.fixture
def report(db: None) -> Report:
    return report_of(pdf("Lungs clear.", "Impression: normal.", "Signed."))


@pytest.fixture
def damaged(db: None, monkeypatch: pytest.MonkeyPatch) -> Report:
    """One that was kept before anybody looked whether it opens."""
    monkeypatch.setattr(readings, "read_pdf", lambda content, *_: readings.Reading(Report.Form.PDF, content))
    return report_of(DAMAGED)


def test_a_report_has_pages_with_their_texts(report: Report) -> None:
    found = pages(report)
    assert (found.count, found.note) == (3, "")
    assert [(one.number, one.text) for one in found.shown] == [
        (1, "Lungs clear."),
        (2, "Impression: normal."),
        (3, "Signed."),
    ]


def test_only_the_pages_wanted_are_read(report: Report) -> None:
    found = pages(report, most=2)
    assert (found.count, len(found.shown)) == (3, 2)


def test_a_page_is_a_picture_of_the_size_that_was_said(report: Report) -> None:
    picture, view = page(report, 2), pages(report).shown[1]
    content = b"".join(picture.blocks)
    image = Image.open(BytesIO(content))
    assert (image.format, picture.media_type, picture.length) == ("WEBP", "image/webp", len(content))
    assert image.size == (picture.width, picture.height) == (view.width, view.height)


def test_both_sides_of_the_sandbox_count_to_the_same_number() -> None:
    assert report_pages.MOST_PAGES == drawing.MOST_PAGES


@pytest.mark.parametrize("number", [0, 4, 201, 10**30])
def test_a_page_that_is_not_there_is_not_found(report: Report, number: int) -> None:
    with pytest.raises(NotFound):
        page(report, number)


def test_a_damaged_report_says_so_in_a_sentence(damaged: Report) -> None:
    assert pages(damaged) == report_pages.Pages(note=SENTENCES["unreadable"])
    with pytest.raises(PageRefused) as refusal:
        page(damaged, 1)
    assert str(refusal.value.message) == SENTENCES["unreadable"]


@pytest.mark.django_db
def test_a_report_that_nobody_can_draw_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_pages, "SECONDS", 0.5)
    endless = report_of(ENDLESS)
    assert pages(endless).note == SENTENCES["not drawn"]
    with pytest.raises(PageRefused):
        page(endless, 1)


@pytest.mark.parametrize(
    "lie",
    [
        Result({}, []),
        Result({"count": 1, "pages": [{"width": 1, "height": 1}]}, [b"x"]),
        Result({"count": 0, "pages": [{}]}, [b"x"]),
        Result({"count": 10**9, "pages": []}, []),
        Result({"count": 1, "pages": [{}]}, []),
        Result({"width": "1", "height": 1}, [b"x"]),
        Result({"width": 1, "height": 1}, []),
    ],
)
def test_an_answer_that_makes_no_sense_is_none(report: Report, lie: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "run", lambda *_, **__: lie)
    assert pages(report).note == SENTENCES["not drawn"]
    with pytest.raises(PageRefused):
        page(report, 1)


def test_text_that_is_none_is_shown_as_far_as_it_is_text(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    said: dict[str, Any] = {"count": 1, "pages": [{"width": 1, "height": 1, "whole": True}]}
    monkeypatch.setattr(sandbox, "run", lambda *_, **__: Result(said, [b"a\xff"]))
    assert pages(report).shown[0].text == "a\ufffd"


def test_whoever_waits_too_long_for_a_turn_is_told_when_to_come_back(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_pages, "PATIENCE", 0.01)
    with report_pages._turn(), report_pages._turn():
        with pytest.raises(Unavailable) as refusal:
            page(report, 1)
        assert pages(report).note == "Too many pages are being drawn just now."
    assert refusal.value.retry_after == 10
    assert page(report, 1).length


def test_a_refusal_gives_its_turn_back(damaged: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_pages, "PATIENCE", 0.01)
    assert {pages(damaged).note for _ in range(3)} == {SENTENCES["unreadable"]}
