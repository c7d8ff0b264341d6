"""Files of somebody who means harm, each sent as a facility would: answered, kept if they may be, and no harm done.

Each test names what it tries; docs/hostile-files.md says what holds it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from accounts.audit import Actor
from accounts.facilities import add_facility
from studies import pipeline, sandbox
from studies.models import Instance, Job, Study
from studies.refusals import SENTENCES
from studies.sandbox import Result, Sandbox
from studies.store import objects
from tests.factories import ct_file
from tests.studies.hostile_made import FILES, HERS
from tests.studies.stow import Sender

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("files")]

SECONDS = 15
REFUSED = {
    "nested 1,000 deep, of undefined length",
    "a text of undefined length",
    "deflated, 400 MB of zeros in 400 KB",
    "deflated, nothing but zeros",
    "nested 1,000 deep and never closed",
    "a length of 2 GB",
    "a negative length",
    "a sequence of negative length",
}
"""What nobody can say whose it is, or what is cut off. Everything else is kept as it came."""


@pytest.fixture
def sender() -> Sender:
    return Sender(*add_facility("Lakeside", actor=Actor.operator()))


def original(instance: Instance) -> bytes:
    return b"".join(objects.read(instance.pack, instance.offset, instance.length))


def prepare() -> None:
    """Bring every study as far as the pipeline gets with it."""
    for study in Study.objects.all():
        pipeline.advance(study.pk, at_once=True)


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_answered_and_costs_its_own_series_nothing(sender: Sender, name: str) -> None:
    content, began = FILES[name](), time.monotonic()
    assert sender.send(content, ct_file(**HERS)).status_code == (202 if name in REFUSED else 200)
    prepare()
    assert time.monotonic() - began < SECONDS
    assert not Job.objects.exists(), "nothing is tried again"
    assert Study.objects.get().state == Study.State.READY
    *kept, neighbour = Instance.objects.order_by("pk")
    assert neighbour.note == "", "it has its picture"
    assert [original(one) for one in kept] == ([] if name in REFUSED else [content])


# --- decoders that fail


@pytest.fixture(scope="module")
def crooked() -> Iterator[Sandbox]:
    """A sandbox whose tasks end as badly as any decoder may."""
    crooked = Sandbox(["tests.studies.sandbox_tasks"])
    yield crooked
    crooked.stop()


@pytest.fixture
def decoder(monkeypatch: pytest.MonkeyPatch, crooked: Sandbox) -> Callable[..., list[str]]:
    """Put another task in the place of the decoder; returns what the sandbox is asked from then on."""
    really = sandbox.run

    def replace(task: str, **args: Any) -> list[str]:
        asked: list[str] = []

        def run(name: str, said: dict[str, Any], blobs: Any = (), **more: Any) -> Result:
            asked.append(name)
            return crooked.run(task, args, seconds=0.3) if name == "render" else really(name, said, blobs, **more)

        monkeypatch.setattr(sandbox, "run", run)
        return asked

    return replace


@pytest.mark.parametrize("task", ["crash", "abort", "spin", "eat", "drip"])
def test_a_decoder_that_fails_leaves_the_original_and_a_sentence(
    sender: Sender, decoder: Callable[..., list[str]], task: str
) -> None:
    asked = decoder(task, **({"bytes": 3 << 30} if task == "eat" else {}))
    file = ct_file()
    assert sender.send(file).status_code == 200
    prepare()
    kept = Instance.objects.get()
    assert (kept.note, original(kept)) == ("no preview", file)
    assert asked.count("render") <= 2
    assert Study.objects.get().state == Study.State.READY
    prepare()
    assert sender.send(file).status_code == 200
    prepare()
    assert asked.count("render") <= 2, "never again"
    assert "Download it" in SENTENCES["no preview"]
