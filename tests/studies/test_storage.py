"""The object store as its callers meet it. What a power cut does to it is in test_power_loss."""

from __future__ import annotations

import errno
import os
import stat
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.core.files.storage import default_storage

from studies.store.disk import Disk, StorageUnavailable
from studies.store.staged import EARLY
from studies.store.storage import FileStore, ObjectMissing, StoreRefused, open_store

BYTES = bytes(range(256)) * 40


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "store")


def put(store: FileStore, block: bytes = BYTES) -> UUID:
    object_id = uuid4()
    with store.stage(object_id) as staged:
        staged.write(block)
        staged.commit()
    return object_id


def files(store: FileStore) -> list[Path]:
    return [path for path in store.root.rglob("*") if path.is_file()]


def make_old(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


class FailingDisk(Disk):
    """Fails with ``code`` in the method ``where``."""

    def __init__(self, where: str, code: int) -> None:
        def fail(*_: object) -> None:
            raise OSError(code, os.strerror(code))

        setattr(self, where, fail)


class TestStoring:
    def test_what_was_stored_is_read_back(self, store: FileStore) -> None:
        object_id = put(store)
        assert store.exists(object_id)
        assert store.size(object_id) == len(BYTES)
        assert store.read_at(object_id, 100, 50) == BYTES[100:150]

    def test_an_object_stands_under_its_own_id_alone(self, store: FileStore) -> None:
        object_id = put(store)
        assert files(store) == [store.root / "objects" / object_id.hex[:2] / f"{object_id.hex}.lbx"]

    def test_only_its_owner_reads_a_file_or_a_folder(self, store: FileStore) -> None:
        put(store)
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [store.root, *store.root.rglob("*")]}
        assert set(modes.values()) == {0o600, 0o700}
        assert all(path.is_dir() for path, mode in modes.items() if mode == 0o700)

    def test_nothing_is_stored_before_commit(self, store: FileStore) -> None:
        object_id = uuid4()
        with store.stage(object_id) as staged:
            staged.write(BYTES)
            assert staged.size == len(BYTES)
            assert not store.exists(object_id)
        assert files(store) == []

    def test_an_error_on_the_way_leaves_nothing(self, store: FileStore) -> None:
        with suppress(ZeroDivisionError), store.stage(uuid4()) as staged:
            staged.write(BYTES)
            raise ZeroDivisionError
        assert files(store) == []

    def test_a_stored_object_is_never_overwritten(self, store: FileStore) -> None:
        object_id = put(store)
        with pytest.raises(FileExistsError, match="never change"):
            store.stage(object_id)
        assert store.read_at(object_id, 0, len(BYTES)) == BYTES

    def test_two_writers_of_one_id_do_not_meet(self, store: FileStore) -> None:
        object_id = uuid4()
        with store.stage(object_id), pytest.raises(FileExistsError):
            store.stage(object_id)

    def test_what_is_committed_or_discarded_takes_no_more(self, store: FileStore) -> None:
        with store.stage(uuid4()) as kept:
            kept.commit()
            with pytest.raises(RuntimeError, match="stage another"):
                kept.write(b"more")
        with store.stage(uuid4()) as dropped:
            dropped.discard()
            with pytest.raises(RuntimeError, match="stage another"):
                dropped.commit()
        assert len(files(store)) == 1

    def test_a_write_the_system_takes_in_parts_is_whole(
        self, store: FileStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write = os.write
        monkeypatch.setattr(os, "write", lambda fd, block: write(fd, block[:1000]))
        assert store.read_at(put(store), 0, len(BYTES)) == BYTES


class TestReading:
    def test_a_read_across_the_end_is_short(self, store: FileStore) -> None:
        object_id = put(store)
        assert store.read_at(object_id, len(BYTES) - 3, 10) == BYTES[-3:]
        assert store.read_at(object_id, len(BYTES), 10) == b""

    def test_threads_share_one_open_object(self, store: FileStore) -> None:
        with store.open(put(store)) as reader, ThreadPoolExecutor(8) as threads:
            blocks = list(threads.map(lambda at: reader.read_at(at, 64), range(0, len(BYTES), 64)))
        assert reader.size == len(BYTES)
        assert b"".join(blocks) == BYTES

    def test_a_read_the_system_gives_in_parts_is_whole(self, store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
        object_id, pread = put(store), os.pread
        monkeypatch.setattr(os, "pread", lambda fd, n, at: pread(fd, min(n, 1000), at))
        assert store.read_at(object_id, 5, 5000) == BYTES[5:5005]

    def test_an_open_object_is_read_to_its_end_while_it_is_deleted(self, store: FileStore) -> None:
        object_id = put(store)
        with store.open(object_id) as reader:
            store.delete(object_id)
            assert reader.read_at(0, len(BYTES)) == BYTES

    def test_an_unknown_object_is_missing(self, store: FileStore) -> None:
        put(store)
        with pytest.raises(ObjectMissing):
            store.size(uuid4())

    def test_a_store_that_is_not_there_has_lost_nothing(self, store: FileStore) -> None:
        with pytest.raises(StorageUnavailable):
            store.read_at(uuid4(), 0, 1)


class TestRemoving:
    def test_a_deleted_object_is_gone_and_may_be_deleted_again(self, store: FileStore) -> None:
        gone, kept = put(store), put(store)
        store.delete(gone)
        store.delete(gone)
        assert not store.exists(gone)
        assert store.exists(kept)

    def test_deleting_from_an_empty_store_changes_nothing(self, store: FileStore) -> None:
        store.delete(uuid4())
        assert not store.root.exists()

    def test_what_was_left_half_written_is_swept_when_old(self, store: FileStore) -> None:
        stored, old_id = put(store), uuid4()
        with store.stage(old_id) as old, store.stage(uuid4()) as young:
            make_old(store.root / "objects" / old_id.hex[:2] / f"{old_id.hex}.part", 4000)
            assert store.sweep_staging(older_than_seconds=3600) == 1
            young.commit()
            with pytest.raises(FileNotFoundError):
                old.commit()
        assert len(files(store)) == 2
        assert store.exists(stored)

    def test_an_empty_store_has_nothing_to_sweep(self, store: FileStore) -> None:
        assert store.sweep_staging(0) == 0
        assert list(store.names()) == []

    def test_names_are_those_of_stored_objects(self, store: FileStore) -> None:
        stored = {put(store) for _ in range(3)}
        with store.stage(uuid4()):
            (store.root / "objects" / "lost+found").mkdir()
            (store.root / "objects" / "README").write_text("not ours")
            (store.root / "objects" / "lost+found" / "stranger.lbx").write_text("not ours")
            assert set(store.names()) == stored

    def test_a_young_object_is_no_orphan_yet(self, store: FileStore) -> None:
        old, _young = put(store), put(store)
        make_old(store.root / "objects" / old.hex[:2] / f"{old.hex}.lbx", 4000)
        assert list(store.names(older_than_seconds=3600)) == [old]


class TestTrouble:
    @pytest.mark.parametrize("where", ["create", "write", "fsync", "rename", "fsync_dir", "make_dir"])
    @pytest.mark.parametrize(("code", "is_full"), [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EIO, False)])
    def test_an_error_that_can_pass_says_so_and_keeps_its_cause(
        self, tmp_path: Path, where: str, code: int, is_full: bool
    ) -> None:
        store = FileStore(tmp_path / "store", FailingDisk(where, code))
        with pytest.raises(StorageUnavailable) as unavailable:
            put(store)
        assert unavailable.value.is_full is is_full
        assert unavailable.value.status == (507 if is_full else 503)
        assert isinstance(unavailable.value.__cause__, OSError)
        assert unavailable.value.__cause__.errno == code

    def test_an_error_that_stays_is_not_called_passing(self, tmp_path: Path) -> None:
        with pytest.raises(PermissionError):
            put(FileStore(tmp_path / "store", FailingDisk("create", errno.EACCES)))

    def test_nothing_is_put_behind_a_write_that_failed(self, tmp_path: Path) -> None:
        store = FileStore(tmp_path / "store", FailingDisk("write", errno.ENOSPC))
        with store.stage(uuid4()) as staged:
            with pytest.raises(StorageUnavailable):
                staged.write(BYTES)
            with pytest.raises(RuntimeError, match="stage another"):
                staged.commit()
            assert files(store) == []

    def test_a_sync_that_failed_is_not_tried_again(self, tmp_path: Path) -> None:
        store = FileStore(tmp_path / "store", FailingDisk("fsync", errno.EIO))
        with store.stage(uuid4()) as staged:
            with pytest.raises(StorageUnavailable):
                staged.commit()
            with pytest.raises(RuntimeError, match="stage another"):
                staged.commit()
        assert files(store) == []

    def test_free_bytes_are_known_before_the_store_is_made(self, store: FileStore) -> None:
        assert store.free_bytes() > 0
        assert not store.root.exists()

    def test_a_probe_leaves_nothing_behind(self, store: FileStore) -> None:
        store.probe()
        assert files(store) == []

    @pytest.mark.parametrize("where", ["create", "write", "fsync", "rename", "remove"])
    def test_a_probe_finds_what_is_broken(self, tmp_path: Path, where: str) -> None:
        with pytest.raises(StorageUnavailable):
            FileStore(tmp_path / "store", FailingDisk(where, errno.EACCES)).probe()

    def test_a_probe_finds_a_disk_that_changes_bytes(self, tmp_path: Path) -> None:
        class ZeroingDisk(Disk):
            def write(self, fd: int, block: bytes | bytearray) -> None:
                super().write(fd, bytes(len(block)))

        with pytest.raises(StorageUnavailable) as unavailable:
            FileStore(tmp_path / "store", ZeroingDisk()).probe()
        assert "other bytes" in str(unavailable.value.__cause__)


class TestOpening:
    def test_a_file_url_names_a_folder(self, tmp_path: Path) -> None:
        root = tmp_path / "a folder with spaces"
        assert open_store(root.as_uri()).root == root
        assert not root.exists()

    @pytest.mark.parametrize(
        ("url", "why"),
        [
            ("s3://key:hunter2@bucket/hunter2", "S3 is not supported yet"),
            ("https://host/hunter2", "full path"),
            ("/srv/hunter2", "full path"),
            ("file:hunter2", "full path"),
            ("file://host/hunter2", "full path"),
            ("file:///srv/hunter2?mode=1", "full path"),
            ("file:///", "full path"),
            ("", "full path"),
        ],
    )
    def test_any_other_url_is_refused_and_not_repeated(self, url: str, why: str) -> None:
        with pytest.raises(StoreRefused, match=why) as refused:
            open_store(url)
        assert "file:///srv/lightbox" in str(refused.value)
        assert "hunter2" not in str(refused.value)

    def test_no_file_has_an_address(self) -> None:
        with pytest.raises(NotImplementedError, match=r"portal\.delivery only"):
            default_storage.url("study.dcm")


class EarlyDisk(Disk):
    """Counts the syncs that were begun early; each comes to what it was told."""

    def __init__(self, error: OSError | None = None) -> None:
        self.begun = 0
        self._error = error

    def begin_fsync(self, fd: int) -> Future[None]:
        self.begun += 1
        ended: Future[None] = Future()
        if self._error:
            ended.set_exception(self._error)
        else:
            ended.set_result(None)
        return ended


def test_the_disk_is_set_to_work_while_a_large_object_still_comes(tmp_path: Path) -> None:
    disk = EarlyDisk()
    put(FileStore(tmp_path / "store", disk), bytes(EARLY - 1))
    assert disk.begun == 0
    put(FileStore(tmp_path / "store", disk), bytes(EARLY))
    assert disk.begun == 1


def test_an_early_sync_that_failed_is_not_forgotten(tmp_path: Path) -> None:
    # The kernel tells of lost bytes once: the sync at the end would call them safe.
    store = FileStore(tmp_path / "store", EarlyDisk(OSError(errno.EIO, "lost")))
    with pytest.raises(StorageUnavailable):
        put(store, bytes(EARLY))
    assert files(store) == []


def test_a_large_object_survives_being_synced_while_it_is_written(store: FileStore) -> None:
    block, object_id = os.urandom(2**20), uuid4()
    with store.stage(object_id) as staged:
        for _ in range(10):
            staged.write(block)
        staged.commit()
    assert store.read_at(object_id, 0, 10 * 2**20) == block * 10


class CountingDisk(Disk):
    def __init__(self) -> None:
        self.synced: list[Path] = []

    def fsync_dir(self, path: Path) -> None:
        super().fsync_dir(path)
        self.synced.append(path)


def test_in_a_prepared_store_each_object_syncs_its_own_folder_only(tmp_path: Path) -> None:
    FileStore(tmp_path / "store").prepare()
    disk = CountingDisk()
    store = FileStore(tmp_path / "store", disk)  # another process
    for _ in range(20):
        with store.stage(uuid4()) as staged:
            staged.commit()
    above = [path for path in disk.synced if path.parent != tmp_path / "store" / "objects"]
    assert above == [tmp_path / "store", tmp_path / "store" / "objects"]
