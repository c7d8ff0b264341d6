"""The gateway tells the portal how it is, and nothing of anybody."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from gateway.config import Config
from gateway.receiving import about_file
from gateway.spool import AboutReport, Spool
from gateway.telling import Teller
from tests import factories
from tests.gateway.conftest import KEY, Says, ScriptedPortal


def test_what_waits_what_is_dead_and_who_was_heard(config: Config, spool: Spool, portal: ScriptedPortal) -> None:
    for number in (1, 2):
        file = factories.ct_file(number, study=number)
        spool.take(about_file(file, "CT1"), file)
    spool.refused(spool.due(1, 10**9, 0)[0], "no")
    spool.postpone(spool.due(1, 10**9, 0), 60, "The portal cannot be reached.")
    spool.take_report(AboutReport("", "ACC-1", "MRN-7", "final", False, "RIS|HOSPITAL", "MSG-1"), b"Lungs clear.")
    assert Teller(config, spool).step() == 0
    (said,) = portal.states
    assert {name: said[name] for name in ("name", "waiting", "dead", "trouble")} == {
        "name": "gateway",
        "waiting": 2,
        "dead": 1,
        "trouble": "The portal cannot be reached.",
    }
    assert said["oldest_seconds"] in range(60)
    seconds = {one["name"]: one["seconds_ago"] for one in said["machines"]}
    assert seconds.pop("PACS") is None
    assert set(seconds) == {"CT1", "RIS HOSPITAL"}
    assert all(ago in range(60) for ago in seconds.values())
    assert portal.keys == [f"Bearer {KEY}"]
    assert "MRN-7" not in str(said)


@pytest.mark.parametrize(("sender", "name"), [("|", "unnamed"), ("RIS\0\x1b|", "RIS"), ("x" * 70 + "|", "x" * 64)])
def test_what_a_machine_calls_itself_does_not_silence_the_gateway(
    config: Config, spool: Spool, portal: ScriptedPortal, sender: str, name: str
) -> None:
    spool.take_report(AboutReport("", "ACC-1", "MRN-7", "final", False, sender, "MSG-1"), b"Lungs clear.")
    Teller(config, spool).step()
    assert [one["name"] for one in portal.states[0]["machines"]] == ["PACS", name]


@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_portal_that_does_not_hear_is_noted(
    config: Config, spool: Spool, portal: ScriptedPortal, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    portal.script = [Says(status)]
    with caplog.at_level(logging.WARNING):
        assert Teller(config, spool).step() == 0
    assert f"does not hear how this gateway is ({status})" in caplog.text


def test_a_portal_that_is_away_is_noted(config: Config, spool: Spool, caplog: pytest.LogCaptureFixture) -> None:
    away = replace(config, portal=replace(config.portal, url="http://127.0.0.1:1"))
    with caplog.at_level(logging.WARNING):
        assert Teller(away, spool).step() == 0
    assert "cannot be told how this gateway is (ConnectionError)" in caplog.text


def a_dead_letter(spool: Spool) -> str:
    file = factories.ct_file(1)
    spool.take(about_file(file, "CT1"), file)
    spool.refused(spool.due(1, 10**9, 0)[0], "The portal cannot read it.")
    return spool.letters()[0].id


def test_the_portal_reads_which_letters_are_dead_and_why(config: Config, spool: Spool, portal: ScriptedPortal) -> None:
    letter = a_dead_letter(spool)
    Teller(config, spool).step()
    (said,) = portal.states[0]["letters"]
    assert (said["id"], said["reason"]) == (letter, "The portal cannot read it.")
    assert factories.uid(1) in said["what"]


def test_what_staff_want_tried_again_waits_again(config: Config, spool: Spool, portal: ScriptedPortal) -> None:
    letter = a_dead_letter(spool)
    portal.script = [Says(200, wants={"retry": ["0" * 32, "", letter], "test": False})]
    Teller(config, spool).step()
    assert spool.counts() == {"waiting": 1, "published": 0, "dead": 0}


@pytest.mark.parametrize("nonsense", [[], {"retry": "all"}, {"retry": None, "test": "yes"}, "test", 7])
def test_nonsense_of_the_portal_does_nothing(
    config: Config, spool: Spool, portal: ScriptedPortal, nonsense: object
) -> None:
    a_dead_letter(spool)
    portal.script = [Says(200, wants=nonsense)]
    Teller(config, spool).step()
    assert spool.counts()["dead"] == 1


def test_asked_to_it_tests_itself_and_says_at_once_what_it_found(
    config: Config, spool: Spool, portal: ScriptedPortal
) -> None:
    portal.script = [Says(200, wants={"retry": [], "test": True})]
    teller = Teller(config, spool)
    teller.step()
    teller.step()
    first, second, third = portal.states
    assert (first["findings"], third["findings"]) == ([], [])
    assert [one["is_well"] for one in second["findings"]][:3] == [True, True, True]
    assert not [one for one in second["findings"] if "Port" in one["words"]]  # it has them itself
