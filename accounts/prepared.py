"""A question to the database that every request asks, put into words once and asked anew each time.

To build it takes Django five milliseconds, to answer it the database a tenth of one; and every picture asks. Only the
words are kept, never an answer: what was revoked is refused by the next question, as if each were built by itself.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection, models
from django.db.models.expressions import RawSQL
from django.utils import timezone

Ids = Mapping[str, uuid.UUID]
Build = Callable[[Ids], models.QuerySet[Any]]
"""A query over these ids; it may depend on them and on the present moment, and on nothing else."""

NOW: Final = "now"
ONE_MOMENT: Final = timedelta(minutes=1)  # within which a query is built


class NotPlain(Exception):
    """A query depends on something besides ids and the present moment: its words cannot be used again."""


@dataclass(frozen=True)
class Question:
    """Words of a query, and what stands in each place: a constant, or the name of an id or of the moment."""

    sql: str
    places: Sequence[tuple[str, Any]]

    def is_answered(self, **ids: uuid.UUID) -> bool:
        """Whether the database finds a row for these ids now."""
        with connection.cursor() as cursor:
            cursor.execute(f"{self.sql} LIMIT 1", self._params(ids))
            return cursor.fetchone() is not None

    def rows(self, **ids: uuid.UUID) -> RawSQL:
        """The primary keys that the database finds for these ids now, to be looked for in by another query."""
        return RawSQL(self.sql, self._params(ids))  # noqa: S611 - Django's own words

    def _params(self, ids: Ids) -> list[Any]:
        said = {name: _id(value) for name, value in ids.items()} | {NOW: _moment(timezone.now())}
        return [said[name] if name else constant for name, constant in self.places]


def question(build: Build, names: Sequence[str]) -> Question:
    """Put a query into words. It is built for two sets of ids, and what differs must be the ids. Raises NotPlain."""
    one, other = ({name: uuid.uuid4() for name in names} for _ in range(2))
    (sql, params), (again, others) = _words(build(one)), _words(build(other))
    if sql != again or len(params) != len(others):
        raise NotPlain("its words differ")
    places = [_place(mine, its, one, other) for mine, its in zip(params, others, strict=True)]
    return Question(sql, places)


def _words(rows: models.QuerySet[Any]) -> tuple[str, Sequence[Any]]:
    sql, params = rows.order_by().values("pk").query.get_compiler(connection=connection).as_sql()
    return sql, params


def _place(mine: Any, its: Any, one: Ids, other: Ids) -> tuple[str, Any]:
    if _is_present(mine) and _is_present(its):
        return NOW, None
    for name in one:
        if (mine, its) == (_id(one[name]), _id(other[name])):
            return name, None
    if mine != its or _is_time(mine):
        raise NotPlain("it depends on more than ids and the present moment")
    return "", mine


def _id(value: uuid.UUID) -> Any:
    """An id as this database takes it."""
    return models.UUIDField().get_db_prep_value(value, connection)


def _moment(value: datetime) -> Any:
    """A time as this database takes it."""
    return connection.ops.adapt_datetimefield_value(value)


def _is_time(param: Any) -> bool:
    return _time(param) is not None


def _is_present(param: Any) -> bool:
    said = _time(param)
    return said is not None and abs(said - timezone.now()) < ONE_MOMENT


def _time(param: Any) -> datetime | None:
    """The time that a parameter is: SQLite takes them as text, without a zone."""
    try:
        said = datetime.fromisoformat(param) if isinstance(param, str) and len(param) > len("2026-01-31") else param
    except ValueError:
        return None
    if not isinstance(said, datetime):
        return None
    return said if timezone.is_aware(said) else said.replace(tzinfo=connection.timezone)
