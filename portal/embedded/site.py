"""What the embedded site consists of, and what must be true before it starts."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.sqlite3.base import DatabaseWrapper as SQLite
from django.db.migrations.executor import MigrationExecutor

from portal.embedded.supervisor import Child
from portal.embedded.turns import alone
from studies.store import objects
from studies.store.disk import StorageUnavailable

BLOCKING_THREADS = 64  # slow downloads hold a thread each; four threads would be a dead site


def prepare(address: str) -> None:
    """Write the address down, migrate, make the cache table and the store's folders, collect static files.

    Each only when needed.
    """
    settings.DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.MAIL_DIR.mkdir(mode=0o700, exist_ok=True)  # letters hold codes and links that open something
    if not os.environ.get("PUBLIC_URL") and not os.environ.get("PUBLIC_URL_FILE"):
        settings.ADDRESS_FILE.write_text(address, encoding="ascii")
    prepare_database()
    with contextlib.suppress(StorageUnavailable):  # a disk that fails for a while keeps nobody from all the rest
        objects.store().prepare()
    _collect_static()


def prepare_database() -> None:
    """Migrate and make the cache table: each only when needed, and by one process at a time."""
    with alone(settings.DATA_DIR / ".preparing"):
        database = connections[DEFAULT_DB_ALIAS]
        if isinstance(database, SQLite) and not database.is_in_memory_db():
            _make_private(Path(database.settings_dict["NAME"]))
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
        call_command("createcachetable", verbosity=0)


def _make_private(database: Path) -> None:
    """Make the file for its owner's eyes: names and addresses stand in it. SQLite gives its journals the same mode.

    One that an earlier version made for everybody's eyes is closed too, with the journals that it has now.
    """
    os.close(os.open(database, os.O_CREAT | os.O_RDONLY, 0o600))
    for path in (database, *(database.with_name(database.name + end) for end in ("-wal", "-shm"))):
        with contextlib.suppress(FileNotFoundError):
            path.chmod(0o600)


def _collect_static() -> None:
    """Collect when a file's name, size or time differs from what was collected last."""
    stamp, found = settings.STATIC_ROOT / ".collected", _static_fingerprint()
    if not stamp.exists() or stamp.read_text() != found:
        call_command("collectstatic", interactive=False, verbosity=0, clear=stamp.exists())
        stamp.write_text(found)


def _static_fingerprint() -> str:
    digest = hashlib.sha256()
    for folder in settings.STATICFILES_DIRS:
        for path in sorted(Path(folder).rglob("*")):
            status = path.stat()
            digest.update(f"{path}|{status.st_size}|{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def children(port: int) -> list[Child]:
    """Web server, worker and clock."""
    # Without the second, glibc gives each of many threads a heap of its own, and each keeps what it once held.
    environment = {"MALLOC_ARENA_MAX": "2", **os.environ, "LIGHTBOX_SUPERVISED": "1"}
    celery = [sys.executable, "-m", "celery", "-q", "-A", "portal.celery", "--workdir", str(settings.BASE_DIR)]
    quiet = ["--loglevel", "WARNING"]
    return [
        Child("web", web_command(port), environment),
        Child(
            "worker",
            [*celery, "worker", "--pool", "threads", "--concurrency", str(max(2, os.cpu_count() or 2)),
             "--without-gossip", "--without-mingle", "--without-heartbeat", *quiet],
            environment,
        ),
        Child(
            "clock",
            [*celery, "beat", "--schedule", str(settings.DATA_DIR / "beat-schedule"), "--pidfile", "", *quiet],
            environment,
        ),
    ]  # fmt: skip


def web_command(port: int) -> list[str]:
    """Granian in WSGI mode, a worker a core."""
    return [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
        "--workers", str(os.cpu_count() or 1), "--blocking-threads", str(BLOCKING_THREADS),
        "--respawn-failed-workers", "--respawn-interval", "0.5", "--workers-kill-timeout", "8",
        "--no-ws", "--log-level", "error", "--working-dir", str(settings.BASE_DIR), "portal.wsgi:application",
    ]  # fmt: skip
