"""Publishing against power cuts: whatever was acknowledged is there afterwards, whole, right and once.

A facility publishes by `intake.publish` over a disk that forgets what was not synced. The database is modelled too:
of it a cut leaves what was committed. Nothing here knows in which order intake works; it looks after every effect on
the disk, after every commit and after every answer.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from threading import Event
from uuid import UUID, uuid4

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.models import Facility
from studies import intake, pipeline
from studies.intake import Receipt
from studies.models import Instance, Quarantined, SealedObject
from studies.receiving.arrivals import Batch
from studies.store import objects, tidying
from studies.store.storage import FileStore
from tests.factories import ct_file
from tests.studies.power_loss import Cut, PowerLossDisk

pytestmark = pytest.mark.django_db(transaction=True)

Request = list[bytes]
CUTS = 500
RESUMED = 8


def a_file(number: int, **attributes: object) -> bytes:
    return ct_file(number, size=4, **attributes)


def a_day() -> list[Request]:
    """What one facility sends: new, more, again, changed, of two studies, and of another patient."""
    return [
        [a_file(1), a_file(2)],
        [a_file(3)],
        [a_file(1)],
        [a_file(2, WindowCenter=50)],
        [a_file(1, study=2), a_file(1, study=3)],
        [a_file(4, PatientID="P2")],
    ]


Mark = tuple[str, bytes]


@dataclass(frozen=True)
class Committed:
    """What the database would hold after a cut: instances with their packs, and which of them are current."""

    packs: dict[Mark, UUID]
    double: list[Mark]
    current: Counter[str]

    @classmethod
    def of(cls, facility: Facility) -> Committed:
        stored = Instance.objects.filter(facility=facility).values_list("sop_uid", "sha256", "pack_id")
        held = Quarantined.objects.filter(facility=facility).values_list("sop_uid", "sha256", "pack_id")
        rows = [((sop_uid, bytes(sha256)), pack) for sop_uid, sha256, pack in [*stored, *held]]
        often = Counter(mark for mark, _ in rows)
        current = Instance.objects.filter(facility=facility, superseded_at=None).values_list("sop_uid", flat=True)
        return cls(dict(rows), [mark for mark, count in often.items() if count > 1], Counter(current))


@dataclass(frozen=True)
class Moment:
    """What a cut would leave now of the disk, in each way of forgetting, and of the database; what was promised."""

    left: dict[Cut, dict[str, bytes]]
    committed: Committed
    promised: frozenset[Mark]


class PowerCut(BaseException):
    """Nothing catches it: the lights are out."""


@dataclass
class Story:
    """A facility's day over a disk of its own, moment by moment. With `ends` the power goes after so many effects."""

    top: Path
    facility: Facility
    skipped: int | None = None
    late: bool = False
    ends: int | None = None
    moments: list[Moment] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.top.mkdir()
        self.disk = PowerLossDisk(self.top, self.skipped, late=self.late)
        self.disk.after_each = self.see_effect
        self.store = FileStore(self.top / "site" / "store", self.disk)
        self.effects = 0
        self.left: dict[Cut, dict[str, bytes]] = {}
        self._committed = Committed.of(self.facility)
        self._promised: set[Mark] = set()

    def see_effect(self) -> None:
        self.effects += 1
        self.look()
        if self.effects == self.ends:
            self.left = {cut: self.disk.survivors(cut) for cut in Cut}
        if self.left:  # the dead tidy nothing up
            raise PowerCut

    def see_commit(self) -> None:
        self._committed = Committed.of(self.facility)
        self.look()

    def send(self, request: Request) -> Receipt:
        receipt = publish(self.facility, request)
        sent = {hashlib.sha256(file).digest() for file in request}
        self._promised |= {mark for mark in self._committed.packs if mark[1] in sent}
        assert len(receipt.taken) == len(request)
        if missing := sent - {sha256 for _, sha256 in self._promised}:
            pytest.fail(f"{len(missing)} instances were acknowledged before they were committed")
        self.look()
        return receipt

    def look(self) -> None:
        if self.ends is None:
            left = {cut: self.disk.survivors(cut) for cut in Cut}
            self.moments.append(Moment(left, self._committed, frozenset(self._promised)))

    @property
    def broken(self) -> list[str]:
        """Every promise that a cut at any moment would have broken."""
        whole = {path.name: path.read_bytes() for path in self.top.rglob("*.lbx")}
        return [
            f"{cut.name}: {wrong}"
            for moment in self.moments
            for cut, left in moment.left.items()
            for wrong in _broken(moment, left, whole)
        ]


def _broken(moment: Moment, left: dict[str, bytes], whole: dict[str, bytes]) -> Iterator[str]:
    places: dict[str, list[str]] = {}
    for path in left:
        places.setdefault(Path(path).name, []).append(path)
    for pack in set(moment.committed.packs.values()):
        name = f"{pack.hex}.lbx"
        found = places.get(name, [])
        if len(found) != 1:
            yield f"a committed object stands in {len(found)} places"
        elif left[found[0]] != whole.get(name):
            yield "a committed object is torn"
    yield from ("an acknowledged instance is in no row" for mark in moment.promised - moment.committed.packs.keys())
    yield from ("an instance is there twice" for _ in moment.committed.double)
    yield from ("an instance is shown twice" for count in moment.committed.current.values() if count > 1)


