"""A site that is updated keeps what it has."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone


def at(*where: tuple[str, str]) -> Any:
    """The models as they are after migrations, to which the database is brought."""
    MigrationExecutor(connection).migrate(list(where))
    return MigrationExecutor(connection).loader.project_state(list(where)).apps


@pytest.fixture(autouse=True)
def whole_again(transactional_db: None) -> Iterator[None]:
    """In the end the database is as it was."""
    yield
    MigrationExecutor(connection).migrate(MigrationExecutor(connection).loader.graph.leaf_nodes())


def test_a_grant_of_before_began_when_it_was_made_though_it_has_ended() -> None:
    before = at(("sharing", "0003_told_at_each_visit"))
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
    kept = at(("sharing", "0004_links")).get_model("sharing", "Grant").objects.get(pk=ended.pk)
    assert (kept.starts_at, kept.kind, kept.whom, kept.purpose) == (made, "email", "", "")


def test_what_was_open_before_anybody_was_told_of_anything_is_no_news() -> None:
    before, now = at(("sharing", "0005_desk"), ("studies", "0014_preliminary_too")), timezone.now()
    facility = before.get_model("accounts", "Facility").objects.create(slug="lakeside", name="Lakeside")
    patient = before.get_model("studies", "FacilityPatient").objects.create(
        facility=facility, patient_id="1", wrapped_key=b"key"
    )
    studies, releases = before.get_model("studies", "Study"), before.get_model("sharing", "Release")
    moments = {"1.2.1": now - timedelta(days=9), "1.2.2": now + timedelta(days=9)}
    for uid, opens in moments.items():
        study = studies.objects.create(facility=facility, patient=patient, study_uid=uid)
        releases.objects.create(study=study, available_at=opens)
    kept = at(("sharing", "0006_notices")).get_model("sharing", "Release").objects
    told = dict(kept.values_list("study__study_uid", "told_at"))
    assert told["1.2.1"] is not None
    assert told["1.2.2"] is None
    assert set(kept.values_list("told_reports", flat=True)) == {0}
