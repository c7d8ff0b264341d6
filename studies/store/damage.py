"""Damage: what to do when stored bytes are not those that were sealed.

Nothing of a damaged object is served again, and whoever meets the damage first writes it down: a reader, the scrub, or
`manage.py verify`, which also finds it mended once the file was put back from a backup.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.errors import PortalError
from studies.models import SealedObject
from studies.store.keys import Erased, KeyLost
from studies.store.sealing import Tampered
from studies.store.storage import ObjectMissing

logger = logging.getLogger("lightbox.damage")


class Damaged(PortalError):
    """The stored bytes are not whole. Sending the study again mends it."""

    status, code = 503, "damaged"
    message = _("This was damaged in our store, so we do not show it.")
    hint = _("The people who run this site know. The facility can send it again, and then it is back.")


@contextmanager
def noted(sealed: SealedObject) -> Iterator[None]:
    """Write down damage that shows while this object is read, and raise `Damaged` in its place.

    A key that does not open passes as `KeyLost`: most likely `MASTER_KEY` is wrong, and the objects are whole.
    """
    try:
        yield
    except KeyLost:
        raise
    except (Tampered, ObjectMissing) as error:
        if SealedObject.objects.filter(pk=sealed.pk, wrapped_key=b"").exists():
            raise Erased from error  # a moment ago, while it was read
        note(sealed, "missing" if isinstance(error, ObjectMissing) else "bytes")
        raise Damaged from error


def note(sealed: SealedObject, flaw: str) -> None:
    """Write down that an object is damaged; the log says it once."""
    if SealedObject.objects.filter(pk=sealed.pk, damaged_at=None).update(damaged_at=timezone.now()):
        logger.error("object %s (%s) is damaged: %s", sealed.pk, sealed.kind, flaw)


def note_whole(sealed: SealedObject) -> None:
    """Write down that every byte of an object was read and found right."""
    now = timezone.now()
    SealedObject.objects.filter(pk=sealed.pk).update(checked_at=now, damaged_at=None)
    if sealed.damaged_at:
        logger.warning("object %s (%s) is whole again", sealed.pk, sealed.kind)
