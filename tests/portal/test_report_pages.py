"""A report beside the pictures and on its own page: read as pictures, as text, or taken as the file."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from PIL import Image
from pytest_django import Settings

from accounts.audit import Action
from accounts.models import AuditEvent
from studies import reports
from studies.models import Report
from studies.refusals import SENTENCES
from tests.cast import Cast
from tests.portal.published import PDF, Published, publish_for
from tests.studies.pdfs_made import pdf

pytestmark = pytest.mark.django_db
Look = Callable[..., str]


@pytest.fixture
def maria(cast: Cast, tmp_path: Path, settings: Settings) -> Published:
    """Maria's study has a PDF report of three pages."""
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()
    return publish_for(cast)


@pytest.fixture
def browser(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.maria)
    return client


@pytest.fixture
def look(browser: Client, maria: Published) -> Look:
    """The words of one of the study's pages."""

    def at(route: str) -> str:
        answer = browser.get(reverse(route, args=[maria.study.pk]))
        assert answer.status_code == 200
        return answer.content.decode()

    return at


def address(published: Published, number: int) -> str:
    return reverse("report_page", args=[published.study.pk, published.report.pk, number])


def revise(
    cast: Cast, published: Published, content: bytes | str, status: Report.Status = Report.Status.CORRECTED
) -> Report:
    study_uid = published.study.study_uid
    return reports.receive(cast.lakeside, study_uid=study_uid, content=content, status=status)[0]


def test_the_first_two_pages_stand_beside_the_pictures(look: Look, maria: Published) -> None:
    page = look("study")
    assert [address(maria, number) in page for number in (1, 2, 3)] == [True, True, False]
    assert "Findings: lungs clear." in page
    assert "Read the whole report (3 pages)" in page


def test_the_reports_page_shows_every_page_with_its_text(look: Look, maria: Published) -> None:
    page = look("report")
    assert all(address(maria, number) in page for number in (1, 2, 3))
    assert all(text in page for text in ("Findings: lungs clear.", "Impression: normal.", "Signed."))
    assert reverse("report_file", args=[maria.study.pk, maria.report.pk]) in page


def test_a_page_comes_as_a_picture_that_can_run_nothing(browser: Client, maria: Published) -> None:
    answer = browser.get(address(maria, 3))
    assert Image.open(BytesIO(answer.getvalue())).format == "WEBP"
    assert answer.headers["Content-Type"] == "image/webp"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")


def test_pages_of_a_report_are_one_look_at_it(browser: Client, maria: Published) -> None:
    browser.get(reverse("report", args=[maria.study.pk]))
    for number in (1, 2, 3):
        browser.get(address(maria, number))
    assert AuditEvent.objects.filter(action=Action.REPORT_VIEWED, study_id=maria.study.pk).count() == 1


def test_a_page_beyond_the_last_is_not_found(browser: Client, maria: Published) -> None:
    assert [browser.get(address(maria, number)).status_code for number in (0, 4, 9999)] == [404, 404, 404]


def test_pages_of_another_studys_report_are_not_found(browser: Client, maria: Published, cast: Cast) -> None:
    other = reverse("report_page", args=[cast.study.pk, maria.report.pk, 1])
    assert browser.get(other).status_code == 404


def test_pages_of_a_preliminary_report_are_not_found(browser: Client, maria: Published, cast: Cast) -> None:
    early = revise(cast, maria, PDF, status=Report.Status.PRELIMINARY)
    assert browser.get(reverse("report_page", args=[maria.study.pk, early.pk, 1])).status_code == 404


def test_a_report_of_words_has_no_pages(browser: Client, maria: Published, cast: Cast, look: Look) -> None:
    words = revise(cast, maria, "All well after all.")
    assert browser.get(reverse("report_page", args=[maria.study.pk, words.pk, 1])).status_code == 404
    assert "All well after all." in look("study")
    assert "<figure" not in look("report")


def test_earlier_versions_can_still_be_read(maria: Published, cast: Cast, look: Look) -> None:
    revise(cast, maria, "A shadow in the left lung.", status=Report.Status.AMENDED)
    revise(cast, maria, "No shadow after all.")
    page = look("report")
    places = [page.index(words) for words in ("No shadow after all.", "Earlier versions", "A shadow in the left lung.")]
    assert places == sorted(places)
    assert reverse("report_file", args=[maria.study.pk, maria.report.pk]) in page


def test_the_viewer_points_to_the_report_and_opens_none_of_it(
    maria: Published, cast: Cast, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    revise(cast, maria, "All well.")
    monkeypatch.setattr(reports, "blocks", lambda report: pytest.fail("unsealed to draw a link"))
    assert reverse("report", args=[maria.study.pk]) in look("viewer")


def test_what_cannot_be_shown_says_so_and_offers_the_file(
    browser: Client, maria: Published, cast: Cast, look: Look
) -> None:
    damaged = revise(cast, maria, b"%PDF-1.4 nonsense")
    for page in (look("study"), look("report")):
        assert SENTENCES["unreadable"] in page
        assert reverse("report_file", args=[maria.study.pk, damaged.pk]) in page
        assert "<figure" not in page
    assert browser.get(reverse("report_page", args=[maria.study.pk, damaged.pk, 1])).status_code == 422


def test_writing_that_cannot_be_drawn_is_open_as_text(maria: Published, cast: Cast, look: Look) -> None:
    revise(cast, maria, pdf("肺は正常", font="HeiseiMin-W3"))
    page = look("study")
    assert "<details open>" in page
    assert "肺は正常" in page
    assert "Some of the writing is missing in this picture" in page


def test_what_a_document_says_is_never_markup(maria: Published, cast: Cast, look: Look) -> None:
    revise(cast, maria, pdf("<script>alert(1)</script>"))
    assert "<script>alert" not in look("report")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in look("report")
