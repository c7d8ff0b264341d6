"""Lending by link in Chromium, on a phone: from the patient's click to the physician's first picture."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db import connections
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect
from pytest_django import Settings

from sharing import grants
from sharing.models import Grant
from tests.cast import Cast
from tests.portal.published import publish_for
from tests.portal.test_desk_in_browser import browsing, server, session_of, signed_in
from tests.reading import read_qr
from tests.sharing.links_made import give

__all__ = ["server"]

pytestmark = pytest.mark.django_db(transaction=True)

PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PICTURES = os.environ.get("PICTURES", "")


def look(page: Page, name: str) -> None:
    """What axe finds on a page; with PICTURES set, also how it looks."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is too wide"
    if PICTURES:
        width = page.viewport_size["width"] if page.viewport_size else 0
        page.screenshot(path=Path(PICTURES) / f"{name}-{width}.png", full_page=True)


class Counting:
    """Clicks and words typed, counted as a person would."""

    def __init__(self) -> None:
        self.count = 0

    def click(self, what: Locator) -> None:
        self.count += 1
        what.click()

    def fill(self, what: Locator, text: str) -> None:
        self.count += 1
        what.fill(text)


@pytest.fixture(autouse=True)
def _a_store(tmp_path: Path, settings: Settings) -> None:
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()


@pytest.mark.parametrize("device", [PHONE, DESK], ids=["phone", "desk"])
def test_a_patient_lends_on_her_phone_and_a_physician_looks(
    cast: Cast, server: Any, chromium: str, tmp_path: Path, device: dict[str, Any]
) -> None:
    """At most eight interactions to lend, two to the first picture; the square on the sheet is the link."""
    published = publish_for(cast)
    session, study = session_of(cast.maria), server.url + reverse("study", args=[published.study.pk])
    hers, theirs = Counting(), Counting()
    with browsing(chromium) as browser:
        phone = signed_in(browser, server, session, **PHONE)
        phone.goto(study)
        hers.click(phone.get_by_role("link", name="Share", exact=True))
        hers.click(phone.get_by_label("By a link"))
        hers.fill(phone.get_by_label("Whom is it for?"), "Dr Lee")
        look(phone, "lend")
        hers.click(phone.get_by_role("button", name="Continue"))
        expect(phone.get_by_text("You get a link and a passcode")).to_be_visible()
        look(phone, "lend-confirm")
        hers.click(phone.get_by_role("button", name="Share", exact=True))
        expect(phone.get_by_role("heading", name="Your link is ready")).to_be_visible()
        assert hers.count <= 8
        look(phone, "link-made")
        url, passcode = phone.locator("#link").inner_text(), phone.locator(".code.big").inner_text()
        paper = tmp_path / "sheet.pdf"
        phone.pdf(path=paper, format="A4")
        assert read_qr(paper) == url

        doctor = browser.new_context(**device).new_page()
        doctor.goto(url)
        assert doctor.url == url.partition("#")[0]  # the secret is out of the address before anybody looks at it
        look(doctor, "link")
        doctor.get_by_label("Passcode").fill(passcode)
        theirs.click(doctor.get_by_role("button", name="Open"))
        expect(doctor.get_by_role("heading", level=1)).to_contain_text("CT")
        theirs.click(doctor.get_by_role("link", name="Look at the pictures"))
        doctor.locator("canvas").first.wait_for()
        assert theirs.count == 2
        doctor.go_back()
        look(doctor, "study-by-link")


