"""The viewer's script in a real browser, under the real policy, over pictures that the test makes up."""

from __future__ import annotations

import json
import mimetypes
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.urls import reverse
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from portal.security import CONTENT_SECURITY_POLICY

ROOT = Path(__file__).resolve().parent.parent.parent
SITE = "http://viewer.test"
PHONE, DESK = (360, 740), (1280, 800)
STUDY = SimpleNamespace(id=UUID(int=1), study_date=date(2026, 3, 12))
EARLIER = SimpleNamespace(id=UUID(int=4), study_date=date(2025, 2, 1))
SHOWN = {"thumbnail": False, "frame_time": None, "note": "", "modality": "CT", "autoplay": False}
AXIAL = SimpleNamespace(id=UUID(int=2), title="Axial, thin", plane="axial", count=60, **SHOWN)
SCOUT = SimpleNamespace(id=UUID(int=3), title="Scout", plane="", count=1, **SHOWN)
OLD = SimpleNamespace(id=UUID(int=5), title="Axial", plane="axial", count=30, **SHOWN)
SERIES = {STUDY.id: [AXIAL, SCOUT], EARLIER.id: [OLD]}
DETAILS = {
    "kinds": [
        {
            "rows": 24,
            "columns": 32,
            "spacing": [2.0, 2.0],
            "spacing_kind": "patient",
            "orientation": {"left": "R", "right": "L", "top": "A", "bottom": "P"},
            "laterality": "",
            "windows": [{"center": 40, "width": 400, "function": "LINEAR"}],
            "unit": "HU",
        }
    ]
}
PIXELS: dict[str, Any] = {
    "rows": 24, "columns": 32, "signed": False, "slope": 1, "intercept": 0, "invert": False, "padding": None,
    "windows": [], "window": {"center": 500, "width": 1000, "function": "LINEAR"}, "unit": "HU", "aspect": 1,
}  # fmt: skip


def picture_at(study: SimpleNamespace, series: SimpleNamespace, n: object) -> str:
    return reverse("picture", args=[study.id, series.id, "preview", 0]).removesuffix("0/") + f"{n}/"


def side(study: SimpleNamespace, shown: SimpleNamespace, index: int) -> SimpleNamespace:
    run = SimpleNamespace(id=str(shown.id), series=shown, marked=[])
    return SimpleNamespace(
        study=study,
        series=SERIES[study.id],
        run=run,
        index=index,
        count=shown.count,
        current=shown,
        picture_url=picture_at(study, shown, index),
        previous=index - 1,
        next=index + 1 if index < shown.count else 0,
        is_head=False,
    )


def page(path: str) -> str:
    """The page as the server renders it."""
    request = RequestFactory().get(path)
    sides = [side(STUDY, AXIAL, 30)]
    if "with" in request.GET:
        sides.append(side(EARLIER, OLD, 15))
    prior = SimpleNamespace(study=EARLIER, title="CT of the chest")
    context = {
        "study": STUDY,
        "title": "CT of the chest",
        "sides": sides,
        "first": sides[0],
        "others": [] if len(sides) > 1 else [prior],
        "may_download": True,
    }
    return render_to_string("portal/viewer.html", context, request)


def manifest(study: UUID) -> str:
    rows = [
        {
            **vars(one),
            "id": str(one.id),
            "number": number,
            "pictures": picture_at(SimpleNamespace(id=study), one, "{n}"),
            "full": "",
            "pixels": reverse("pixels", args=[study, one.id, 0]).removesuffix("0/") + "{n}/",
            "details": reverse("details", args=[study, one.id]),
        }
        for number, one in enumerate(SERIES[study], 1)
    ]
    return json.dumps({"title": "CT of the chest", "series": rows})


def samples() -> bytes:
    header = json.dumps(PIXELS).encode()
    header += b" " * (-(4 + len(header)) % 8)
    return struct.pack("<I", len(header)) + header + struct.pack("<768H", *range(768))


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
        study = UUID(path.split("/")[2])
        if path.endswith("/manifest/"):
            return route.fulfill(body=manifest(study), content_type="application/json")
        if path.endswith("/details/"):
            count = next(one.count for one in SERIES[study] if str(one.id) in path)
            return route.fulfill(body=json.dumps(DETAILS | {"frames": [0] * count}), content_type="application/json")
        if "/pixels/" in path:
            return route.fulfill(body=samples(), content_type="application/octet-stream")
        if "/series/" in path:
            return self._picture(route, int(path.rstrip("/").rsplit("/", 1)[1]))
        headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Content-Type": "text/html"}
        return route.fulfill(body=page(route.request.url.removeprefix(SITE)), headers=headers)

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
def opened(
    browser: Browser,
    server: Server,
    *,
    saving: bool = False,
    size: tuple[int, int] = PHONE,
    query: str = "",
    **options: Any,
) -> Iterator[Page]:
    """A phone that has opened the page, maybe in the browser of somebody who saves data; an error in its console fails
    the test."""
    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, **options)
    if saving:
        page.add_init_script("localStorage.setItem('saves-data', 'yes')")
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if "Content Security" in line.text else None)
    page.route("**/*", server.answer)
    page.goto(SITE + reverse("viewer", args=[STUDY.id]) + query)
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
        expect(link).to_have_attribute("href", f"?series={AXIAL.id}&image=31")
        expect(page.get_by_role("img", name="Axial, thin, image 30 of 60")).to_be_visible()
        expect(page.locator("[data-live] >> visible=true")).to_have_count(0)


