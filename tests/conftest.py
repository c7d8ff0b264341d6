"""What all tests share: the cast, the tripwire for identity, and what lies outside the project.

Every synthetic patient is called ZEBRAFISH: the name in a log line, a mail subject or a broker message fails the
test that put it there.
"""

from __future__ import annotations

import logging
import secrets
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.core import mail
from django.core.cache import caches
from django.db import connection
from django.db.models.signals import post_save
from django.utils import timezone

from accounts.models import Letter
from portal.celery import app
from tests.cast import Cast, assemble

TRIPWIRE = "ZEBRAFISH"
SERVICES = frozenset({"db", "transactional_db", "live_server", "site"})
"""Fixtures of whoever uses the database of the run."""
SAMPLES = Path(__file__).resolve().parent.parent.parent / "shared" / "dicom-samples"

# The same examples each time, however slow the machine.
hypothesis.settings.register_profile("house", deadline=None, derandomize=True)
hypothesis.settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--of-the-services`: for a second run on another database, cache and broker."""
    parser.addoption("--of-the-services", action="store_true", help="only tests that use the database or the broker")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what would be the same again: tests that ask neither of them."""
    if config.getoption("--of-the-services"):
        same = [item for item in items if not _uses_services(item)]
        items[:] = [item for item in items if _uses_services(item)]
        config.hook.pytest_deselected(items=same)


def _uses_services(item: pytest.Item) -> bool:
    marks = (item.get_closest_marker(name) for name in ("django_db", "broker"))
    return any(marks) or not SERVICES.isdisjoint(getattr(item, "fixturenames", ()))


@pytest.fixture(autouse=True)
def no_phi_leaks(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No synthetic patient's name in any log line or letter of any test."""
    caplog.set_level(logging.DEBUG)
    said: list[str] = []

    def read(instance: Letter, **_: Any) -> None:
        said.extend((instance.subject, instance.text, instance.html))

    post_save.connect(read, sender=Letter)
    yield
    post_save.disconnect(read, sender=Letter)
    said += [record.getMessage() for phase in ("setup", "call") for record in caplog.get_records(phase)]
    said += [f"{message.subject} {message.body}" for message in getattr(mail, "outbox", [])]
    assert not [line for line in said if TRIPWIRE in line.upper()], "identity in a log line or a letter"


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of the test's own, also where all tests share one server: rates must not add up between tests."""
    monkeypatch.setattr(caches["default"], "key_prefix", secrets.token_hex(8))


@pytest.fixture(autouse=True, scope="session")
def _broker_of_the_session() -> None:
    """Celery reads its settings once: not while a test has the site's folder elsewhere."""
    app.conf.broker_url  # noqa: B018


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of real DICOM files beside the project; tests over it skip when it is not there."""
    if not SAMPLES.is_dir():
        pytest.skip("no folder of DICOM samples beside the project")
    return SAMPLES


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser of the journeys."""
    found = shutil.which("chromium")
    if not found:
        pytest.skip("no chromium on this machine (apt install chromium)")
    return found


@pytest.fixture
def cast(db: None) -> Cast:
    """Maria, Eve, Tom and Ana, two facilities and Maria's study: see tests.cast."""
    return assemble()


class Clock:
    """The time as the site reads it, moved by hand."""

    def __init__(self) -> None:
        self.shift = timedelta()
        self._stopped: datetime | None = None

    def now(self) -> datetime:
        return (self._stopped or datetime.now(tz=timezone.get_default_timezone())) + self.shift

    def stop(self) -> None:
        """Let time pass by `move` alone: a busy machine must not be taken for a pause."""
        self._stopped = datetime.now(tz=timezone.get_default_timezone())

    def move(self, **by: float) -> None:
        """Let time pass: `move(minutes=15)`."""
        self.shift += timedelta(**by)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that tests move on instead of sleeping."""
    clock = Clock()
    monkeypatch.setattr(timezone, "now", clock.now)
    return clock


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Let the emptying of the test database, and nothing else, pass the audit's triggers.

    After a transactional test Django empties every table. The triggers go and come back in the transaction that does
    it, by statements of the migration itself; no setting of the site can do the same.
    """
    migration = import_module("accounts.migrations.0002_audit_is_final")
    with django_db_blocker.unblock():
        vendor, empty = connection.vendor, connection.ops.sql_flush

    def sql_flush(*args: Any, **kwargs: Any) -> list[str]:
        return [*migration.REMOVE[vendor], *empty(*args, **kwargs), *migration.INSTALL[vendor]]

    connection.ops.sql_flush = sql_flush  # type: ignore[method-assign]
    yield
    with django_db_blocker.unblock():
        _end_other_sessions()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Iterator[None]:
    """Fail the test that leaves the audit without its triggers, and put them back for those that come after it."""
    try:
        yield
    finally:
        assert _is_guarded(), "this test left the audit without its triggers"


def _is_guarded() -> bool:
    """Whether the audit has its triggers, those of SQLite; what was missing is there again."""
    if connection.vendor == "sqlite" and connection.connection is not None:
        migration = import_module("accounts.migrations.0002_audit_is_final")
        driver = connection.connection
        there = {name for (name,) in driver.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
        tables = driver.execute("SELECT count(*) FROM sqlite_master WHERE name = ?", [migration.TABLE]).fetchone()[0]
        gone = [one for one in migration.SQLITE_INSTALL if tables and one.split()[2] not in there]
        for statement in gone:
            driver.execute(statement)
        return not gone
    return True


def _end_other_sessions() -> None:
    """Server threads of the browser tests may still hold a connection, and PostgreSQL drops no database in use."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
