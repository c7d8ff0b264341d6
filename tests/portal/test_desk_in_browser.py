"""The desk in Chromium: by keyboard alone, on paper, and for everybody's eyes and ears."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings as site
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect, sync_playwright
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.models import Facility, User
from tests.cast import Cast, a_patient, a_study
from tests.reading import read_qr

pytestmark = pytest.mark.django_db(transaction=True)

CODE = re.compile(r"(?<![\w-])[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z](?![\w-])")  # no part of a UUID
PAPERS = ("A4", "Letter")


@pytest.fixture
def server(live_server: LiveServer, settings: Settings) -> LiveServer:
    """The site, at the address that its sheets name."""
    settings.PUBLIC_URL = live_server.url
    return live_server


@contextmanager
def browsing(chromium: str) -> Iterator[Browser]:
    """A browser. While it is open the test's own thread may not ask the database."""
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])


def signed_in(browser: Browser, server: LiveServer, session: str, **options: Any) -> Page:
    """A page with somebody's session."""
    context = browser.new_context(**options)
    context.add_cookies([{"name": site.SESSION_COOKIE_NAME, "value": session, "url": server.url}])
    return context.new_page()


def session_of(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies[site.SESSION_COOKIE_NAME].value


def type_in(page: Page, *keys: str) -> None:
    """Words and keys, as they come from a keyboard."""
    for key in keys:
        if key in ("Tab", "Enter", "Space"):
            page.keyboard.press(key)
        else:
            page.keyboard.type(key)


@pytest.mark.parametrize("language", ["en", "es"])
def test_a_clerk_registers_and_prints_by_keyboard_and_a_phone_reads_it(
    cast: Cast, server: LiveServer, chromium: str, tmp_path: Path, language: str
) -> None:
    Facility.objects.update(phone="555 0142", hours="Monday to Friday, 8 to 18; Saturday mornings by arrangement. " * 3)
    clerk, patient = session_of(cast.tom), session_of(cast.eve)
    with browsing(chromium) as browser:
        page = signed_in(browser, server, clerk)
        page.goto(server.url + reverse("desk"))
        type_in(page, "nobody yet", "Enter")
        expect(page.get_by_role("heading", name="Nobody found")).to_be_visible()
        page.get_by_role("link", name="Register a patient").press("Enter")
        type_in(page, "LS-417", "Tab", "Zebrafish", "Tab", "Luz", "Tab", "17", "Tab", "May", "Tab", "1980", "Enter")
        page.get_by_role("radio", name="Passport").press("Space")
        if language == "es":
            page.get_by_role("radio", name="Español").press("Space")
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Print")).to_be_focused()
        sheet = page.locator(".paper")
        expect(sheet).to_have_attribute("lang", language)
        expect(sheet).to_contain_text(
            "Sus imágenes, en sus manos" if language == "es" else "Your images, in your hands"
        )
        expect(sheet).to_contain_text("555 0142")
        code = sheet.locator(".code").inner_text()
        assert CODE.fullmatch(code)
        for paper in PAPERS:
            page.pdf(path=tmp_path / f"{paper}.pdf", format=paper)
        links = {read_qr(tmp_path / f"{paper}.pdf") for paper in PAPERS}
        assert links == {f"{server.url}{reverse('claim')}#{code.replace('-', '')}"}

        phone = signed_in(browser, server, patient, viewport={"width": 360, "height": 740})
        phone.goto(links.pop())
        expect(phone.locator("[data-code]")).to_have_value(code)
        assert "#" not in phone.url


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_every_page_of_the_desk_is_for_everybody(
    cast: Cast, server: LiveServer, chromium: str, width: int, scheme: str
) -> None:
    luz = a_patient(cast.lakeside, patient_id="LS-9", name="ZEBRAFISH^LUZ")
    a_study(cast.patient, description="Chest")
    clerk = session_of(cast.tom)
    with browsing(chromium) as browser:
        page = signed_in(
            browser, server, clerk, viewport={"width": width, "height": 800}, color_scheme=scheme
        )  # fmt: skip
        wrong = []

        def look(what: str) -> None:
            wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
            wrong.extend([(what, "too wide")] if page.evaluate(wide) else [])
            wrong.extend((what, found["id"]) for found in Axe().run(page).response["violations"])

        page.goto(server.url + reverse("desk"))
        look("search")
        type_in(page, "zebrafish", "Enter")
        page.locator(".people").wait_for()
        look("results")
        page.goto(server.url + reverse("desk_patient", args=[cast.patient.pk]))
        page.locator("summary", has_text="Withdraw…").first.click()
        page.get_by_role("button", name="Withdraw this exam").first.click()
        expect(page.get_by_text("Say why it is withdrawn.")).to_be_visible()
        look("patient, a reason missing")
        for name, ids in (("desk_register", []), ("desk_details", [luz.pk]), ("desk_code", [cast.patient.pk])):
            page.goto(server.url + reverse(name, args=ids))
            look(name)
        page.goto(server.url + reverse("desk_code", args=[luz.pk]))
        page.get_by_role("radio", name="Identity card").check()
        page.get_by_role("button", name="print the code").click()
        expect(page.locator(".paper")).to_be_visible()
        look("sheet")
        page.reload()
        expect(page.get_by_role("alert")).to_contain_text("cannot be shown again")
        look("sheet again")
    assert wrong == []
