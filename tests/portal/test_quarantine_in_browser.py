"""The queue of what was set aside in Chromium: by keyboard alone, at both widths, for everybody's eyes and ears."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.models import Facility
from sharing import releases
from sharing.access import viewer_for
from studies import announcements, intake, pipeline, quarantine
from studies.models import Job, Study
from tests import factories
from tests.cast import Cast, a_patient, a_study
from tests.portal.published import publish_for
from tests.portal.test_desk_in_browser import browsing, session_of, signed_in, type_in
from tests.studies.notes_made import note

pytestmark = pytest.mark.django_db(transaction=True)

SHOTS: Path | None = None
"""Where pictures of the pages go, for whoever wants to look at them."""


@pytest.fixture(autouse=True)
def _store(tmp_path: Path, settings: Settings) -> None:
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()


def send(facility: Facility, *files: bytes) -> None:
    assert not intake.publish(facility, [[file] for file in files]).failed


def group(cast: Cast, study: int) -> int:
    return next(one.key for one in quarantine.waiting(cast.lakeside) if one.study_uid == factories.uid(study))


def test_a_clerk_settles_by_keyboard(cast: Cast, live_server: LiveServer, chromium: str) -> None:
    a_patient(cast.lakeside, patient_id="LS-9", name="ZEBRAFISH^LUZ")
    send(cast.lakeside, *(factories.ct_file(number, study=8, PatientID=None) for number in (1, 2)))
    send(cast.lakeside, factories.ct_file(1, study=7, PatientID=None))
    clerk = session_of(cast.tom)
    with browsing(chromium) as browser:
        page = signed_in(browser, live_server, clerk)
        page.goto(live_server.url + reverse("desk"))
        expect(page.get_by_text("2 deliveries wait for a check")).to_be_visible()
        page.get_by_role("link", name="See what waits").press("Enter")
        page.get_by_role("link", name="2 images").press("Enter")
        page.get_by_role("searchbox").focus()
        type_in(page, "luz", "Enter")
        page.get_by_role("main").get_by_role("link", name="ZEBRAFISH, LUZ").press("Enter")
        expect(page.get_by_text("2 images become a new exam of ZEBRAFISH, LUZ, MRN LS-9.")).to_be_visible()
        page.get_by_role("button", name="Take in").press("Enter")
        expect(page.get_by_text("2 images taken in.")).to_be_visible()
        page.goto(live_server.url + reverse("desk_waiting"))
        page.get_by_role("link", name="1 image").press("Enter")
        page.get_by_role("link", name="Leave out").press("Enter")
        page.get_by_role("radio", name="A test, or a phantom").press("Space")
        page.get_by_role("button", name="Leave out").press("Enter")
        expect(page.get_by_role("heading", name="Nothing waits")).to_be_visible()


@pytest.mark.parametrize(("width", "scheme", "language"), [(360, "dark", "es"), (1280, "light", "en")])
def test_every_page_is_for_everybody(
    cast: Cast, live_server: LiveServer, chromium: str, width: int, scheme: str, language: str
) -> None:
    study = publish_for(cast).study
    send(cast.lakeside, *(factories.ct_file(number, study=8, PatientID=None) for number in range(1, 13)))
    send(cast.lakeside, factories.ct_file(1, study=9, PatientID="PUB-2", PatientName="ZEBRAFISH^Luz"))
    send(cast.lakeside, factories.ct_file(1, study=7, PatientID=cast.patient.patient_id, SOPInstanceUID=_uid(2)))
    announcements.announce(cast.lakeside, study.study_uid, 20)
    back = _taken_back(cast)
    Job.objects.create(study=a_study(cast.patient, description="Wrist", state="stored"), dead_at=timezone.now())
    pages = {
        "desk": reverse("desk"),
        "waiting": reverse("desk_waiting"),
        "of nobody": reverse("desk_held", args=[group(cast, 8)]),
        "of another": reverse("desk_held", args=[group(cast, 9)]),
        "likely": reverse("desk_held", args=[group(cast, 7)]),
        "new": reverse("desk_held_new", args=[group(cast, 8)]),
        "take in": reverse("desk_take_in", args=[group(cast, 7), cast.patient.pk]),
        "leave out": reverse("desk_leave_out", args=[group(cast, 8)]),
        "patient": reverse("desk_patient", args=[study.patient_id]),
    }
    hers = {
        "home": reverse("home"),
        "study": reverse("study", args=[study.pk]),
        "taken back": reverse("study", args=[back.pk]),
    }
    clerk, maria = session_of(cast.tom), session_of(cast.maria)
    wrong: list[tuple[str, str]] = []
    with browsing(chromium) as browser:
        for session, addresses in ((clerk, pages), (maria, hers)):
            page = signed_in(
                browser, live_server, session, viewport={"width": width, "height": 800}, color_scheme=scheme,
                locale=language,
            )  # fmt: skip
            for name, address in addresses.items():
                page.goto(live_server.url + address)
                wrong += _look(page, name)
                if SHOTS:
                    page.screenshot(path=SHOTS / f"{name}-{width}.png", full_page=True)
    assert wrong == []


def _uid(number: int) -> str:
    return factories.uid(9, 1, number)


def _taken_back(cast: Cast) -> Study:
    """An exam of Maria's of which her facility has taken back every picture."""
    takes_back = note((6, [factories.uid(6, 1, 1)]), code="113038", study=6, PatientID="PUB-1")
    send(cast.lakeside, factories.ct_file(1, study=6, PatientID="PUB-1"), takes_back)
    study = Study.objects.get(study_uid=factories.uid(6))
    pipeline.advance(study.pk, at_once=True)
    study.refresh_from_db()
    if not hasattr(study, "release"):
        releases.release(study, actor=viewer_for(cast.tom).actor)
    return study


def _look(page: Page, name: str) -> list[tuple[str, str]]:
    """axe over the page, and nothing may stick out at the side."""
    wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    found = [(name, one["id"]) for one in Axe().run(page).response["violations"]]
    return [*found, *([(name, "too wide")] if wide else [])]
