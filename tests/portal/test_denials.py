"""AZ-8: who asks for what is not hers is written down without a name, and told when it is too often."""

from __future__ import annotations

import logging
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent
from portal import denials
from tests.cast import Cast
from tests.conftest import Clock
from tests.sharing.links_made import give


@pytest.fixture
def eve(client: Client, cast: Cast) -> Client:
    client.force_login(cast.eve)
    return client


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(denials, "TOO_MANY", 3)
    caplog.set_level(logging.INFO, "lightbox.denials")


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "lightbox.denials"]


def test_a_refusal_says_route_status_whom_and_what_and_names_nobody(
    eve: Client, cast: Cast, caplog: pytest.LogCaptureFixture
) -> None:
    for study in (cast.study.pk, cast.study.pk, uuid4()):
        assert eve.get(reverse("study", args=[study])).status_code == 404
    first, again, other = lines(caplog)
    assert first.startswith("study 404 by ")
    assert first == again != other
    assert not [word for word in (str(cast.study.pk), str(cast.eve.pk), "eve") if word in " ".join(lines(caplog))]


def test_what_one_may_see_and_not_do_is_written_down_too(caplog: pytest.LogCaptureFixture, cast: Cast) -> None:
    guest = Client()
    give(cast.maria).post(guest)
    assert guest.get(reverse("lend", args=[cast.study.pk])).status_code == 403
    assert lines(caplog)[0].startswith("lend 403 by ")


def test_programs_are_counted_as_pages_are(eve: Client, cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    eve.delete(reverse("api_grant", args=[uuid4()]))
    eve.get(f"/dicom-web/studies/{cast.study.study_uid}/metadata")
    assert [line.split(" by ")[0] for line in lines(caplog)] == ["api_grant 404", "dicomweb_study_metadata 404"]


def test_too_many_are_told_once_within_ten_minutes(
    eve: Client, cast: Cast, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(6):
        eve.get(reverse("study", args=[uuid4()]))
    (event,) = AuditEvent.objects.filter(action="refused")
    assert (event.actor_id, event.detail["count"]) == (str(cast.eve.pk), 3)
    assert [record.levelname for record in caplog.records if "was refused 3 times" in record.getMessage()] == [
        "WARNING"
    ]
    clock.move(minutes=11)
    for _ in range(3):
        eve.get(reverse("study", args=[uuid4()]))
    assert AuditEvent.objects.filter(action="refused").count() == 1


def test_what_is_granted_and_what_nobody_asks_is_not_written_down(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    maria = Client()
    maria.force_login(cast.maria)
    assert maria.get(reverse("study", args=[cast.study.pk])).status_code == 200
    assert maria.get("/no/such/page/").status_code == 404
    assert Client().get(reverse("study", args=[cast.study.pk])).status_code == 302
    assert lines(caplog) == []
