"""The worker's settings and the embedded broker."""

from __future__ import annotations

import json
from pathlib import Path
from queue import Empty
from typing import Any
from uuid import uuid4

import pytest
from celery.signals import worker_init
from django.conf import settings

from portal.celery import COURTESY, app
from studies import pipeline

pytestmark = pytest.mark.skipif(bool(settings.BROKER_URL), reason="about the embedded broker; BROKER_URL names another")


def messages() -> list[Path]:
    return sorted((settings.DATA_DIR / "broker" / "messages").glob("*.msg"))


@pytest.fixture(autouse=True)
def _empty_broker() -> None:
    app.conf.broker_url  # noqa: B018 - makes the folders
    for path in messages():
        path.unlink()


@pytest.mark.django_db(transaction=True)
def test_a_bell_carries_an_opaque_id_alone() -> None:
    study_id = uuid4()
    pipeline.ring(study_id)
    (message,) = messages()
    assert message.parent.stat().st_mode & 0o077 == 0
    headers = json.loads(message.read_text())["headers"]
    assert (headers["task"], headers["argsrepr"]) == (pipeline.ADVANCE, f"['{study_id}']")


def test_a_message_is_fetched_once_and_whole() -> None:
    with app.connection_for_read() as connection:
        channel: Any = connection.channel()
        channel._put("celery", {"body": "x" * 100_000})
        assert channel._get("celery") == {"body": "x" * 100_000}
        with pytest.raises(Empty):
            channel._get("celery")


def test_a_message_half_written_is_not_seen() -> None:
    with app.connection_for_read() as connection:
        channel: Any = connection.channel()
        (settings.DATA_DIR / "broker" / "messages" / "1_a.celery.msg.draft").write_text("{")
        with pytest.raises(Empty):
            channel._get("celery")


def test_every_task_of_the_clock_exists() -> None:
    app.loader.import_default_modules()
    asked = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert asked <= app.tasks.keys()
    assert pipeline.ADVANCE in app.tasks


def test_only_json_is_taken() -> None:
    assert app.conf.accept_content == ["json"]
    assert not app.conf.worker_enable_remote_control


def test_a_worker_gives_way_to_who_sends_and_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    monkeypatch.setattr("os.nice", steps.append)
    worker_init.send(sender=None)
    assert steps == [COURTESY]
