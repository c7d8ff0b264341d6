"""The store against power cuts: after every single effect, in every way a disk may forget."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from studies.store.staged import Staged
from studies.store.storage import FileStore
from tests.studies.power_loss import Cut, PowerLossDisk

A = UUID("aa000000-0000-4000-8000-000000000001")
B = UUID("aa000000-0000-4000-8000-000000000002")
C = UUID("cc000000-0000-4000-8000-000000000003")
BYTES = {A: b"A" * 100, B: b"B" * 200, C: b"C" * 300}


class Story:
    """A, B and C are stored, A is deleted. The power may go at any moment: are promises kept?"""

    def __init__(self, top: Path, skipped: int | None = None) -> None:
        top.mkdir()
        self.disk = PowerLossDisk(top, skipped)
        self.store = FileStore(top / "site" / "store", self.disk)
        self.promised: set[UUID] = set()
        self.destroyed: set[UUID] = set()
        self.broken: list[str] = []
        self.disk.after_each = self.look

    def live(self) -> Story:
        with self.store.stage(A) as a, self.store.stage(B) as b:
            self.keep(a, A)
            self.keep(b, B)
        with self.store.stage(C) as c:
            self.keep(c, C)
        self.promised.remove(A)
        self.store.delete(A)
        self.destroyed.add(A)
        self.look()
        return self

    def keep(self, staged: Staged, object_id: UUID) -> None:
        staged.write(BYTES[object_id][:50])
        staged.write(BYTES[object_id][50:])
        staged.commit()
        self.promised.add(object_id)
        self.look()

    def look(self) -> None:
        for cut in Cut:
            left = self.disk.survivors(cut)
            wrong = [what for object_id in BYTES for what in self._wrong(left, object_id)]
            self.broken += [f"{cut.name}: {what}" for what in wrong]

    def _wrong(self, left: dict[str, bytes], object_id: UUID) -> Iterator[str]:
        path = f"site/store/objects/{object_id.hex[:2]}/{object_id.hex}"
        stored = left.get(f"{path}.lbx")
        if stored not in (None, BYTES[object_id]):
            yield "an object is torn"
        if object_id in self.promised and stored is None:
            yield "a promised object is lost"
        if object_id in self.promised and f"{path}.part" in left:
            yield "a promised object is staged"
        if object_id in self.destroyed and stored is not None:
            yield "a destroyed object is back"


def test_no_power_cut_breaks_a_promise(tmp_path: Path) -> None:
    assert Story(tmp_path / "disk").live().broken == []


def test_every_sync_is_needed(tmp_path: Path) -> None:
    syncs = Story(tmp_path / "whole").live().disk.syncs
    idle = [
        sync for number, sync in enumerate(syncs) if not Story(tmp_path / str(number), skipped=number).live().broken
    ]
    assert idle == []
    assert syncs.count("fsync of a file") == 3


def test_a_file_renamed_before_its_sync_is_noticed(tmp_path: Path) -> None:
    story = Story(tmp_path / "disk")
    with story.store.stage(A) as staged:
        staged.write(BYTES[A])
        folder = story.store.root / "objects" / "aa"
        story.disk.rename(folder / f"{A.hex}.part", folder / f"{A.hex}.lbx")
    assert "NAMES_FIRST: an object is torn" in story.broken


def test_a_folder_that_another_process_has_not_synced_is_synced(tmp_path: Path) -> None:
    story = Story(tmp_path / "disk")
    story.store._make_root()
    for folder in ("objects", "objects/aa"):
        story.disk.make_dir(story.store.root / folder)
    with story.store.stage(A) as staged:
        staged.write(BYTES[A])
        staged.commit()
    story.promised.add(A)
    story.look()
    assert story.broken == []


def test_a_delete_cut_off_before_its_sync_is_finished_by_the_next(tmp_path: Path) -> None:
    story = Story(tmp_path / "disk")
    with story.store.stage(A) as staged:
        staged.write(BYTES[A])
        staged.commit()
    story.disk.remove(story.store.root / "objects" / "aa" / f"{A.hex}.lbx")
    story.store.delete(A)
    story.destroyed.add(A)
    story.look()
    assert story.broken == []
