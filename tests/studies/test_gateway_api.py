"""What a gateway says of itself, by facility key."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts import gateways
from accounts.audit import Actor
from accounts.errors import NotFound
from accounts.models import AuditEvent, Gateway
from tests.cast import Cast
from tests.conftest import Clock

URL = "/api/v1/gateways/"
SAID: dict[str, Any] = {
    "name": "cellar",
    "waiting": 3,
    "oldest_seconds": 120,
    "dead": 1,
    "trouble": "The portal cannot be reached.",
    "machines": [{"name": "PACS", "seconds_ago": 10}, {"name": "CT1", "seconds_ago": None}],
}


@pytest.fixture
def tool(cast: Cast) -> Client:
    return Client(headers={"Authorization": f"Bearer {cast.lakeside_key}"})


def post(tool: Client, **more: Any) -> int:
    return tool.post(URL, {**SAID, **more}, content_type="application/json").status_code


def test_the_last_word_counts_by_our_clock(cast: Cast, tool: Client, clock: Clock) -> None:
    assert post(tool) == 204
    clock.move(minutes=1)
    assert post(tool, waiting=2, oldest_seconds=60) == 204
    (one,) = gateways.of(cast.lakeside)
    assert (one.name, one.waiting, one.dead, one.trouble) == ("cellar", 2, 1, "The portal cannot be reached.")
    assert one.waiting_since == one.heard_at - timedelta(seconds=60)
    assert timezone.now() - one.heard_at < timedelta(seconds=30)
    pacs, scanner = one.machines
    assert one.heard_at - datetime.fromisoformat(pacs["heard_at"]) < timedelta(seconds=11)
    assert scanner == {"name": "CT1", "heard_at": ""}


def test_of_another_facility_nobody_hears(cast: Cast, tool: Client) -> None:
    post(tool)
    assert gateways.of(cast.hilltop) == []
    assert Client().post(URL, SAID, content_type="application/json").status_code == 401


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "<b>"},
        {"name": "x" * 65},
        {"waiting": -1},
        {"waiting": "many"},
        {"oldest_seconds": 10**12},
        {"trouble": "x" * 301},
        {"machines": [{"name": "PACS"}]},
        {"machines": [{"name": "PACS", "seconds_ago": 1}] * 201},
        {"machines": "PACS"},
    ],
)
def test_what_makes_no_sense_is_refused(cast: Cast, tool: Client, wrong: dict[str, Any]) -> None:
    assert post(tool, **wrong) == 400
    assert gateways.of(cast.lakeside) == []


def test_one_is_silent_after_five_minutes_and_forgotten_after_three_months(
    cast: Cast, tool: Client, clock: Clock
) -> None:
    post(tool, dead=0)
    assert gateways.in_trouble(cast.lakeside) == 0
    clock.move(minutes=5, seconds=1)
    assert gateways.is_silent(Gateway.objects.get())
    assert gateways.in_trouble(cast.lakeside) == 1
    gateways.forget()
    assert Gateway.objects.exists()
    clock.move(days=90)
    gateways.forget()
    assert not Gateway.objects.exists()


def test_letters_that_are_not_taken_need_a_look_while_it_speaks(cast: Cast, tool: Client) -> None:
    post(tool)
    assert gateways.in_trouble(cast.lakeside) == 1


def test_a_facility_has_no_thousand_gateways(cast: Cast, tool: Client) -> None:
    for number in range(50):
        assert post(tool, name=f"cellar {number}") == 204
    assert post(tool, name="one more") == 409
    assert post(tool, name="cellar 7") == 204


LETTER = {"id": "a" * 32, "what": "study 1.2.3", "reason": "The portal cannot read it.", "seconds_ago": 60}


def ask(cast: Cast, **more: Any) -> None:
    gateways.ask(cast.lakeside, Gateway.objects.get().pk, actor=Actor.staff(cast.tom, cast.lakeside), **more)


def test_what_staff_want_is_handed_over_once(cast: Cast, tool: Client) -> None:
    post(tool, letters=[LETTER])
    ask(cast, retry=LETTER["id"])
    ask(cast)
    said = tool.post(URL, {**SAID, "letters": [LETTER]}, content_type="application/json")
    assert (said.status_code, said.json()) == (200, {"retry": ["a" * 32], "test": True})
    assert post(tool) == 204
    assert AuditEvent.objects.filter(action="gateway_asked").count() == 2


def test_only_letters_that_it_has_are_tried_again_and_only_by_its_own_facility(cast: Cast, tool: Client) -> None:
    post(tool, letters=[LETTER])
    with pytest.raises(NotFound):
        ask(cast, retry="b" * 32)
    with pytest.raises(NotFound):
        gateways.ask(cast.hilltop, Gateway.objects.get().pk, actor=Actor.operator())
    ask(cast, retry=gateways.ALL)
    assert Gateway.objects.get().to_retry == ["a" * 32]


def test_the_last_test_stays_until_the_next(cast: Cast, tool: Client) -> None:
    post(tool, findings=[{"is_well": False, "words": "PACS does not answer C-ECHO."}])
    post(tool)
    one = Gateway.objects.get()
    assert one.findings == [{"is_well": False, "words": "PACS does not answer C-ECHO."}]
    assert one.tested_at


@pytest.mark.parametrize(
    "wrong",
    [
        {"letters": [{**LETTER, "id": "../"}]},
        {"letters": [LETTER] * 101},
        {"findings": [{"is_well": True}]},
        {"findings": [{"is_well": True, "words": "x" * 601}]},
    ],
)
def test_letters_that_make_no_sense_are_refused(tool: Client, wrong: dict[str, Any]) -> None:
    assert post(tool, **wrong) == 400


def test_the_desk_tries_a_letter_again_and_lets_the_gateway_test_itself(cast: Cast, tool: Client) -> None:
    post(tool, letters=[LETTER], findings=[{"is_well": True, "words": "PACS answers C-ECHO."}])
    clerk = Client()
    clerk.force_login(cast.tom)
    page = clerk.get("/desk/gateways/").content.decode()
    assert "The portal cannot read it." in page
    assert "PACS answers C-ECHO." in page
    address = f"/desk/gateways/{Gateway.objects.get().pk}/ask/"
    assert clerk.post(address, {"retry": LETTER["id"]}).status_code == 303
    assert clerk.post(address).status_code == 303
    after = clerk.get("/desk/gateways/").content.decode()
    assert "It is tried again within a minute." in after
    assert "It tests itself within a minute." in after
    assert clerk.post(address, {"retry": "b" * 32}).status_code == 404
