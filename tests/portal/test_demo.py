"""The demo world, at a small scale: made once, by the real verbs, ready when the command returns."""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command

from accounts import facilities
from accounts.audit import Actor
from accounts.errors import Conflict
from accounts.models import AuditEvent, Facility, User
from portal.demo import phantoms, world
from portal.demo.phantoms import Exam
from portal.embedded.turns import alone
from portal.management.commands import up
from sharing import access, claims
from sharing.models import Link
from studies import reports
from studies.models import Instance, Study
from tests import cast as stage

pytestmark = pytest.mark.django_db(transaction=True)

SMALL: dict[str, dict[str, int]] = {
    "ct_chest": {"slices": 4, "size": 48},
    "mr_head": {"slices": 2, "size": 48},
    "chest_xray": {"size": 64},
    "mammogram": {"rows": 60, "columns": 48},
    "heart_ultrasound": {"frames": 2, "rows": 48, "columns": 64},
}


def _smaller(maker: Callable[..., Iterator[bytes]], exam: Exam, *, small: dict[str, int], **_size: int) -> Any:
    return maker(exam, **small)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder without a demo, and phantoms quickly drawn."""
    settings.DATA_DIR = tmp_path / "data"
    for name, small in SMALL.items():
        monkeypatch.setattr(phantoms, name, partial(_smaller, getattr(phantoms, name), small=small))
    return tmp_path / "data"


def demo() -> Any:
    said = StringIO()
    call_command("demo", "--json", stdout=said)
    return json.loads(said.getvalue())


def visible(email: str) -> list[Study]:
    return list(access.visible_to(access.viewer_for(User.objects.get(email=email))))


def test_the_demo_shows_its_patient_many_kinds_of_studies(settings: Any) -> None:
    made = demo()
    assert made["base_url"] == settings.PUBLIC_URL
    mine = visible(made["patient"]["email"])
    assert {modality for study in mine for modality in study.modalities} >= {"CT", "MR", "MG", "US", "CR"}
    assert all(study.state == Study.State.READY and study.image_count for study in mine)
    read = [report for study in mine for report in reports.released(study)]
    assert {report.status for report in read} >= {"final", "amended"}
    assert {report.form for report in read} >= {"text/plain", "application/pdf"}
    labelled = {study.description: study.is_phantom for study in Study.objects.select_related("facility")}
    assert labelled.pop("Ultrasound of the heart (public example)") is False, "a real heart is no phantom"
    assert set(labelled.values()) == {True}


def test_what_a_newcomer_publishes_to_the_demo_is_called_no_phantom() -> None:
    facility = facilities.facility_for_key(demo()["facility"]["key"])
    assert not Study(facility=facility, study_uid="1.3.6.1.4.1.5962.1.2.8.20040826185059.5457").is_phantom


def test_everybody_of_the_demo_can_do_what_they_came_for() -> None:
    made = demo()
    for who in ("patient", "facility_staff", "provider", "stranger"):
        assert authenticate(None, **made[who]) is not None, who
    facility = facilities.facility_for_key(made["facility"]["key"])
    assert facility is not None
    assert (facility.name, facility.slug) == (made["facility"]["name"], made["facility"]["slug"])
    assert facilities.facility_for_staff(User.objects.get(email=made["facility_staff"]["email"])) == facility
    stranger, new = User.objects.get(email=made["stranger"]["email"]), made["new_patient"]
    assert visible(stranger.email) == []
    claims.claim(stranger, new["claim_code"], date.fromisoformat(new["birth_date"]), address="192.0.2.7")
    assert len(visible(stranger.email)) == 2


def test_the_demo_is_made_once_and_kept_for_its_owners_eyes(folder: Path, settings: Any) -> None:
    first = demo()
    assert stat.S_IMODE((folder / "demo.json").stat().st_mode) == 0o600
    deeds, said = AuditEvent.objects.count(), StringIO()
    assert demo() == first
    call_command("demo", stdout=said)
    assert "maria@example.org" in said.getvalue()
    settings.PUBLIC_URL = "http://127.0.0.1:9000"
    assert demo() == {**first, "base_url": "http://127.0.0.1:9000"}, "the site has moved to another port"
    assert AuditEvent.objects.count() == deeds


def test_an_interrupted_demo_is_finished_by_the_next(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = claims.claim

    def interrupted(*args: Any, **more: Any) -> None:
        claim(*args, **more)
        raise KeyboardInterrupt

    with monkeypatch.context() as first:
        first.setattr(claims, "claim", interrupted)
        with pytest.raises(KeyboardInterrupt):
            demo()
    assert not (folder / "demo.json").exists()
    before = Instance.objects.count()
    made = demo()
    assert Instance.objects.count() == before
    assert Facility.objects.count() == 2
    assert Link.objects.count() == 2
    assert authenticate(None, **made["patient"]) is not None


def test_the_demo_does_not_take_over_somebodys_account() -> None:
    stage.person("maria@example.org")
    with pytest.raises(CommandError, match="somebody else's account") as refused:
        demo()
    assert refused.value.returncode == 2


def test_a_demo_that_does_not_become_ready_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    patient = stage.a_patient(facilities.add_facility("Lakeside", actor=Actor.operator())[0])
    stage.a_study(patient, state=Study.State.STORED)
    monkeypatch.setattr(world, "PATIENCE", 0.0)
    with pytest.raises(Conflict) as refused:
        world._await([patient])
    assert "do not become ready" in str(refused.value.message)


def test_a_second_call_waits_for_the_first(tmp_path: Path) -> None:
    lock, order, inside = tmp_path / "lock", list[str](), threading.Event()

    def second() -> None:
        inside.wait(5)
        with alone(lock):
            order.append("second")

    waiter = threading.Thread(target=second)
    waiter.start()
    with alone(lock):
        inside.set()
        waiter.join(0.2)
        order.append("first")
    waiter.join(5)
    assert order == ["first", "second"]


@pytest.mark.parametrize(("somebody", "made"), [("nora@example.org", []), ("maria@example.org", ["demo"])])
def test_a_site_with_people_of_its_own_is_no_demo_in_passing(
    monkeypatch: pytest.MonkeyPatch, somebody: str, made: list[str]
) -> None:
    """The demo's letter box is open to everybody. Its own people are what an interrupted start left."""
    stage.person(somebody)
    asked: list[str] = []
    monkeypatch.setattr(up, "prepare", lambda address: None)
    monkeypatch.setattr(up, "Supervisor", MagicMock())
    monkeypatch.setattr(up.Command, "_demo", lambda self: asked.append("demo"))
    call_command("up", "--port", "8399", stdout=StringIO())
    assert asked == made