# --- By finger, mouse and keyboard, on a phone and at a desk


class Hand:
    """Fingers on the glass, as Chromium's own protocol has them."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)
        box = page.locator(".stage").first.bounding_box()
        assert box
        self.x, self.y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def touch(self, kind: str, *fingers: tuple[float, float]) -> None:
        points = [{"x": self.x + dx, "y": self.y + dy, "id": number} for number, (dx, dy) in enumerate(fingers)]
        self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def swipe(self, dy: float) -> None:
        self.touch("touchStart", (0, 0))
        for step in range(1, 11):
            self.touch("touchMove", (0, dy * step / 10))
        self.touch("touchEnd")

    def pinch(self, begin: float, end: float) -> None:
        self.touch("touchStart", (-begin, 0), (begin, 0))
        for step in range(1, 11):
            apart = begin + (end - begin) * step / 10
            self.touch("touchMove", (-apart, 0), (apart, 0))
        self.touch("touchEnd")


def lit(page: Page) -> float:
    """Which part of the canvas is not black: the picture, however large it is shown."""
    return float(
        page.evaluate(
            """() => { const c = document.querySelector('canvas');
            const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
            let lit = 0; for (let i = 0; i < d.length; i += 4) lit += d[i] > 60; return lit / (d.length / 4); }"""
        )
    )


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_one_finger_turns_and_two_enlarge(browser: Browser, server: Server, size: tuple[int, int]) -> None:
    with opened(browser, server, size=size, has_touch=True) as page:
        expect(page.locator("canvas")).to_be_visible()
        hand = Hand(page)
        hand.swipe(-100)
        expect(place(page)).not_to_have_text("30 / 60")
        assert int(place(page).inner_text().split()[0]) > 30
        fitted = lit(page)
        hand.pinch(20, 120)
        page.wait_for_function("() => true")
        assert lit(page) > fitted
        before = place(page).inner_text()
        hand.swipe(-60)  # moves what is enlarged
        assert place(page).inner_text() == before
        page.locator(".stage").focus()
        page.keyboard.press("0")
        page.wait_for_function("() => new Promise(requestAnimationFrame).then(() => true)")
        assert lit(page) == pytest.approx(fitted, abs=0.02)


def test_the_mouse_pulls_through_the_series(browser: Browser, server: Server) -> None:
    with opened(browser, server, size=DESK) as page:
        expect(page.locator("canvas")).to_be_visible()
        hand = Hand(page)
        page.mouse.move(hand.x, hand.y)
        page.mouse.down()
        page.mouse.move(hand.x, hand.y + 100, steps=10)
        page.mouse.up()
        assert int(place(page).inner_text().split()[0]) > 30


def test_brightness_is_adjusted_on_the_samples_and_only_then_are_they_fetched(browser: Browser, server: Server) -> None:
    with opened(browser, server) as page:
        expect(page.locator("canvas")).to_be_visible()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.get_by_role("button", name="Brightness").click()
        assert not [url for url in asked if "/pixels/" in url]
        with page.expect_response(lambda answer: "/pixels/30/" in answer.url):
            page.get_by_role("radio", name="Bone").check()
        page.wait_for_function(f"() => ({LIT})() < 0.1")  # 0 to 767 in a window from -500 to 1500: all but black
        page.get_by_label("Brightness", exact=True).last.fill("100")
        page.wait_for_function(f"() => ({LIT})() > 0.3")


LIT = """() => { const c = document.querySelector('canvas');
const d = c.getContext('2d').getImageData(c.width / 2 - 40, c.height / 2 - 40, 80, 80).data;
let lit = 0; for (let i = 0; i < d.length; i += 4) lit += d[i] > 150; return lit / (d.length / 4); }"""


def test_a_picture_is_kept_as_it_is_shown(browser: Browser, server: Server) -> None:
    with opened(browser, server) as page:
        page.locator("[data-sheet=more]").click()
        page.get_by_role("button", name="Turn").click()
        with page.expect_download() as kept:
            page.get_by_role("button", name="Keep picture").click()
        assert kept.value.suggested_filename == "CT of the chest, Axial, thin, 30.jpg"
        with Image.open(kept.value.path()) as picture:
            shown = page.locator("canvas").evaluate("canvas => [canvas.width, canvas.height]")
            assert (picture.format, list(picture.size)) == ("JPEG", shown)
            assert picture.convert("L").getbbox(), "something is to be seen"


def test_letters_turn_with_the_picture(browser: Browser, server: Server) -> None:
    with opened(browser, server) as page:
        edges = {name: page.locator(f"[data-edge={name}]") for name in ("top", "right", "bottom", "left")}
        expect(edges["left"]).to_have_text("R")
        page.locator(".stage").focus()
        page.keyboard.press("r")
        expect(edges["top"]).to_have_text("R")
        expect(edges["right"]).to_have_text("A")
        page.keyboard.press("h")
        expect(edges["left"]).to_have_text("A")
        expect(page.get_by_role("button", name="Mirror", include_hidden=True)).to_have_attribute("aria-pressed", "true")


def test_a_length_is_measured_by_keys_alone(browser: Browser, server: Server) -> None:
    with opened(browser, server) as page:
        expect(page.locator("[data-edge=left]")).to_have_text("R")
        page.locator(".stage").focus()
        page.keyboard.press("m")
        expect(page.get_by_text("rough length in this picture")).to_be_visible()
        page.keyboard.press("Enter")
        for _ in range(10):
            page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        expect(page.locator("[data-length]")).to_contain_text("mm")


def test_a_lost_connection_is_said_and_ends_by_itself(browser: Browser, server: Server) -> None:
    with opened(browser, server, saving=True) as page:
        expect(page.locator("canvas")).to_be_visible()
        page.wait_for_load_state("networkidle")
        page.context.set_offline(True)
        page.route("**/series/**", lambda route: route.abort("internetdisconnected"))
        page.keyboard.press("End")
        expect(page.get_by_role("alert")).to_contain_text("No connection")
        page.unroute("**/series/**")
        page.context.set_offline(False)
        expect(page.get_by_role("alert")).to_be_hidden(timeout=20_000)
        expect(place(page)).to_have_text("60 / 60")


def test_what_a_screen_reader_hears(browser: Browser, server: Server) -> None:
    """A transcript of the live region: where we are, once somebody rests there; a film is not read out."""
    with opened(browser, server) as page:
        page.evaluate(
            """() => { window.heard = []; const said = document.querySelector('[data-announce]');
            new MutationObserver(() => window.heard.push(said.textContent)).observe(said, { childList: true }); }"""
        )
        for key, heard in (("ArrowDown", "image 31 of 60"), ("PageDown", "image 41 of 60"), ("Home", "image 1 of 60")):
            page.keyboard.press(key)
            page.wait_for_function(f"() => window.heard.at(-1)?.endsWith('{heard}')")
        page.get_by_role("link", name="Scout").click()
        page.wait_for_function("() => window.heard.at(-1)?.startsWith('series 2')")
        heard = page.evaluate("() => window.heard")
    assert [line for line in heard if "image 30" not in line] == [
        "series 1, axial, image 31 of 60",
        "series 1, axial, image 41 of 60",
        "series 1, axial, image 1 of 60",
        "series 2, Scout, image 1 of 1",
    ]


# --- Two exams


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_two_dates_turn_together(browser: Browser, server: Server, size: tuple[int, int]) -> None:
    with opened(browser, server, size=size, query=f"?with={EARLIER.id}") as page:
        new, old = page.locator("canvas").first, page.locator("canvas").last
        expect(new).to_have_attribute("aria-label", "March 12, 2026: series 1, axial, image 30 of 60")
        page.keyboard.press("End")
        expect(new).to_have_attribute("aria-label", "March 12, 2026: series 1, axial, image 60 of 60")
        expect(old).to_have_attribute("aria-label", "Feb. 1, 2025: series 1, axial, image 30 of 30")
        page.get_by_role("button", name="Together").click()
        page.keyboard.press("Home")
        expect(new).to_have_attribute("aria-label", "March 12, 2026: series 1, axial, image 1 of 60")
        expect(old).to_have_attribute("aria-label", "Feb. 1, 2025: series 1, axial, image 30 of 30")
        page.locator(".stage").last.hover()
        page.mouse.wheel(0, -120)
        expect(place(page)).to_have_text("29 / 30")
        assert new.bounding_box() != old.bounding_box()


def test_an_earlier_exam_is_offered_and_leads_to_both(browser: Browser, server: Server) -> None:
    with opened(browser, server, size=DESK) as page:
        page.get_by_role("link", name="Feb. 1, 2025").click()
        expect(page.locator("canvas >> visible=true")).to_have_count(2)
        page.get_by_role("link", name="Single").click()
        expect(page.locator("canvas >> visible=true")).to_have_count(1)
