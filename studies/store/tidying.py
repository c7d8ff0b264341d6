"""Remove what was begun and never finished: half-written objects, and stored ones that no row names.

An object is stored a moment before its row is committed, so a process that dies in between leaves it behind. Its
key died with the row that was never written: nobody can read it, and nobody was told that it is there. The same goes
for an object whose row has lost its key: its patient was shredded.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import islice
from typing import Final
from uuid import UUID

from studies.models import SealedObject
from studies.store import objects

logger = logging.getLogger("lightbox.tidying")

HALF_WRITTEN: Final = timedelta(hours=1)  # since the last byte came
# A long request stores its packs one by one and commits their rows at its end.
WITHOUT_ROW: Final = timedelta(days=1)
BATCH: Final = 500


def tidy() -> int:
    """Sweep the object store; return how many objects were removed."""
    store = objects.store()
    removed = store.sweep_staging(HALF_WRITTEN.total_seconds())
    for orphan in orphans(store.names(WITHOUT_ROW.total_seconds())):
        store.delete(orphan)
        removed += 1
    if removed:
        logger.info("%d objects were removed that nobody can read", removed)
    return removed


def orphans(names: Iterable[UUID]) -> Iterator[UUID]:
    """Those of these objects that no row with a key names."""
    names = iter(names)
    while batch := set(islice(names, BATCH)):
        known = SealedObject.objects.filter(pk__in=batch).exclude(wrapped_key=b"")
        yield from batch.difference(known.values_list("pk", flat=True))
