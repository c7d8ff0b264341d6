"""What a load balancer is told, and what the operator finds in the log."""

from __future__ import annotations

import pytest
from django.test import Client

from portal.views import health

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def look_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "latest", health.Latest())


def test_a_site_that_has_all_it_needs_is_ready(client: Client) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, **dict.fromkeys(health.NEEDS, True)}


def test_what_is_missing_is_named_and_its_cause_logged(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away() -> bool:
        raise ConnectionRefusedError("redis://user:password@cache refuses")

    monkeypatch.setitem(health.NEEDS, "cache", away)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["cache"], answer.json()["database"]) == (503, False, True)
    lines = [record.getMessage() for record in caplog.records if record.name == "lightbox.health"]
    assert lines == ["not ready: cache (ConnectionRefusedError)"], "an error's words may hold a password"


def test_a_process_says_that_it_lives_whatever_else_is_away(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "NEEDS", {"database": lambda: False})
    assert client.get("/livez").json() == {"alive": True}
    assert client.get("/readyz").status_code == 503


def test_many_who_ask_cost_one_look(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter(range(10))
    monkeypatch.setattr(health, "NEEDS", {"store": lambda: next(looks) >= 0})
    assert {client.get("/readyz").status_code for _ in range(5)} == {200}
    monkeypatch.setattr(health.Latest, "FRESH", 0.0)
    client.get("/readyz")
    assert next(looks) == 2
