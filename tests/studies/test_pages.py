from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO

import pytest
from PIL import Image, ImageChops
from pypdfium2 import PDFIUM_INFO
from reportlab.lib.pagesizes import A4
from reportlab.lib.pdfencrypt import StandardEncryption

from studies import sandbox
from studies.documents import pages
from studies.documents.pages import described, drawn, encoded, opened
from studies.refusals import CannotShow
from tests.studies.pdfs_made import ENDLESS, PLEASE_WAIT, SCRIPTED, pdf

REPORT = "Findings\nLungs clear.\nHeart größer, 48 %."


def refused(ask: Callable[[], object]) -> str:
    with pytest.raises(CannotShow) as refusal:
        ask()
    return refusal.value.code


def ink(content: bytes, box: tuple[float, float, float, float]) -> bool:
    """Whether anything is drawn in a box of page 1 (fractions of its width and height)."""
    picture = drawn(opened(content), 1).convert("L")
    left, top, right, bottom = box
    width, height = picture.size
    part = picture.crop((left * width, top * height, right * width, bottom * height))
    return ImageChops.invert(part).getbbox() is not None


@pytest.mark.parametrize("count", [1, 3])
def test_every_page_becomes_a_picture_and_text(count: int) -> None:
    document = opened(pdf(*[f"{REPORT}\nPage {number}" for number in range(1, count + 1)]))
    assert len(document) == count
    for number in range(1, count + 1):
        page, picture = described(document, number), drawn(document, number)
        assert page.text == f"{REPORT}\nPage {number}"
        assert (page.width, page.height) == picture.size
        assert (picture.width // 10, page.whole) == (140, True)


def test_the_sandbox_draws_and_reads() -> None:
    document = pdf(REPORT, "Impression", "More")
    facts = sandbox.run("pdf_facts", {"most": 2}, [document])
    assert (facts.values["count"], len(facts.values["pages"])) == (3, 2)
    assert [text.decode() for text in facts.blobs] == [REPORT, "Impression"]
    page = sandbox.run("pdf_page", {"number": 3}, [document])
    assert Image.open(BytesIO(page.blobs[0])).size == (page.values["width"], page.values["height"])


@pytest.mark.parametrize("task", ["pdf_facts", "pdf_page"])
@pytest.mark.parametrize("content", [b"%PDF-1.4 nonsense " * 53 + b"nonsense!", pdf(REPORT)[:-400], b"", b"%PDF"])
def test_a_damaged_document_is_refused(task: str, content: bytes) -> None:
    with pytest.raises(sandbox.SandboxRefused) as refusal:
        sandbox.run(task, {"most": 9, "number": 1}, [content])
    assert (refusal.value.code, refusal.value.where) == ("unreadable", "")


def test_a_locked_document_is_refused_and_one_that_only_forbids_is_not() -> None:
    locked = pdf(REPORT, lock=StandardEncryption("secret", "owner", strength=128))
    assert refused(lambda: opened(locked)) == "locked"
    forbids = pdf(REPORT, lock=StandardEncryption("", "owner", canPrint=0, canCopy=0, strength=128))
    assert described(opened(forbids), 1).text == REPORT


def test_too_many_pages_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MOST_PAGES", 2)
    assert len(opened(pdf("1", "2"))) == 2
    assert refused(lambda: opened(pdf("1", "2", "3"))) == "many pages"


@pytest.mark.parametrize("number", [-1, 0, 2])
def test_a_page_that_is_not_there_is_refused(number: int) -> None:
    assert refused(lambda: drawn(opened(pdf("1")), number)) == "no such page"


@pytest.mark.parametrize("side", [1e-3, 1.0, 14_400.0, 1e6])
@pytest.mark.parametrize("other", [1e-3, 842.0, 1e6])
def test_a_page_of_any_size_makes_a_picture_of_bearable_size(side: float, other: float) -> None:
    document = opened(pdf("x", size=(side, other)))
    page, picture = described(document, 1), drawn(document, 1)
    assert picture.size == (page.width, page.height)
    assert 1 <= page.width <= pages.WIDTH + 1
    assert 1 <= page.height <= pages.MOST_HEIGHT + 1


def test_scripts_do_nothing_for_there_is_no_engine() -> None:
    assert not {"V8", "XFA"} & set(PDFIUM_INFO.flags)
    assert described(opened(SCRIPTED), 1).text == "Clear"
    assert sandbox.run("pdf_page", {"number": 1}, [SCRIPTED], seconds=5).blobs


def test_a_form_that_only_a_script_would_draw_is_refused() -> None:
    assert refused(lambda: opened(PLEASE_WAIT)) == "not drawn"


def test_a_page_that_draws_without_end_costs_a_child_and_no_more() -> None:
    with pytest.raises(sandbox.SandboxDied):
        sandbox.run("pdf_page", {"number": 1}, [ENDLESS], seconds=0.5)
    assert sandbox.run("pdf_page", {"number": 1}, [pdf(REPORT)]).blobs


def test_what_is_filled_into_a_form_is_drawn_and_read() -> None:
    foot = (0.1, 0.9, 0.6, 0.93)
    assert not ink(pdf(REPORT), foot)
    filled = pdf(REPORT, filled_in="No metastases.")
    assert ink(filled, foot)
    assert described(opened(filled), 1).text == f"{REPORT}\nNo metastases."


@pytest.mark.parametrize(
    ("text", "font", "whole"),
    [("naïve “±” 4 µm", "Helvetica", True), ("Wrocław", "Vera", True), ("肺は正常", "HeiseiMin-W3", False)],
)
def test_letters_that_cannot_be_drawn_are_noticed(text: str, font: str, whole: bool) -> None:
    page = described(opened(pdf(text, font=font)), 1)
    assert (page.text, page.whole) == (text, whole)


def test_text_flows_where_only_the_paper_broke_it() -> None:
    lines = [
        "The lungs are clear. No non-",
        "small nodule is larger than",
        "four millimetres.",
        "Heart: normal",
        "Signed by",
        "a doctor",
    ]
    assert described(opened(pdf("\n".join(lines))), 1).text.split("\n") == [
        "The lungs are clear. No non-small nodule is larger than four millimetres.",
        "Heart: normal",
        "Signed by",
        "a doctor",
    ]


def test_the_text_of_a_page_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "TEXT_LIMIT", 20)
    assert len(described(opened(pdf("words " * 20)), 1).text) <= 20


def test_print_is_exact_and_photographs_are_small() -> None:
    print_, photograph = (encoded(drawn(opened(pdf(REPORT, photograph=with_it)), 1)) for with_it in (False, True))
    assert (print_[12:16], photograph[12:16]) == (b"VP8L", b"VP8 ")
    assert len(print_) < 40_000
    assert len(photograph) < 200_000


def test_facts_of_the_longest_document_fit_into_an_answer() -> None:
    content = pdf(*["x"] * pages.MOST_PAGES, size=A4)
    facts = sandbox.run("pdf_facts", {"most": pages.MOST_PAGES}, [content])
    assert len(facts.blobs) == pages.MOST_PAGES
    assert len(json.dumps(facts.values)) < 20_000