@pytest.mark.parametrize("device", [PHONE, DESK], ids=["phone", "desk"])
def test_every_page_of_a_link_is_for_everybody(cast: Cast, server: Any, chromium: str, device: dict[str, Any]) -> None:
    """By axe, and never wider than the screen."""
    published = publish_for(cast)
    made = give(cast.maria, studies="all_and_later", whom="Dr Lee", rights=["view", "report", "download"])
    narrow = give(cast.maria, studies=[cast.study.pk], whom="Dr Kim")
    grants.ask_more(narrow.grant, narrow.guest().actor)
    session, ids = session_of(cast.maria), [published.study.pk]
    with browsing(chromium) as browser:
        page = browser.new_context(**device).new_page()
        page.goto(made.url)
        look(page, "link")
        page.get_by_label("Passcode").fill("12")
        page.get_by_role("button", name="Open").click()
        expect(page.get_by_text("This passcode does not fit.")).to_be_visible()
        look(page, "passcode-wrong")
        page.get_by_label("Passcode").fill(made.passcode)
        page.get_by_role("button", name="Open").click()
        expect(page.get_by_role("heading", name="Shared with me")).to_be_visible()
        look(page, "shared")
        page.get_by_text("Say who you are").click()
        page.get_by_label("Your name").fill("Dr Kim")
        look(page, "who")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("You look as Dr Kim")).to_be_visible()
        page.goto(server.url + reverse("pull", args=ids))
        look(page, "pull")
        page.get_by_role("button", name="Make the address").click()
        expect(page.get_by_role("heading", name="The address")).to_be_visible()
        look(page, "pull-made")
        page.goto(server.url + reverse("share_code"))
        look(page, "code")
        page.goto(server.url + reverse("shared"))
        page.get_by_role("button", name="I am done").click()
        expect(page.get_by_text("Closed. To look again")).to_be_visible()
        look(page, "done")
        hers = signed_in(browser, server, session, **device)
        for name in ("sharing", "activity"):
            hers.goto(server.url + reverse(name))
            look(hers, name)
        hers.goto(server.url + reverse("widen", args=[narrow.grant.pk]))
        look(hers, "more")
        hers.goto(server.url + reverse("lend", args=ids))
        for summary in hers.locator("summary").all():
            summary.click()
        hers.get_by_label("days after my appointment").check()
        look(hers, "lend-all")


def test_a_link_opens_by_keyboard_alone(cast: Cast, server: Any, chromium: str) -> None:
    publish_for(cast)
    made = give(cast.maria, studies="all")
    with browsing(chromium) as browser:
        page = browser.new_context(**DESK).new_page()
        page.goto(made.url)
        for key in ("Tab", "Tab", "Tab", "Tab"):  # past the skip link, the name and "Sign in"
            page.keyboard.press(key)
        page.keyboard.type(made.passcode)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Shared with me")).to_be_visible()


def test_without_scripts_the_secret_is_pasted(cast: Cast, server: Any, chromium: str) -> None:
    publish_for(cast)
    made = give(cast.maria, passcode=False)
    with browsing(chromium) as browser:
        page = browser.new_context(**DESK, java_script_enabled=False).new_page()
        page.goto(made.url)
        page.get_by_label("The part of the link after the #").fill(made.secret)
        page.get_by_role("button", name="Open").click()
        expect(page.get_by_role("heading", name="Shared with me")).to_be_visible()


def test_a_stopped_link_closes_the_viewer_that_shows_it(cast: Cast, server: Any, chromium: str) -> None:
    """The next picture that the open viewer asks for does not come."""
    published = publish_for(cast)
    made = give(cast.maria, studies=[published.study.pk], passcode=False)
    stop = _stopper(made.grant)
    with browsing(chromium) as browser:
        page = browser.new_context(**DESK).new_page()
        page.goto(made.url)
        page.get_by_role("button", name="Open").click()
        page.get_by_role("link", name="Look at the pictures").click()
        page.locator("canvas").first.wait_for()
        stop()
        assert page.reload() is not None
        expect(page.get_by_text("We can't find that page.")).to_be_visible()


def _stopper(grant: Grant) -> Callable[[], None]:
    """Stops a grant from a thread of its own: the browser's may not ask the database."""

    def stop() -> None:
        Grant.objects.filter(pk=grant.pk).update(revoked_at=timezone.now())
        connections.close_all()

    def run() -> None:
        thread = Thread(target=stop)
        thread.start()
        thread.join()

    return run
