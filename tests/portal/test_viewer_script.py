"""The viewer's script in a real browser, under the real policy, over pictures that the test makes up."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from django.template.loader import render_to_string
from django.urls import reverse
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from portal.security import CONTENT_SECURITY_POLICY

ROOT = Path(__file__).resolve().parent.parent.parent
SITE = "http://viewer.test"
STUDY = SimpleNamespace(id=UUID(int=1))
AXIAL = SimpleNamespace(id=UUID(int=2), title="Axial, thin", plane="axial", count=60, thumbnail=False, frame_time=None)
SCOUT = SimpleNamespace(id=UUID(int=3), title="Scout", plane="", count=1, thumbnail=False, frame_time=None)
SERIES = [AXIAL, SCOUT]


def pictures(series: SimpleNamespace) -> str:
    return reverse("picture", args=[STUDY.id, series.id, "preview", 0]).removesuffix("0/") + "{n}/"


def page_at(index: int) -> str:
    """The page as the server renders it."""
    here = reverse("viewer", args=[STUDY.id]) + f"?series={AXIAL.id}&image="
    context = {
        "study": STUDY,
        "title": "CT of the chest",
        "series": SERIES,
        "current": AXIAL,
        "index": index,
        "count": AXIAL.count,
        "picture_url": pictures(AXIAL).format(n=index),
        "previous_url": f"{here}{index - 1}" if index > 1 else "",
        "next_url": f"{here}{index + 1}" if index < AXIAL.count else "",
        "manifest_url": reverse("manifest", args=[STUDY.id]),
    }
    return render_to_string("portal/viewer.html", context)


def manifest() -> str:
    rows = [{**vars(one), "id": str(one.id), "pictures": pictures(one)} for one in SERIES]
    return json.dumps({"title": "CT of the chest", "series": rows})


def jpeg() -> bytes:
    out = BytesIO()
    Image.new("L", (32, 24), 128).save(out, "JPEG")
    return out.getvalue()


class Server:
    """Answers the browser without a network; `missing` pictures do not come."""

    def __init__(self) -> None:
        self.missing: set[int] = set()
        self.asked: list[int] = []

    def answer(self, route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path.startswith("/static/"):
            file = ROOT / path.lstrip("/")
            return route.fulfill(body=file.read_bytes(), content_type=mimetypes.guess_type(file)[0])
        if path.endswith("/manifest/"):
            return route.fulfill(body=manifest(), content_type="application/json")
        if "/series/" in path:
            return self._picture(route, int(path.rstrip("/").rsplit("/", 1)[1]))
        headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Content-Type": "text/html"}
        return route.fulfill(body=page_at(30), headers=headers)

    def _picture(self, route: Route, index: int) -> None:
        self.asked.append(index)
        if index in self.missing:
            return route.fulfill(status=503)
        return route.fulfill(body=jpeg(), content_type="image/jpeg")


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One browser for all tests of this module."""
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])


@pytest.fixture
def server() -> Server:
    return Server()


@contextmanager
def opened(browser: Browser, server: Server, *, saving: bool = False, **options: Any) -> Iterator[Page]:
    """A phone that has opened the page, maybe in the browser of somebody who saves data; an error in its console fails
    the test."""
    page = browser.new_page(viewport={"width": 360, "height": 740}, **options)
    if saving:
        page.add_init_script("localStorage.setItem('saves-data', 'yes')")
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if "Content Security" in line.text else None)
    page.route("**/*", server.answer)
    page.goto(SITE + reverse("viewer", args=[STUDY.id]))
    yield page
    page.context.close()
    assert not errors


def place(page: Page) -> Any:
    return page.locator("[data-where]")


def test_keys_wheel_and_slider_turn_the_pictures(browser: Browser, server: Server) -> None:
    with opened(browser, server) as page:
        expect(page.locator("canvas")).to_have_attribute("aria-label", "series 1, axial, image 30 of 60")
        page.keyboard.press("ArrowDown")
        expect(place(page)).to_have_text("31 / 60")
        page.keyboard.press("PageUp")
        expect(place(page)).to_have_text("21 / 60")
        page.keyboard.press("End")
        expect(page.get_by_role("button", name="Next")).to_have_attribute("aria-disabled", "true")
        page.locator(".stage").hover()
        page.mouse.wheel(0, -120)
        expect(place(page)).to_have_text("59 / 60")
        page.locator(".seek input").fill("12")
        expect(page.locator("canvas")).to_have_attribute("aria-label", "series 1, axial, image 12 of 60")


def test_the_first_picture_comes_first_then_its_neighbours_then_the_rest_each_once(
    browser: Browser, server: Server
) -> None:
    with opened(browser, server) as page:
        expect(page.locator("canvas")).to_be_visible()
        page.wait_for_load_state("networkidle")
    assert server.asked[0] == 30
    assert set(server.asked[:10]) == set(range(27, 37))
    assert sorted(server.asked) == list(range(1, 61))


def test_who_saves_data_gets_the_next_ones_only(browser: Browser, server: Server) -> None:
    with opened(browser, server, saving=True) as page:
        expect(page.locator("canvas")).to_be_visible()
        page.wait_for_load_state("networkidle")
    assert sorted(server.asked) == [29, 30, 31]


def test_a_picture_that_does_not_come_can_be_asked_for_again(browser: Browser, server: Server) -> None:
    server.missing = {31}
    with opened(browser, server) as page:
        expect(page.locator("canvas")).to_be_visible()
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("alert")).to_contain_text("did not arrive")
        server.missing.clear()
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_role("alert")).to_be_hidden()


def test_another_series_opens_in_place(browser: Browser, server: Server) -> None:
    with opened(browser, server) as page:
        expect(page.locator("canvas")).to_be_visible()
        page.get_by_role("link", name="Scout").click()
        expect(place(page)).to_have_text("1 / 1")
        expect(page.locator(".seek")).to_be_hidden()


def test_playing_turns_until_it_is_paused(browser: Browser, server: Server) -> None:
    with opened(browser, server) as page:
        page.get_by_role("button", name="Play").click()
        expect(place(page)).not_to_have_text("30 / 60")
        page.get_by_role("button", name="Pause").click()
        expect(page.get_by_role("button", name="Play")).to_have_attribute("aria-pressed", "false")


def test_without_script_links_lead_from_picture_to_picture(browser: Browser, server: Server) -> None:
    with opened(browser, server, java_script_enabled=False) as page:
        link = page.get_by_role("link", name="Next")
        expect(link).to_have_attribute("href", f"{reverse('viewer', args=[STUDY.id])}?series={AXIAL.id}&image=31")
        expect(page.get_by_role("img", name="Axial, thin, image 30 of 60")).to_be_visible()
        expect(page.locator("[data-live] >> visible=true")).to_have_count(0)
