"""Statements written out, for what a facility's tool sets going a thousand times a study.

The ORM builds a statement anew from objects each time, which takes ten times as long as the database takes to run it.
Here the statement is text that both databases read. How a value is stored and what a row is stay the ORM's affair.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import AutoField, Field, Model

M = TypeVar("M", bound=Model)
Value = str | int | bytes | UUID | datetime | None
Cells = tuple[Any, ...]


def fetch(sql: str, *values: Value | Sequence[Value]) -> list[Cells]:
    """Run a query; each `%s` is a value, or a list of them in brackets, as after IN."""
    with connection.cursor() as cursor:
        cursor.execute(*_bound(sql, values))
        found: list[Cells] = cursor.fetchall()
    return found


def change(sql: str, *values: Value | Sequence[Value]) -> int:
    """Run a statement that changes rows, its values as those of `fetch`; return how many it changed."""
    with connection.cursor() as cursor:
        cursor.execute(*_bound(sql, values))
        changed: int = cursor.rowcount
    return changed


def insert(rows: Sequence[Model]) -> None:
    """Insert new rows of one model as `bulk_create` does. Keys that the database makes are not read back."""
    if not rows:
        return
    sql, fields = _insertion(type(rows[0]))
    database = connections[DEFAULT_DB_ALIAS]
    with database.cursor() as cursor:
        cells = [[field.get_db_prep_save(getattr(row, field.attname), database) for field in fields] for row in rows]
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
        """A row from the next cells."""
        names = [field.attname for field in self._fields]
        return self._model.from_db(DEFAULT_DB_ALIAS, names, [_value(field, next(cells)) for field in self._fields])


def _bound(sql: str, values: Sequence[Value | Sequence[Value]]) -> tuple[str, list[Any]]:
    texts: list[str] = []
    flat: list[Any] = []
    for value in values:
        several = value if isinstance(value, list | tuple | set | frozenset) else None
        texts.append("%s" if several is None else f"({', '.join(['%s'] * len(several)) or 'NULL'})")
        flat += [_adapted(value)] if several is None else map(_adapted, several)
    first, *rest = sql.split("%s")
    return first + "".join(text + piece for text, piece in zip(texts, rest, strict=True)), flat


def _adapted(value: Any) -> Any:
    if isinstance(value, UUID):
        return value if connection.features.has_native_uuid_field else value.hex
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value


def _value(field: Field[Any, Any], cell: Any) -> Any:
    value = field.to_python(cell)
    # SQLite keeps moments as text, in UTC without saying so.
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


@lru_cache(maxsize=64)
def _insertion(model: type[Model]) -> tuple[str, list[Field[Any, Any]]]:
    fields = [field for field in model._meta.concrete_fields if not isinstance(field, AutoField)]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    return f'INSERT INTO "{model._meta.db_table}" ({columns}) VALUES ({marks})', fields  # noqa: S608 - our own names
