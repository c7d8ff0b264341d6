"""What waits is sealed, durable, in order, and never lost."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from unittest import mock

import pytest

from gateway.config import Config
from gateway.receiving import about_file
from gateway.spool import About, InUse, NoRoom, Spool, opened
from studies.store.sealing import Tampered
from tests import factories

ALL = (100, 10**9, 0.0)


def keep(spool: Spool, number: int = 1, *, study: int = 1) -> bytes:
    """A file of a study, kept."""
    file = factories.ct_file(number, study=study, PatientName="Zebrafish^Maria")
    assert spool.take(about_file(file, "PACS"), file)
    return file


def test_a_file_is_given_back_as_it_came(spool: Spool) -> None:
    file = keep(spool)
    (one,) = spool.due(*ALL)
    assert b"".join(spool.read(one)) == file
    assert one.about.study_uid == factories.uid(1)
    assert one.about.source == "PACS"


def test_it_outlives_the_process(spool: Spool, config: Config) -> None:
    file = keep(spool)
    with opened(config.spool) as another:
        (one,) = another.due(*ALL)
        assert b"".join(another.read(one)) == file


def test_nothing_on_disk_names_a_person_or_an_exam(spool: Spool, config: Config) -> None:
    keep(spool)
    spool.promise("PACS", "1.2.3.4", [("1.2.840.10008.5.1.4.1.1.2", factories.uid(1, 1, 1))])
    spool.close()
    secrets = [b"Zebrafish", b"DICM", factories.uid(1).encode(), b"1.2.3.4"]
    for path in config.spool.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(secret in content or secret.decode() in path.name for secret in secrets), path.name
            assert path.stat().st_mode & 0o077 == 0, path.name


def test_the_very_same_is_kept_once_and_a_changed_one_besides(spool: Spool) -> None:
    file = keep(spool)
    about = about_file(file, "PACS")
    assert not spool.take(about, file)
    assert spool.take(about, file[:-1] + b"!")
    assert spool.counts()["waiting"] == 2


def test_less_room_than_must_be_left_refuses(spool: Spool) -> None:
    file = factories.ct_file(1)
    with (
        mock.patch("gateway.spool.shutil.disk_usage", return_value=mock.Mock(free=len(file) - 1)),
        pytest.raises(NoRoom),
    ):
        spool.take(about_file(file, "PACS"), file)
    assert spool.counts()["waiting"] == 0


def test_a_disk_that_fails_leaves_nothing_half_written(spool: Spool, config: Config) -> None:
    file = factories.ct_file(1)
    with mock.patch("gateway.spool.os.fsync", side_effect=OSError(5, "bad")), pytest.raises(OSError, match="bad"):
        spool.take(about_file(file, "PACS"), file)
    assert list((config.spool.folder / "sealed").iterdir()) == []
    assert spool.counts()["waiting"] == 0
    keep(spool)


def test_a_file_is_durable_before_its_row_and_its_name_before_both_are_promised(spool: Spool) -> None:
    steps = mock.Mock()
    with (
        mock.patch("gateway.spool.os.fsync", wraps=os.fsync) as steps.sync,
        mock.patch.object(Path, "rename", autospec=True, side_effect=Path.rename) as steps.rename,
        mock.patch.object(spool, "_change", wraps=spool._change) as steps.row,
    ):
        for name in ("sync", "rename", "row"):
            steps.attach_mock(getattr(steps, name), name)
        keep(spool)
    assert [name for name, *_said in steps.mock_calls] == ["sync", "rename", "sync", "row"]


def test_the_database_syncs_each_row(spool: Spool) -> None:
    assert spool._database.execute("PRAGMA synchronous").fetchone() == (2,)


def test_what_was_half_written_is_swept_by_the_next_owner(spool: Spool, config: Config) -> None:
    keep(spool)
    sealed = config.spool.folder / "sealed"
    for name in ("0" * 32, f"{'1' * 32}.part"):
        (sealed / name).write_bytes(b"half")
    spool.close()
    with opened(config.spool) as next_one:
        assert len(list(sealed.iterdir())) == 3
        next_one.own()
        assert len(list(sealed.iterdir())) == 1
        assert len(next_one.due(*ALL)) == 1


def test_two_do_not_work_in_one_place(spool: Spool, config: Config) -> None:
    with opened(config.spool) as another, pytest.raises(InUse):
        another.own()


def test_a_batch_is_of_one_study_and_the_oldest_goes_first(spool: Spool) -> None:
    for study, number in ((2, 1), (1, 1), (2, 2)):
        keep(spool, number, study=study)
    assert [one.about.study_uid for one in spool.due(*ALL)] == [factories.uid(2)] * 2
    spool.published(spool.due(*ALL))
    assert [one.about.study_uid for one in spool.due(*ALL)] == [factories.uid(1)]


def test_a_batch_is_bounded_in_files_and_bytes(spool: Spool) -> None:
    length = len(keep(spool, 1))
    for number in (2, 3):
        keep(spool, number)
    assert len(spool.due(2, 10**9, 0)) == 2
    assert len(spool.due(10, length * 2, 0)) == 2
    assert len(spool.due(10, 1, 0)) == 1


def test_a_study_that_still_comes_is_left_until_it_rests_or_fills_a_batch(spool: Spool) -> None:
    keep(spool, 1)
    assert spool.due(2, 10**9, 60) == []
    keep(spool, 2)
    assert len(spool.due(2, 10**9, 60)) == 2
    with mock.patch("gateway.spool.time.time", return_value=time.time() + 61):
        assert len(spool.due(100, 10**9, 60)) == 2


def test_what_is_postponed_waits(spool: Spool) -> None:
    keep(spool)
    spool.postpone(spool.due(*ALL), 60, "The portal cannot be reached.")
    assert spool.due(*ALL) == []
    assert spool.trouble() == "The portal cannot be reached."
    with mock.patch("gateway.spool.time.time", return_value=time.time() + 61):
        (one,) = spool.due(*ALL)
        assert one.attempts == 1


def test_dead_letters_say_why_and_may_try_again(spool: Spool) -> None:
    keep(spool)
    (one,) = spool.due(*ALL)
    spool.refused(one, "It does not fit.")
    assert spool.due(*ALL) == []
    (letter,) = spool.letters()
    assert (letter.reason, letter.about) == ("It does not fit.", one.about)
    assert spool.retry("unknown") == 0
    assert spool.retry(letter.id) == 1
    assert spool.due(*ALL) == [one]


def test_a_dead_letter_that_is_sent_again_waits_again(spool: Spool) -> None:
    file = keep(spool)
    spool.refused(spool.due(*ALL)[0], "no")
    assert spool.take(about_file(file, "PACS"), file)


def test_what_was_published_is_kept_for_days_and_then_removed(spool: Spool, config: Config) -> None:
    keep(spool)
    spool.published(spool.due(*ALL))
    assert spool.forget() == 0
    with mock.patch("gateway.spool.time.time", return_value=time.time() + 7 * 86400 + 1):
        assert spool.forget() == 1
    assert list((config.spool.folder / "sealed").iterdir()) == []
    assert spool.counts() == {"waiting": 0, "published": 0, "dead": 0}


def test_a_changed_file_is_not_given_out(spool: Spool, config: Config) -> None:
    keep(spool)
    (path,) = (config.spool.folder / "sealed").iterdir()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(Tampered):
        b"".join(spool.read(spool.due(*ALL)[0]))


def test_a_key_that_is_none_is_said(config: Config) -> None:
    config.spool.folder.mkdir(parents=True)
    (config.spool.folder / "spool.key").write_bytes(b"short")
    with pytest.raises(ValueError, match="is not the key of a spool"):
        Spool(config.spool)


def test_promises_wait_until_they_are_kept(spool: Spool) -> None:
    spool.promise("PACS", "1.2.3", [("1.2", "1.2.3.4")])
    (promise,) = spool.promises()
    assert (promise.peer, promise.instances) == ("PACS", [("1.2", "1.2.3.4")])
    spool.wait_with(promise, 60)
    assert spool.promises() == []
    with mock.patch("gateway.spool.time.time", return_value=time.time() + 61):
        (promise,) = spool.promises()
        spool.kept(promise)
        assert spool.promises() == []


def test_an_instance_has_the_state_of_its_newest_file(spool: Spool) -> None:
    keep(spool)
    (one,) = spool.due(*ALL)
    assert spool.state_of(one.about.sop_uid) == "waiting"
    spool.published([one])
    assert spool.state_of(one.about.sop_uid) == "published"
    assert spool.state_of("1.2.3") == ""


def test_a_file_whose_study_nobody_can_tell_goes_alone(spool: Spool) -> None:
    for number in (1, 2):
        spool.take(About("", f"1.2.{number}", "1.2", "", "PACS"), bytes([number]))
    assert len(spool.due(*ALL)) == 1


def test_names_are_keyed(spool: Spool, config: Config) -> None:
    """Who has the database alone cannot tell whether an exam is in it."""
    keep(spool)
    rows = (
        sqlite3.connect(config.spool.folder / "spool.sqlite3").execute("SELECT study, instance FROM files").fetchall()
    )
    with mock.patch.object(spool, "_names", bytes(32)):
        assert spool._name(factories.uid(1)) != rows[0][0]
    assert spool._name(factories.uid(1)) == rows[0][0]
