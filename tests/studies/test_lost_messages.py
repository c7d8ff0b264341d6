"""A broker that drops, doubles, reorders and forgets: everything becomes ready all the same, and is made once."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from accounts.models import Facility
from studies import intake, pipeline, showing, tasks
from studies.models import Job, Rendition, SealedObject, Study
from tests.conftest import Clock
from tests.factories import ct_file

pytestmark = pytest.mark.django_db(transaction=True)

SWEEP_EVERY = timedelta(seconds=5)
STEP = 0.2  # seconds
SOON = timedelta(minutes=2)


@dataclass
class HostileBroker:
    """Takes the place of Celery's broker: what it hands over, it hands to the tasks as a worker would."""

    chance: random.Random
    waiting: list[tuple[datetime, UUID]] = field(default_factory=list)
    did: Counter[str] = field(default_factory=Counter)

    def send_task(self, name: str, args: list[str], *, countdown: float, **_: Any) -> None:
        assert name == pipeline.ADVANCE
        copies = self.chance.choices([0, 1, 2], [60, 25, 15])[0]
        self.did["dropped" if not copies else "doubled" if copies > 1 else "sent"] += 1
        self.waiting += [(timezone.now() + timedelta(seconds=countdown), UUID(args[0]))] * copies

    def deliver(self) -> None:
        """Hand over what is due, in any order, or late."""
        now = timezone.now()
        if self.chance.random() < 0.02:
            self.did["flushed"] += 1
            self.waiting.clear()
        due = [message for message in self.waiting if message[0] <= now and self.chance.random() < 0.7]
        self.chance.shuffle(due)
        for message in due:
            self.waiting.remove(message)
            tasks.advance_study.apply(args=(str(message[1]),), throw=True)


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> HostileBroker:
    made = HostileBroker(random.Random(request.param))
    monkeypatch.setattr(pipeline, "current_app", made)
    return made


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[int, int]]:
    """How often each picture was asked for. (The small one moves with the middle of its series.)"""
    counted: Counter[tuple[int, int]] = Counter()
    ask = showing._ask

    def ask_and_count(batch: list[showing.Asked]) -> list[showing.Shown]:
        counted.update((one.instance.pk, one.frame) for one in batch if "preview" in one.sizes)
        return ask(batch)

    monkeypatch.setattr(showing, "_ask", ask_and_count)
    return counted


@pytest.mark.parametrize("broker", [1, 2], indirect=True)
def test_everything_becomes_ready_and_is_made_once(
    broker: HostileBroker, clock: Clock, asked: Counter[tuple[int, int]]
) -> None:
    facilities = [Facility.objects.create(name=name, slug=name) for name in ("lakeside", "hilltop")]
    requests = [
        (facility, [ct_file(number, study=study, size=8) for number in numbers])
        for facility in facilities
        for study in (1, 2)
        for numbers in ((1, 2), (3,), (4,))
    ]
    broker.chance.shuffle(requests)
    began = swept = timezone.now()
    while requests or Job.objects.exists():
        if requests and broker.chance.random() < 0.5:
            facility, files = requests.pop()
            assert not intake.publish(facility, [[file] for file in files]).failed
        broker.deliver()
        if timezone.now() - swept > SWEEP_EVERY:
            swept = timezone.now()
            tasks.sweep.apply(throw=True)
        clock.move(seconds=STEP)
        assert timezone.now() - began < SOON
    for study in Study.objects.all():
        assert (study.state, study.instance_count, study.image_count) == (Study.State.READY, 4, 4)
    assert broker.did["dropped"]
    assert broker.did["doubled"]
    assert len(asked) == 16
    assert set(asked.values()) == {1}
    assert Rendition.objects.filter(size="preview").count() == 4
    assert SealedObject.objects.filter(kind="rendition").count() == 4
