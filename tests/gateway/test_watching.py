"""Files that are put into a folder are published; what is none is put aside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.spool import NoRoom, Spool
from gateway.watching import Watch
from tests import factories


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "in"
    path.mkdir()
    return path


def test_files_are_taken_from_every_level_and_removed(folder: Path, spool: Spool) -> None:
    (folder / "a" / "b").mkdir(parents=True)
    for number, place in enumerate([folder / "1.dcm", folder / "a" / "no suffix", folder / "a" / "b" / "3"], 1):
        place.write_bytes(factories.ct_file(number))
    assert Watch(folder, spool, rest=0).step() == 3
    assert spool.counts()["waiting"] == 3
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    assert spool.due(1, 10**9, 0)[0].about.source == "folder"


def test_a_file_that_still_grows_waits(folder: Path, spool: Spool) -> None:
    path = folder / "1.dcm"
    path.write_bytes(factories.ct_file(1))
    watch = Watch(folder, spool, rest=60)
    assert watch.step() == 0
    os.utime(path, (0, path.stat().st_mtime - 61))
    assert watch.step() == 1


def test_what_is_no_dicom_is_put_aside_and_nothing_overwritten(folder: Path, spool: Spool) -> None:
    for place in (folder / "notes.txt", folder / "a.txt"):
        place.write_bytes(b"no pictures")
    (folder / "not-published").mkdir()
    (folder / "not-published" / "notes.txt").write_bytes(b"of yesterday")
    assert Watch(folder, spool, rest=0).step() == 0
    assert sorted(path.name for path in (folder / "not-published").iterdir()) == ["a.txt", "notes-1.txt", "notes.txt"]
    assert (folder / "not-published" / "notes.txt").read_bytes() == b"of yesterday"
    assert Watch(folder, spool, rest=0).step() == 0


def test_links_and_hidden_files_are_left_alone(folder: Path, spool: Spool, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.dcm"
    elsewhere.write_bytes(factories.ct_file(1))
    (folder / "link.dcm").symlink_to(elsewhere)
    (folder / ".half.dcm").write_bytes(factories.ct_file(2))
    assert Watch(folder, spool, rest=0).step() == 0
    assert elsewhere.exists()


def test_without_room_everything_stays(folder: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "1.dcm").write_bytes(factories.ct_file(1))

    def full(*_said: object) -> bool:
        raise NoRoom

    monkeypatch.setattr(spool, "take", full)
    assert Watch(folder, spool, rest=0).step() == 0
    assert (folder / "1.dcm").exists()
