"""Statements written out, for what a facility's tool sets going a thousand times a study.

The ORM builds a statement anew from objects each time, which takes ten times as long as the database takes to run it.
Here the statement is text that both databases read. How a value is stored and what a row is stay the ORM's affair.
SQLite is asked without Django's cursor, whose wrappers take longer than most statements; unless somebody listens there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import AutoField, BinaryField, CharField, Field, ForeignKey, IntegerField, Model, UUIDField
from django.db.models.base import ModelState

M = TypeVar("M", bound=Model)
Value = str | int | bytes | UUID | datetime | None
Cells = tuple[Any, ...]

_PLAIN = frozenset({str, int, bool, bytes, type(None)})
_OF_KEYS = (UUIDField, ForeignKey)
_AS_STORED = (CharField, IntegerField, BinaryField)


def fetch(sql: str, *values: Value | Sequence[Value]) -> list[Cells]:
    """Run a query; each `%s` is a value, or a list of them in brackets, as after IN."""
    return _run(sql, values)[0]


def change(sql: str, *values: Value | Sequence[Value]) -> int:
    """Run a statement that changes rows, its values as those of `fetch`; return how many it changed."""
    return _run(sql, values)[1]


def insert(rows: Sequence[Model]) -> None:
    """Insert new rows of one model as `bulk_create` does. Keys that the database makes are not read back."""
    if not rows:
        return
    sql, fields = _insertion(type(rows[0]))
    database = connections[DEFAULT_DB_ALIAS]
    cells = [[_cell(database, field, getattr(row, name)) for name, field in fields] for row in rows]
    if _is_direct(database):
        with database.wrap_database_errors:
            database.connection.executemany(sql.replace("%s", "?"), cells)
    else:
        with database.cursor() as cursor:
            cursor.executemany(sql, cells)
    for row in rows:
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


def locking(table: str) -> str:
    """What ends a query that locks the rows of this table; nothing where a transaction has the whole database."""
    return f" FOR NO KEY UPDATE OF {table}" if connection.features.has_select_for_update else ""


class Columns(Generic[M]):
    """Some columns of a model: named in a statement, then made into a row. The others are read when asked for."""

    def __init__(self, model: type[M], *names: str) -> None:
        self._model = model
        self._fields = [field for field in model._meta.concrete_fields if field.attname in names]

    def of(self, table: str) -> str:
        """The columns as they stand behind SELECT."""
        return ", ".join(f"{table}.{field.column}" for field in self._fields)

    def take(self, cells: Iterator[Any]) -> M:
        """A row from the next cells, as `Model.from_db` makes it, without asking for each column that is not there."""
        row = self._model.__new__(self._model)
        row._state = ModelState()
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS
        vars(row).update([(field.attname, _value(field, next(cells))) for field in self._fields])
        return row


def _run(sql: str, values: Sequence[Value | Sequence[Value]]) -> tuple[list[Cells], int]:
    """What was found, and how many rows were changed."""
    database = connections[DEFAULT_DB_ALIAS]
    flat: list[Any] = []
    sizes: list[int | None] = []
    for value in values:
        if isinstance(value, list | tuple):
            sizes.append(len(value))
            flat += [_adapted(database, each) for each in value]
        else:
            sizes.append(None)
            flat.append(_adapted(database, value))
    if _is_direct(database):
        with database.wrap_database_errors:
            cursor = database.connection.execute(_text(sql, tuple(sizes), "?"), flat)
            return cursor.fetchall(), cursor.rowcount
    with database.cursor() as cursor:
        cursor.execute(_text(sql, tuple(sizes), "%s"), flat)
        return cursor.fetchall() if cursor.description else [], cursor.rowcount


def _is_direct(database: BaseDatabaseWrapper) -> bool:
    """Whether the driver may be asked itself. Tells, as a cursor would, of a transaction that cannot go on."""
    if database.vendor != "sqlite" or database.queries_logged or database.execute_wrappers:
        return False
    database.ensure_connection()
    database.validate_no_broken_transaction()
    return True


@lru_cache(maxsize=256)
def _text(sql: str, sizes: tuple[int | None, ...], mark: str) -> str:
    """The statement with a mark for each value of each list."""
    marks = (mark if size is None else f"({', '.join([mark] * size) or 'NULL'})" for size in sizes)
    first, *rest = sql.split("%s")
    return first + "".join(some + piece for some, piece in zip(marks, rest, strict=True))


def _adapted(database: BaseDatabaseWrapper, value: Any) -> Any:
    if isinstance(value, UUID):
        return value if database.features.has_native_uuid_field else value.hex
    if isinstance(value, datetime):
        return database.ops.adapt_datetimefield_value(value)
    return value


def _cell(database: BaseDatabaseWrapper, field: Field[Any, Any], value: Any) -> Any:
    """A value as its field stores it. Of these types every field stores the value itself, and asking it takes long."""
    if type(value) in _PLAIN:
        return value
    if type(value) is UUID and isinstance(field, _OF_KEYS):
        return _adapted(database, value)
    return field.get_db_prep_save(value, database)


def _value(field: Field[Any, Any], cell: Any) -> Any:
    if isinstance(field, _AS_STORED):
        return cell
    value = field.to_python(cell)
    # SQLite keeps moments as text, in UTC without saying so.
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


@lru_cache(maxsize=64)
def _insertion(model: type[Model]) -> tuple[str, list[tuple[str, Field[Any, Any]]]]:
    fields = [field for field in model._meta.concrete_fields if not isinstance(field, AutoField)]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    sql = f'INSERT INTO "{model._meta.db_table}" ({columns}) VALUES ({marks})'  # noqa: S608 - our own names
    return sql, [(field.attname, field) for field in fields]
