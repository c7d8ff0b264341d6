"""The scrub: every stored byte is read again within a month, so that damage is found before somebody needs it.

Small batches, and never while patients' studies wait for a worker, unless the month is over. Pictures can be made
again and are; originals and reports can only be sent again, so their facility's receipt says which are damaged.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from django.db import transaction
from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone

from studies import jobs, pipeline
from studies.models import FacilityPatient, Instance, Quarantined, Rendition, SealedObject, Sidecar, Study
from studies.store import damage, keys, objects
from studies.store.keys import Erased, KeyLost
from studies.store.sealing import Tampered
from studies.store.storage import ObjectMissing

logger = logging.getLogger("lightbox.scrub")

CYCLE: Final = timedelta(days=28)
OVERDUE: Final = timedelta(days=30)
SECONDS: Final = 2.0  # of a run, a minute: one thread in thirty
BATCH: Final = 50
CANARIES: Final = 20

Range = tuple[int, int]
"""Offset and length."""


def scrub() -> int:
    """Examine what was not for longest, for some seconds; return how many objects. Remake damaged pictures."""
    remake_pictures()
    now, until = timezone.now(), time.monotonic() + SECONDS
    if jobs.due(now).exists() and not _due(now, OVERDUE).exists():
        return 0
    examined = 0
    for sealed in _due(now, CYCLE)[:BATCH]:
        if not settle(sealed):
            break
        examined += 1
        if time.monotonic() > until:
            break
    return examined


def settle(sealed: SealedObject) -> bool:
    """Examine an object and write down what was found; False where it looks as if `MASTER_KEY` were wrong."""
    flaw = examine(sealed)
    if flaw == "key" and not opens_something():
        logger.error("no key opens here: MASTER_KEY is not the one that everything is wrapped with")
        return False
    if flaw:
        damage.note(sealed, flaw)
    else:
        damage.note_whole(sealed)
    return True


def examine(sealed: SealedObject, *, quick: bool = False) -> str:
    """Return what is wrong with an object: missing, key, bytes or sha256; "" when nothing is.

    `quick` looks at the file's length and the key, and reads no byte of it. What was erased is whole. Raises
    `StorageUnavailable`.
    """
    try:
        with objects.inspect(sealed) as ranged:
            return "" if quick else _examine(sealed, ranged(0, None))
    except Erased:
        return ""
    except KeyLost:
        return "key"
    except ObjectMissing:
        return "missing"
    except Tampered:
        return "bytes"


def remake_pictures() -> int:
    """Forget damaged pictures and sidecars, so that the pipeline makes them again; return of how many objects."""
    made = (SealedObject.Kind.RENDITION, SealedObject.Kind.SIDECAR)
    damaged = SealedObject.objects.filter(kind__in=made).exclude(damaged_at=None)
    stacks = list(damaged[:BATCH])
    for stack in stacks:
        _forget(stack)
    return len(stacks)


def _due(now: datetime, after: timedelta) -> QuerySet[SealedObject]:
    """Those last examined, or stored, so long ago; new ones are examined at once in their first cycle."""
    never = Q(checked_at=None) if after == CYCLE else Q(checked_at=None, created_at__lt=now - after)
    due = SealedObject.objects.filter(never | Q(checked_at__lt=now - after), damaged_at=None)
    return due.exclude(wrapped_key=b"").select_related("patient").order_by(F("checked_at").asc(nulls_first=True))


def _examine(sealed: SealedObject, pieces: Iterable[bytes]) -> str:
    promised = dict(_promised(sealed))
    return "" if _digests(pieces, sorted(promised)) == promised else "sha256"


def _promised(sealed: SealedObject) -> Iterator[tuple[Range, bytes]]:
    """Which bytes of the object have a digest of their own in a row."""
    for rows in (Instance.objects.filter(pack=sealed), Quarantined.objects.filter(pack=sealed)):
        for offset, length, digest in rows.values_list("offset", "length", "sha256"):
            yield (offset, length), bytes(digest)


def _digests(pieces: Iterable[bytes], ranges: list[Range]) -> dict[Range, bytes]:
    """The SHA-256 of each range (sorted by offset), in one pass over all pieces."""
    sums = {one: sha256() for one in ranges}
    at = first = 0
    for piece in pieces:
        end = at + len(piece)
        while first < len(ranges) and sum(ranges[first]) <= at:
            first += 1
        for start, length in ranges[first:]:
            if start >= end:
                break
            sums[start, length].update(piece[max(start - at, 0) : max(start + length - at, 0)])
        at = end
    return {one: digest.digest() for one, digest in sums.items()}


def opens_something() -> bool:
    """Whether the master key opens any patient's key: then one that does not open is damaged itself."""
    patients = FacilityPatient.objects.exclude(wrapped_key=b"")
    for patient in patients.order_by("?")[:CANARIES]:
        with suppress(KeyLost):
            keys.patient_key(patient)
            return True
    return False


def _forget(stack: SealedObject) -> None:
    """The rows of damaged pictures go, and their study wants new ones."""
    with transaction.atomic():
        of_it = Q(series__renditions__stack=stack) | Q(series__sidecar__stack=stack)
        studies = Study.objects.filter(of_it).values("pk")
        for study in Study.objects.select_for_update(no_key=True).filter(pk__in=studies):
            Rendition.objects.filter(stack=stack).delete()
            Sidecar.objects.filter(stack=stack).delete()
            state = Study.State.STORED if study.state == Study.State.STORED else Study.State.INDEXED
            Study.objects.filter(pk=study.pk).update(state=state, changed_at=timezone.now())
            jobs.want(study)
            pipeline.ring(study.pk)
        SealedObject.objects.filter(pk=stack.pk).delete()
    logger.info("object %s: its pictures are made again", stack.pk)


def damaged() -> dict[str, int]:
    """How many objects of each kind are damaged now."""
    kinds = SealedObject.objects.exclude(damaged_at=None).order_by("kind").values_list("kind")
    return dict(kinds.annotate(Count("pk")))
