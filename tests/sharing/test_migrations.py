"""A site that is updated keeps what it has."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

BEFORE, AFTER = ("sharing", "0003_told_at_each_visit"), ("sharing", "0004_links")


def at(where: tuple[str, str]) -> Any:
    """The models as they are after a migration, to which the database is brought."""
    executor = MigrationExecutor(connection)
    executor.migrate([where])
    return MigrationExecutor(connection).loader.project_state([where]).apps


@pytest.fixture
def before(transactional_db: None) -> Iterator[Any]:
    """The database as it was; in the end it is whole again."""
    yield at(BEFORE)
    at(AFTER)


def test_a_grant_of_before_began_when_it_was_made_though_it_has_ended(before: Any) -> None:
    made = timezone.now() - timedelta(days=90)
    user = before.get_model("accounts", "User").objects.create(email="maria@example.org", joined_at=made)
    record = before.get_model("accounts", "PatientRecord").objects.create(user=user)
    ended = before.get_model("sharing", "Grant").objects.create(
        record=record,
        given_by=user,
        email="lee@example.org",
        scope="all",
        invitation_digest=b"digest",
        created_at=made,
        expires_at=made + timedelta(days=30),
    )
    kept = at(AFTER).get_model("sharing", "Grant").objects.get(pk=ended.pk)
    assert (kept.starts_at, kept.kind, kept.whom, kept.purpose) == (made, "email", "", "")
