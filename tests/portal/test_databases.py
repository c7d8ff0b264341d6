"""Both databases are as strict about durability as they can be, and nobody is told "locked"."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.db.utils import ConnectionHandler

from portal.celery import configuration

sqlite = pytest.mark.skipif(not settings.EMBEDDED, reason="of SQLite")
postgresql = pytest.mark.skipif(settings.EMBEDDED, reason="of PostgreSQL")
WRITERS, READERS = 4, 50


@pytest.fixture
def file_database(transactional_db: None, tmp_path: Path) -> Iterator[ConnectionHandler]:
    """A file of its own, with the settings of the site."""
    handler = ConnectionHandler({"default": {**settings.DATABASES["default"], "NAME": tmp_path / "site.sqlite3"}})
    with handler["default"].cursor() as cursor:
        cursor.execute("CREATE TABLE counted (id INTEGER PRIMARY KEY, value INTEGER)")
        cursor.execute("INSERT INTO counted VALUES (1, 0)")
    yield handler
    handler.close_all()


@sqlite
def test_sqlite_syncs_each_commit_and_lets_readers_be(file_database: ConnectionHandler) -> None:
    with file_database["default"].cursor() as cursor:
        said = [cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
        (waits,) = cursor.execute("PRAGMA busy_timeout").fetchone()
    assert said == ["wal", 2]  # FULL
    assert waits == 20_000  # ms


@sqlite
def test_many_writers_and_readers_are_never_told_locked(
    file_database: ConnectionHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = Barrier(WRITERS + READERS)

    def write() -> None:
        for _ in range(15):
            with transaction.atomic(), file_database["default"].cursor() as cursor:
                (value,) = cursor.execute("SELECT value FROM counted").fetchone()  # a read that turns into a write
                cursor.execute("UPDATE counted SET value = %s", [value + 1])

    def read() -> None:
        for _ in range(10):
            with file_database["default"].cursor() as cursor:
                cursor.execute("SELECT value FROM counted").fetchone()

    def run(work: Callable[[], None]) -> None:
        begin.wait(30)
        try:
            work()
        finally:
            file_database.close_all()

    # Undone before the test's own database is emptied, which must happen in one transaction of that database.
    with monkeypatch.context() as patched, ThreadPoolExecutor(WRITERS + READERS) as threads:
        patched.setattr(transaction, "connections", file_database)
        list(threads.map(run, [*[write] * WRITERS, *[read] * READERS]))
    with file_database["default"].cursor() as cursor:
        assert cursor.execute("SELECT value FROM counted").fetchone() == (WRITERS * 15,)


@postgresql
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("statement_timeout", "1min"),
        ("lock_timeout", "20s"),
        ("idle_in_transaction_session_timeout", "1min"),
        ("synchronous_commit", "on"),
    ],
)
def test_postgresql_ends_what_would_hold_others_up(name: str, value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        assert cursor.fetchone() == (value,)


@postgresql
def test_a_connection_is_tried_before_it_is_used() -> None:
    assert settings.DATABASES["default"]["CONN_HEALTH_CHECKS"]


def test_a_task_is_done_before_its_message_is_gone() -> None:
    said = configuration()
    assert said["task_acks_late"]
    assert said["task_reject_on_worker_lost"]
    assert said["worker_prefetch_multiplier"] == 1
    assert said["task_soft_time_limit"] < said["task_time_limit"] < 3600  # Redis hands a message on after an hour
