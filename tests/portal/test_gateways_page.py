"""The gateways on the desk: for the eyes of one facility's staff, in words, at both widths."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from django.urls import reverse
from pytest_django.live_server_helper import LiveServer

from accounts import gateways
from accounts.gateways import Machine
from accounts.models import Facility
from tests.cast import Cast
from tests.conftest import Clock
from tests.portal.test_desk_in_browser import browsing, session_of, signed_in
from tests.reading import words_of

SHOTS: Path | None = None
"""Where pictures of the pages go, for whoever wants to look at them."""


def hear(facility: Facility, name: str = "cellar", *, dead: int = 0, trouble: str = "") -> None:
    machines = [Machine("PACS", 90), Machine("CT1", None)]
    gateways.hear(facility, name, waiting=3, oldest_seconds=600, dead=dead, trouble=trouble, machines=machines)


@pytest.fixture
def tom(client: Client, cast: Cast) -> Client:
    client.force_login(cast.tom)
    return client


def test_one_that_speaks_is_shown_with_what_waits_and_who_sends(tom: Client, cast: Cast) -> None:
    assert "No gateway has spoken yet" in words_of(tom.get(reverse("desk_gateways")))
    hear(cast.lakeside)
    said = words_of(tom.get(reverse("desk_gateways")))
    for words in (
        "cellar Alive",
        "3 · the oldest for 10 minutes",
        "PACS last sent 1 minute ago",
        "Last heard just now",
    ):
        assert words in said
    assert "CT1 has sent nothing since the gateway was started" in said
    desk = words_of(tom.get(reverse("desk")))
    assert "needs a look" not in desk
    assert "Gateways" in desk


def test_one_that_is_silent_or_holds_letters_is_said_on_the_desk(tom: Client, cast: Cast, clock: Clock) -> None:
    hear(cast.lakeside, dead=2, trouble="The portal has no room for it now.")
    assert "1 gateway needs a look" in words_of(tom.get(reverse("desk")))
    said = words_of(tom.get(reverse("desk_gateways")))
    assert "2 · python -m gateway letters says which and why" in said
    assert "The portal has no room for it now." in said
    clock.move(minutes=6)
    assert "cellar Silent" in words_of(tom.get(reverse("desk_gateways")))


def test_another_facilitys_gateways_are_not_there(tom: Client, cast: Cast) -> None:
    hear(cast.hilltop, dead=1)
    assert "cellar" not in words_of(tom.get(reverse("desk_gateways")))
    assert "needs a look" not in words_of(tom.get(reverse("desk")))


def test_what_a_gateway_says_is_text(tom: Client, cast: Cast) -> None:
    hear(cast.lakeside, trouble="<script>alert(1)</script>")
    assert "<script>alert" not in tom.get(reverse("desk_gateways")).content.decode()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_is_for_everybody_s_eyes(cast: Cast, live_server: LiveServer, chromium: str, width: int) -> None:
    hear(cast.lakeside, dead=2, trouble="The portal asks to come again (503).")
    hear(cast.lakeside, "radiology-east-wing-basement-2")
    clerk = session_of(cast.tom)
    with browsing(chromium) as browser:
        page = signed_in(browser, live_server, clerk)
        page.set_viewport_size({"width": width, "height": 800})
        for name in ("desk_gateways", "desk"):
            page.goto(live_server.url + reverse(name))
            assert Axe().run(page).violations_count == 0
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            if SHOTS:
                page.screenshot(path=SHOTS / f"{name}-{width}.png", full_page=True)
