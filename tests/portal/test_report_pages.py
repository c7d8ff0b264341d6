"""A report beside the pictures and on its own page: read as pictures, as text, or taken as the file."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from PIL import Image
from pytest_django import Settings

from accounts.audit import Action
from accounts.models import AuditEvent
from studies import reports
from studies.documents import readings
from studies.models import Report
from studies.refusals import SENTENCES
from studies.store import damage
from tests import factories
from tests.cast import Cast
from tests.portal.published import PDF, Published, publish_for
from tests.studies.documents_made import dose_report, item, measurement_report, radiology_report, sr_object, text
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


def test_what_changed_is_marked_word_by_word(maria: Published, cast: Cast, look: Look) -> None:
    revise(cast, maria, "A shadow in the left lung.", status=Report.Status.AMENDED)
    revise(cast, maria, "A scar in the <left> lung.")
    page = look("report")
    assert "A <del>shadow</del><ins>scar</ins> in the <del>left</del><ins>&lt;left&gt;</ins> lung." in page


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("corrected", "Corrected on"),
        ("amended", "Amended on"),
        ("appended", "With an addendum of"),
        ("final", "Updated on"),
    ],
)
def test_a_later_version_says_what_became_of_the_earlier(
    maria: Published, cast: Cast, look: Look, status: str, words: str
) -> None:
    assert words not in look("study")
    revise(cast, maria, "No shadow after all.", status=Report.Status(status))
    assert all(words in look(page) for page in ("study", "report"))


def structured(maria: Published, make: Callable[..., bytes], **said: Any) -> Report:
    """A structured report about Maria's study, as her facility sends it beside the pictures."""
    file = make(**{"StudyInstanceUID": maria.study.study_uid, "PatientID": "PUB-1", **said})
    return reports.receive(maria.study.facility, content=file, status=Report.Status.FINAL)[0]


def test_a_structured_report_is_headings_and_text(browser: Client, maria: Published, look: Look) -> None:
    report = structured(maria, radiology_report, findings="Lungs clear.\nHeart normal.")
    for page in (look("study"), look("report")):
        assert "<h3>Findings</h3>" in page
        assert "Lungs clear.\nHeart normal." in page
    address = reverse("report_file", args=[maria.study.pk, report.pk])
    assert address in look("report")
    answer = browser.get(address)
    assert (answer.headers["Content-Type"], answer.getvalue()[128:132]) == ("application/dicom", b"DICM")


def test_nothing_in_a_structured_report_is_markup(maria: Published, look: Look) -> None:
    script = "<script>alert(1)</script>"
    words = f"{script} javascript:alert(1) https://example.org/x"
    structured(maria, lambda **said: sr_object(text(script, words), item("CONTAINER", script), **said, title=script))
    for page in (look("study"), look("report")):
        assert "<script>alert" not in page
        assert "example.org" in page
        assert 'href="https://example.org' not in page
        assert 'href="javascript' not in page


def test_a_dose_report_stands_beside_the_report_and_says_what_it_comes_to(maria: Published, look: Look) -> None:
    dose = structured(maria, dose_report)
    study, page = look("study"), look("report")
    assert f"#document-{dose.pk}" in study
    assert "Radiation dose: X-Ray Radiation Dose Report" in study
    assert "Findings: lungs clear." in study
    assert page.index("CT: dose-length product of the whole exam") < page.index("523.4 mGy.cm")
    assert page.index("Findings: lungs clear.") < page.index("523.4 mGy.cm")


def test_measurements_lead_to_the_pictures_they_were_made_on(browser: Client, maria: Published, look: Look) -> None:
    shown, absent = factories.uid(9, 1, 2), "1.2.3"
    structured(maria, lambda **said: measurement_report(shown, absent, **said))
    page = look("report")
    assert "64.451 mm" in page
    address = f"{reverse('viewer', args=[maria.study.pk])}?series={maria.series_id}&image=2"
    assert page.count(address.replace("&", "&amp;")) == 1
    assert browser.get(address).status_code == 200


def test_without_a_report_its_place_says_so_though_a_dose_came(maria: Published, look: Look) -> None:
    Report.objects.all().delete()
    structured(maria, dose_report)
    page = look("study")
    assert "No report has arrived yet." in page
    assert "Radiation dose" in page
    assert "523.4 mGy.cm" in look("report")


def test_the_viewer_points_to_the_report_and_opens_none_of_it(
    maria: Published, cast: Cast, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    revise(cast, maria, "All well.")
    monkeypatch.setattr(reports, "blocks", lambda report: pytest.fail("unsealed to draw a link"))
    assert reverse("report", args=[maria.study.pk]) in look("viewer")


def test_what_cannot_be_shown_says_so_and_offers_the_file(
    browser: Client, maria: Published, cast: Cast, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readings, "read_pdf", lambda content, *_: readings.Reading(Report.Form.PDF, content))
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


@pytest.mark.parametrize(
    "content", ["All clear.", PDF, radiology_report(StudyInstanceUID=factories.uid(9), PatientID="PUB-1")]
)
def test_a_damaged_version_leaves_the_pictures_and_the_other_versions(
    cast: Cast, look: Look, maria: Published, content: bytes | str
) -> None:
    revise(cast, maria, "Shadow on the left.", Report.Status.FINAL)
    lost = revise(cast, maria, content)
    damage.note(lost.body, "bytes")
    for page in ("study", "report"):
        assert "This was damaged in our store" in look(page)
    assert "Look at the pictures" in look("study")
    assert "Shadow on the left." in look("report")