def publish(facility: Facility, request: Request) -> Receipt:
    receipt = intake.publish(facility, [[file] for file in request])
    assert not receipt.failed
    return receipt


Tell = Callable[..., Story]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tell:
    """Makes a story of a new facility, and has intake play in it."""
    monkeypatch.setattr(pipeline, "ring", lambda *_, **__: None)
    playing: list[Story] = []
    commit = BaseDatabaseWrapper.run_and_clear_commit_hooks

    def see_commit(connection: BaseDatabaseWrapper) -> None:
        if playing:
            playing[-1].see_commit()
        commit(connection)

    monkeypatch.setattr(BaseDatabaseWrapper, "run_and_clear_commit_hooks", see_commit)

    def make(**how: object) -> Story:
        name, shards = f"story-{len(playing)}", count()
        # Each object in a folder of its own, so that every story has the same effects.
        monkeypatch.setattr(objects, "uuid4", lambda: UUID(f"{next(shards):02x}{uuid4().hex[2:]}"))
        facility = Facility.objects.create(name=name, slug=name)
        story = Story(tmp_path / name, facility, **how)  # type: ignore[arg-type]
        playing.append(story)
        monkeypatch.setattr(objects, "store", lambda: story.store)
        return story

    return make


def test_no_power_cut_breaks_a_promise(stage: Tell) -> None:
    story = stage()
    more = ([a_file(1, study=number)] for number in count(4))
    for request in chain(a_day(), more):
        story.send(request)
        if len(story.moments) * len(Cut) >= CUTS:
            break
    assert story.broken == []
    assert len(story.moments[-1].promised) >= len(a_day())


def test_without_any_one_sync_a_promise_breaks(stage: Tell) -> None:
    # One object a request: of two, the second one's syncs make up for those left out for the first.
    day = [[a_file(1), a_file(2)], [a_file(1, study=2)]]
    whole = stage()
    for request in day:
        whole.send(request)
    unnoticed = []
    for number, name in enumerate(whole.disk.syncs):
        story = stage(skipped=number)
        for request in day:
            story.send(request)
        if not story.broken:
            unnoticed.append(f"{number}: {name}")
    assert unnoticed == []
    assert whole.disk.syncs.count("fsync of a file") == 2


def test_an_answer_before_the_last_sync_is_noticed(stage: Tell) -> None:
    story = stage(late=True)
    story.send([a_file(1)])
    assert story.broken


def test_a_commit_before_the_sync_is_noticed(stage: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    story, committed = stage(), Event()
    sync, see_commit = story.disk.fsync, story.see_commit

    def sync_late(fd: int) -> None:
        assert committed.wait(10)
        sync(fd)

    def note_commit() -> None:
        see_commit()
        committed.set()

    monkeypatch.setattr(story.disk, "fsync", sync_late)
    monkeypatch.setattr(story, "see_commit", note_commit)
    monkeypatch.setattr(Batch, "settle", lambda _: None)
    story.send([a_file(1)])
    assert story.broken


def test_what_was_cut_off_is_sent_again_and_is_there_once(
    stage: Tell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = a_day()
    whole = stage()
    for request in day:
        whole.send(request)
    chance = random.Random(20261126)
    for number in range(RESUMED):
        story = stage(ends=chance.randint(1, whole.effects))
        cut_off(story, day)
        wake_up(story, chance.choice(list(Cut)), tmp_path / f"again-{number}", monkeypatch)
        assert_whole(story.facility)
        for request in day:
            assert len(publish(story.facility, request).taken) == len(request)
        assert set(rows(story.facility)) == set(rows(whole.facility))
        assert not Committed.of(story.facility).double
        assert_whole(story.facility)
        assert orphans(story) == (0, 0)


def cut_off(story: Story, day: list[Request]) -> None:
    """Send until the power goes, and see that nothing promised is missing in the database."""
    with suppress(PowerCut):
        for request in day:
            story.send(request)
    assert story.left
    assert story._promised <= set(rows(story.facility))


def wake_up(story: Story, cut: Cut, top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start again on what the cut left of the disk."""
    for path, content in story.left[cut].items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_bytes(content)
    story.store = FileStore(top / "site" / "store")
    monkeypatch.setattr(objects, "store", lambda: story.store)


def rows(facility: Facility) -> dict[Mark, Instance | Quarantined]:
    """Every instance of a facility, shown or set aside."""
    stored = Instance.objects.filter(facility=facility).select_related("pack__patient")
    held = Quarantined.objects.filter(facility=facility).select_related("pack__patient")
    return {(row.sop_uid, bytes(row.sha256)): row for row in [*stored, *held]}


def assert_whole(facility: Facility) -> None:
    """Every instance gives back the bytes that came."""
    for (_, sha256), row in rows(facility).items():
        assert hashlib.sha256(b"".join(objects.read(row.pack, row.offset, row.length))).digest() == sha256


def orphans(story: Story) -> tuple[int, int]:
    """Objects without a row and half-written ones, after the sweep has been."""
    with pytest.MonkeyPatch.context() as patch:
        for age in ("HALF_WRITTEN", "WITHOUT_ROW"):
            patch.setattr(tidying, age, getattr(tidying, age) * 0)
        tidying.tidy()
    known = set(SealedObject.objects.filter(facility=story.facility).values_list("pk", flat=True))
    return len(set(story.store.names()) - known), story.store.sweep_staging(0)
