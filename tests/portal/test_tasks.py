"""What the clock does for the site as a whole."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.tasks import analyze
from sharing import access
from studies import matching
from studies.matching import Share
from studies.models import Study
from studies.query import Query
from tests.cast import Cast, a_patient, a_study


def test_a_search_by_patient_goes_by_her_index_among_many(cast: Cast) -> None:
    """Without counts SQLite walks through all studies by day instead."""
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL counts by itself")
    for number in range(300):
        a_study(a_patient(cast.lakeside, patient_id=f"MANY-{number}"))
    analyze()
    everything = access.visible_to(access.viewer_for(cast.tom))
    with CaptureQueriesContext(connection) as asked:
        found = matching.studies(Share(everything), Share(Study.objects.none()), Query({"00100020": "MANY-7"}))
    assert len(found.rows) == 1
    (search,) = [one["sql"] for one in asked.captured_queries if "MANY-7" in one["sql"]]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {search}")
        plan = " ".join(str(row[-1]) for row in cursor.fetchall())
    assert "patient_by_id" in plan
