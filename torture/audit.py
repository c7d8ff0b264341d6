"""What the site holds, held against what its senders were told: run beside the site, with its settings.

    python -m torture.audit FILE

`FILE` is JSON: `[[sop_uid, sha256, study_uid], …]`, everything that was acknowledged. Prints JSON: `{"violations":
[…], "orphans": n, …}`.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

import django

django.setup()

from datetime import timedelta  # noqa: E402

from django.db import connection  # noqa: E402
from django.db.models import Count  # noqa: E402

from studies.models import Instance, Job, Publication, Quarantined, Rendition, SealedObject, Series, Study  # noqa: E402
from studies.store import objects, tidying  # noqa: E402

READY_WITHIN = 300.0  # seconds after the last kill, for everything that was sent until then


def main(acknowledged: list[tuple[str, str, str]]) -> dict[str, Any]:
    """Wait until nothing is to do, look at everything, sweep, and look at what the sweep left."""
    waited = wait_until_ready()
    lost, wrong = look(acknowledged)
    violations = [*lost, *wrong, *doubles(), *unready(), *pictures(), *damage()]
    swept = sweep()
    violations += leftovers()
    return {
        "violations": violations,
        "acknowledged": len(acknowledged),
        "lost": len(lost),
        "wrong": len(wrong),
        "double": len(list(doubles())),
        "studies": Study.objects.count(),
        "publications": Publication.objects.count(),
        "orphans": swept,
        "ready_after": waited,
    }


def wait_until_ready() -> float:
    """Seconds until no study wanted any work."""
    began = time.monotonic()
    while Job.objects.filter(dead_at=None).exists() and time.monotonic() < began + READY_WITHIN:
        time.sleep(0.2)
    return time.monotonic() - began


def look(acknowledged: list[tuple[str, str, str]]) -> tuple[list[str], list[str]]:
    """Acknowledged instances that are in no row of their study, and those that give back other bytes."""
    held = {
        (one.sop_uid, bytes(one.sha256).hex(), one.study.study_uid): one
        for one in Instance.objects.select_related("study").with_packs()
    }
    lost = [f"lost: {sop_uid}" for sop_uid, sha256, study in acknowledged if (sop_uid, sha256, study) not in held]
    wrong = [f"wrong bytes: {sop_uid}" for (sop_uid, sha256, _), one in held.items() if _digest(one) != sha256]
    return lost, wrong


def _digest(one: Instance) -> str:
    digest = hashlib.sha256()
    try:
        for block in objects.read(one.pack, one.offset, one.length):
            digest.update(block)
    except Exception as error:  # whatever is the matter, these are not the bytes
        return type(error).__name__
    return digest.hexdigest()


def doubles() -> Iterator[str]:
    """Rows that say the same thing twice."""
    for model, names in (
        (Instance, ("facility", "sop_uid", "sha256")),
        (Study, ("facility", "study_uid")),
        (Series, ("study", "series_uid")),
        (Rendition, ("series", "size")),
    ):
        often = model.objects.values(*names).annotate(rows=Count("pk")).filter(rows__gt=1)
        yield from (f"double: {model.__name__} {row}" for row in often)
    if Quarantined.objects.exists():
        yield "double: an instance was taken for another's"


def unready() -> Iterator[str]:
    """Studies that never became ready."""
    for study in Study.objects.exclude(state=Study.State.READY):
        yield f"not ready: {study.study_uid} ({study.state})"
    yield from (f"given up: {job.study_id} ({job.failure})" for job in Job.objects.exclude(dead_at=None))


def pictures() -> Iterator[str]:
    """Studies whose pictures are not one for each instance, whole, and a JPEG."""
    for study in Study.objects.all():
        instances = set(study.instances.present().values_list("pk", flat=True))
        previews = Rendition.objects.filter(series__study=study, size="preview").select_related("stack__patient")
        shown = Counter(row[0] for one in previews for row in one.pictures)
        if set(shown) != instances or max(shown.values(), default=1) > 1 or study.image_count != len(instances):
            yield f"pictures: {study.study_uid} shows {sum(shown.values())} of {len(instances)}"
        for one in previews:
            yield from _broken(one)


def _broken(one: Rendition) -> Iterator[str]:
    for _, frame, offset, length, _, _ in one.pictures:
        content = b"".join(objects.read(one.stack, offset, length))
        if len(content) != length or not content.startswith(b"\xff\xd8"):
            yield f"pictures: frame {frame} of {one.stack_id} is no JPEG"


def damage() -> Iterator[str]:
    """What the database says of itself."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            for pragma in ("integrity_check", "foreign_key_check"):
                said = cursor.execute(f"PRAGMA {pragma}").fetchall()
                if said not in ([("ok",)], []):
                    yield f"database: {pragma} says {said[:3]}"


def sweep() -> int:
    """Tidy as if everything that lies about were old; returns how many objects were removed."""
    tidying.HALF_WRITTEN = tidying.WITHOUT_ROW = timedelta(0)  # type: ignore[misc]
    return tidying.tidy()


def leftovers() -> Iterator[str]:
    """Objects without a row after the sweep, and rows without an object."""
    stored = set(objects.store().names())
    known = set(SealedObject.objects.values_list("pk", flat=True))
    yield from (f"orphan: {each}" for each in stored - known)
    yield from (f"no object: {each}" for each in known - stored)
    if objects.store().sweep_staging(0):
        yield "orphan: something half written was left"


if __name__ == "__main__":
    found = main([(a, b, c) for a, b, c in json.loads(Path(sys.argv[1]).read_text())])
    print(json.dumps(found))
