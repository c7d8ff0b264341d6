"""Statements written out do what the ORM's do."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.db import transaction
from pytest_django import DjangoAssertNumQueries

from accounts.models import AuditEvent, Facility, FacilityKey
from accounts.rows import Columns, change, fetch, insert, locking

pytestmark = pytest.mark.django_db

WHEN = datetime(2026, 1, 31, 10, 15, 30, 250_000, tzinfo=UTC)


def test_an_inserted_row_is_the_same_as_a_created_one() -> None:
    said = {
        "at": WHEN,
        "action": "published",
        "actor_kind": "facility",
        "actor_label": "It's 100 %s Über",
        "facility_id": uuid4(),
        "detail": {"instances": 3, "reason": None},
    }
    insert([AuditEvent(**said)])
    AuditEvent.objects.create(**said)
    written, created = AuditEvent.objects.order_by("pk").values()
    assert {**written, "id": None} == {**created, "id": None}


def test_rows_are_inserted_with_their_bytes_and_those_they_belong_to() -> None:
    facility = Facility(name="Lakeside", slug="lakeside")
    insert([facility])
    keys = [FacilityKey(facility=facility, selector=f"s{n}", digest=bytes([n, 0, 255])) for n in range(3)]
    insert(keys)
    assert list(FacilityKey.objects.order_by("selector")) == keys
    assert [bytes(key.digest) for key in facility.keys.order_by("selector")] == [b"\0\0\xff", b"\1\0\xff", b"\2\0\xff"]
    assert not keys[0]._state.adding


def test_some_columns_make_a_row_that_reads_the_others_by_itself(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    made = Facility.objects.create(name="Lakeside", slug="lakeside", phone="555", created_at=WHEN)
    some = Columns(Facility, "created_at", "name", "id")
    with django_assert_num_queries(1):
        (row,) = fetch(f"SELECT {some.of('one')}, 7 FROM accounts_facility one WHERE one.id IN %s", [made.pk])  # noqa: S608
        cells = iter(row)
        found = some.take(cells)
        assert (found, found.pk, found.name, found.created_at) == (made, made.pk, "Lakeside", WHEN)
    assert next(cells) == 7
    assert found.phone == "555"


def test_a_list_without_values_fits_nothing() -> None:
    Facility.objects.create(name="Lakeside", slug="lakeside")
    assert fetch("SELECT name FROM accounts_facility WHERE slug IN %s", []) == []


def test_what_changed_is_counted() -> None:
    for name in ("a", "b", "c"):
        Facility.objects.create(name=name, slug=name)
    assert (
        change("UPDATE accounts_facility SET phone = %s, created_at = %s WHERE slug IN %s", "1", WHEN, ["a", "c"]) == 2
    )
    assert Facility.objects.filter(phone="1", created_at=WHEN).count() == 2


def test_rows_are_locked_where_a_database_knows_locks() -> None:
    with transaction.atomic():
        assert fetch(f"SELECT 1 FROM accounts_facility one{locking('one')}") == []  # noqa: S608
