"""What the clock does for the site as a whole."""

from __future__ import annotations

from celery import shared_task
from django.db import connection

ROWS_LOOKED_AT = 400  # of each index: https://sqlite.org/lang_analyze.html#approx advises 100 to 1,000


@shared_task(name="portal.analyze")
def analyze() -> None:
    """Let SQLite count what its indexes hold, so that it goes by the best one. PostgreSQL does so by itself."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA analysis_limit = {ROWS_LOOKED_AT}")
            cursor.execute("ANALYZE")
