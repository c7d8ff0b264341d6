"""Is the process alive, can it serve? No identity in any answer."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable
from threading import Lock

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from studies.store import objects

logger = logging.getLogger("lightbox.health")


@require_safe
def livez(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"alive": True})


def _database() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return bool(cursor.fetchone())


def _migrations() -> bool:
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def _cache() -> bool:
    cache.set("readyz", "1", 30)
    return bool(cache.get("readyz") == "1")


def _store() -> bool:
    objects.store().probe()
    return True


def _space() -> bool:
    return shutil.disk_usage(settings.DATA_DIR).free > settings.FREE_SPACE_FLOOR


NEEDS: dict[str, Callable[[], bool]] = {
    "database": _database,
    "migrations": _migrations,
    "cache": _cache,
    "store": _store,
    "space": _space,
}


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Each thing the site needs, and whether it is there; 503 when one is not."""
    found = latest.found()
    ready = all(found.values())
    return JsonResponse({"ready": ready, **found}, status=200 if ready else 503)


class Latest:
    """What was found less than a second ago is not looked for again: anybody may ask, and each look writes to disk."""

    FRESH = 1.0

    def __init__(self) -> None:
        self._turn = Lock()
        self._found: dict[str, bool] = {}
        self._at = 0.0

    def found(self) -> dict[str, bool]:
        """By name, whether it works."""
        with self._turn:
            if not self._found or time.monotonic() - self._at >= self.FRESH:
                self._found = {name: _works(name, need) for name, need in NEEDS.items()}
                self._at = time.monotonic()
            return self._found


latest = Latest()


def _works(name: str, need: Callable[[], bool]) -> bool:
    """Whatever is broken, the answer is "no"; the log has the kind of the error, for its words may hold a password."""
    try:
        works, cause = need(), "too little"
    except Exception as error:
        works, cause = False, type(error).__name__
    if not works:
        logger.warning("not ready: %s (%s)", name, cause)
    return works
