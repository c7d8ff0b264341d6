from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
from django.db import DatabaseError, connection, transaction

from accounts import audit
from accounts.audit import Action, Actor
from accounts.models import AuditEvent
from tests.at_once import at_once
from tests.cast import Cast
from tests.conftest import Clock

WINDOW = timedelta(minutes=15)


def _event() -> AuditEvent:
    return audit.record(Action.VIEWED, actor=Actor.system(), count=3)


@pytest.mark.django_db(transaction=True)
def test_an_event_needs_the_transaction_of_its_deed() -> None:
    with pytest.raises(RuntimeError, match="transaction"):
        _event()
    with pytest.raises(RuntimeError, match="transaction"):
        audit.once("a look", WINDOW)


@pytest.mark.django_db(transaction=True)
def test_an_event_goes_with_a_deed_that_is_undone() -> None:
    with transaction.atomic():
        _event()
        transaction.set_rollback(True)
    assert not AuditEvent.objects.exists()


def test_an_event_keeps_values(cast: Cast) -> None:
    audit.record(
        Action.DOWNLOADED, actor=Actor.staff(cast.tom, cast.lakeside), study_id=cast.study.pk, way="page", size=5
    )
    event = AuditEvent.objects.get(action=Action.DOWNLOADED)
    assert (event.actor_kind, event.actor_id, event.actor_label) == ("staff", str(cast.tom.pk), "Lakeside Imaging")
    assert (event.study_id, event.way, event.detail) == (cast.study.pk, "page", {"size": 5})


def test_an_event_knows_its_request(db: None) -> None:
    token = audit.request_id.set("abc")
    try:
        assert _event().request_id == "abc"
    finally:
        audit.request_id.reset(token)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE accounts_auditevent SET action = 'nothing'",
        "DELETE FROM accounts_auditevent",
        "INSERT OR REPLACE INTO accounts_auditevent SELECT * FROM accounts_auditevent",
        "TRUNCATE accounts_auditevent",
    ],
)
def test_the_database_refuses_to_change_an_event(db: None, statement: str) -> None:
    only_on = {"INSERT OR REPLACE": "sqlite", "TRUNCATE": "postgresql"}
    if any(statement.startswith(word) and connection.vendor != vendor for word, vendor in only_on.items()):
        pytest.skip("not a statement of this database")
    _event()
    with pytest.raises(DatabaseError, match="audit events are never"), transaction.atomic():
        connection.cursor().execute(statement)
    assert AuditEvent.objects.get().action == Action.VIEWED


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("time", [1, 2])
def test_the_triggers_are_back_once_the_database_was_emptied(time: int) -> None:
    with transaction.atomic():
        _event()
    with pytest.raises(DatabaseError, match="audit events are never"):
        AuditEvent.objects.all().delete()
    assert AuditEvent.objects.count() == 1


def test_once_says_yes_once_a_window(db: None, clock: Clock) -> None:
    assert audit.once("a look", WINDOW)
    assert not audit.once("a look", WINDOW)
    assert audit.once("another look", WINDOW)
    assert audit.seen("a look", WINDOW)
    clock.move(minutes=15)
    assert not audit.seen("a look", WINDOW)
    assert audit.once("a look", WINDOW)
    assert not audit.once("a look", WINDOW)


@pytest.mark.django_db(transaction=True)
def test_once_says_yes_to_one_of_many_at_once() -> None:
    def ask() -> bool:
        with transaction.atomic():
            return audit.once("a look", WINDOW)

    assert sorted(at_once([ask] * 8)) == [False] * 7 + [True]


def test_once_each_says_yes_to_those_not_asked_for_before(db: None, clock: Clock) -> None:
    assert audit.once("first", WINDOW)
    assert audit.once_each(["first", "second", "third"], WINDOW) == {"second", "third"}
    assert audit.once_each(["first", "second", "third"], WINDOW) == set()
    assert not audit.once("second", WINDOW)
    clock.move(minutes=15)
    assert audit.once_each(["first", "fourth"], WINDOW) == {"first", "fourth"}
    assert audit.once_each([], WINDOW) == set()


@pytest.mark.django_db(transaction=True)
def test_once_each_says_yes_to_one_of_many_at_once() -> None:
    def ask(keys: list[str]) -> set[str]:
        with transaction.atomic():
            return audit.once_each(keys, WINDOW)

    keys = [f"look {number}" for number in range(20)]
    answers = at_once([partial(ask, keys[start:] + keys[:start]) for start in range(6)])
    assert sorted(key for answer in answers for key in answer) == sorted(keys)


@pytest.mark.django_db(transaction=True)
def test_many_events_need_the_transaction_of_their_deed() -> None:
    with pytest.raises(RuntimeError, match="transaction"):
        audit.record_all([audit.event(Action.VIEWED, actor=Actor.system())])
    with pytest.raises(RuntimeError, match="transaction"):
        audit.once_each(["a look"], WINDOW)


def test_a_person_is_called_by_the_name_she_gave(cast: Cast) -> None:
    assert Actor.person(cast.maria).label == "maria@example.org"
    cast.maria.record.name = "Maria"
    cast.maria.record.save()
    assert Actor.person(cast.maria).label == "Maria"


@pytest.mark.parametrize("make", [Actor.operator, Actor.system, Actor.nobody])
def test_actors_without_a_person_are_told_apart_by_kind(make: partial[Actor]) -> None:
    assert make().kind
    assert make().id == ""
