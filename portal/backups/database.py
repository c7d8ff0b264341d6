"""The database by its own tools: a copy of one moment, whatever happens meanwhile, and the way back."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from portal.backups.errors import BackupRefused
from studies.models import SealedObject

NAMED = "SELECT id FROM studies_sealedobject WHERE length(wrapped_key) > 0"


def dump(target: Path) -> list[UUID]:
    """Write a copy of the database to a new file; return the objects it names and has keys for."""
    if connection.vendor == "sqlite":
        return _dump_sqlite(target)
    return _dump_postgresql(target)


def load(source: Path) -> None:
    """Make the database of a copy, all of it or nothing. Raises BackupRefused where one is already."""
    if connection.vendor == "sqlite":
        _load_sqlite(source)
    else:
        _load_postgresql(source)


def refuse_unless_empty() -> None:
    """Raise BackupRefused when the database that the settings name holds anything."""
    if connection.vendor == "sqlite":
        if _file().exists():
            raise BackupRefused("There is a database already.", "Restore into an empty DATA_DIR.")
        return
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
    if tables:
        raise BackupRefused(
            f"The database that DATABASE_URL names holds {len(tables)} tables.",
            "Create an empty one and name it, so that nothing is overwritten.",
        )


def still_named(object_ids: Sequence[UUID]) -> set[UUID]:
    """Those of these objects that the database names now, and has keys for."""
    named = SealedObject.objects.filter(pk__in=object_ids).exclude(wrapped_key=b"")
    return set(named.values_list("pk", flat=True))


def _dump_sqlite(target: Path) -> list[UUID]:
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDONLY, 0o600))
    with closing(sqlite3.connect(f"{_file().as_uri()}?mode=ro", uri=True, timeout=60)) as source:
        source.execute("VACUUM INTO ?", [str(target)])
    with closing(sqlite3.connect(f"{target.as_uri()}?mode=ro", uri=True)) as copy:
        return [UUID(hex=row[0]) for row in copy.execute(NAMED)]


def _load_sqlite(source: Path) -> None:
    refuse_unless_empty()
    connection.close()
    target = _file()
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDONLY, 0o600))
    shutil.copyfile(source, target)
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _file() -> Path:
    return Path(connection.settings_dict["NAME"])


def _dump_postgresql(target: Path) -> list[UUID]:
    """One snapshot for the dump and for the list: what is named later is not in the dump."""
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDONLY, 0o600))
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        (snapshot,) = cursor.fetchone() or ("",)
        _run(
            "pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", f"--file={target}"
        )
        cursor.execute(NAMED)
        return [row[0] for row in cursor.fetchall()]


def _load_postgresql(source: Path) -> None:
    refuse_unless_empty()
    connection.close()
    name = str(connection.settings_dict["NAME"])
    _run("pg_restore", "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction",
         f"--dbname={name}", str(source))  # fmt: skip


def _run(program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs on our database. The password goes by its environment, never its arguments."""
    path = shutil.which(program)
    if path is None:
        raise BackupRefused(
            f"{program} is not installed here.", "Install PostgreSQL's client programs (apt install postgresql-client)."
        )
    run = subprocess.run([path, *arguments], env=_environment(), capture_output=True, text=True, check=False)
    if run.returncode:
        said = run.stderr.strip().splitlines() or [f"it ended with {run.returncode}"]
        raise BackupRefused(f"{program} failed: {said[0]}", "Its version must not be older than the server's.")


def _environment() -> dict[str, str]:
    named: dict[str, Any] = {
        "PGHOST": connection.settings_dict["HOST"],
        "PGPORT": connection.settings_dict["PORT"],
        "PGUSER": connection.settings_dict["USER"],
        "PGPASSWORD": connection.settings_dict["PASSWORD"],
        "PGDATABASE": connection.settings_dict["NAME"],
    }
    for option in ("sslmode", "sslrootcert", "sslcert", "sslkey"):
        named[f"PG{option.upper()}"] = connection.settings_dict["OPTIONS"].get(option)
    return {**os.environ, **{name: str(value) for name, value in named.items() if value}}
