"""Make a backup while the site runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils import timezone

from accounts.errors import Unavailable
from portal.backups import database, vault
from portal.backups.errors import BackupRefused
from portal.backups.folder import Folder, Objects, described, named_by, part_of, read_objects, write_objects
from portal.embedded.turns import alone
from portal.environment import write_durably
from studies.models import SealedObject
from studies.store import masterkeys, objects, scrub, shredding

TRIES: Final = 5
FILES: Final = ("demo.json", "public_url")
"""Of the data folder, besides database and store: who is in the demo, and where the site is."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Made:
    """What a backup holds. `lost`: objects that the database names and that are damaged or not in the store."""

    snapshot: Path
    objects: int
    size: int  # bytes of all objects
    copied: int
    lost: list[UUID]
    expired: int
    dropped: int


def make(target: Path, passphrase: str, *, keep: timedelta, say: Say) -> Made:
    """Add a snapshot to a folder of backups, and throw snapshots away that are older than `keep`.

    Database first, then the objects it names; where pictures were replaced or a patient was shredded in between, once
    more. Raises BackupRefused, StorageUnavailable.
    """
    _refuse_inside(target)
    folder = Folder(target)
    folder.prepare()
    with alone(target / ".lock"):
        return _make(folder, passphrase, keep, say)


def _make(folder: Folder, passphrase: str, keep: timedelta, say: Say) -> Made:
    vault.seal({}, passphrase)  # a passphrase that will not do is said before anything is copied
    moment = timezone.now()
    draft, held, lost, copied = _copy(folder, say)
    write_objects(draft / "objects.txt", held)
    parts = {name: described(part_of(draft / name)) for name in ("database", "objects.txt")}
    sealed = vault.seal({**_secrets(), "parts": parts}, passphrase)
    write_durably(draft / "keys.sealed", sealed)
    parts["keys.sealed"] = described(part_of(draft / "keys.sealed"))
    snapshot = folder.finish(draft, moment, _manifest(moment, parts, held, lost))
    folder.add_erased(_erased())
    expired = folder.expire(keep, moment)
    dropped = folder.drop_objects_but(named_by(folder.snapshots()))
    return Made(snapshot, len(held), sum(part.size for part in held.values()), copied, lost, expired, dropped)


def _copy(folder: Folder, say: Say) -> tuple[Path, Objects, list[UUID], int]:
    """Database and objects; anew as long as the store lets go of objects that the copy names."""
    known = _known(folder)
    copied = 0
    for _ in range(TRIES):
        draft = folder.begin()
        named = database.dump(draft / "database")
        held, lost, more = _copy_objects(folder, named, known, say)
        copied += more
        if database.still_named(lost) == set(lost):
            return draft, held, lost, copied
        say("Objects were replaced meanwhile; the database is copied once more.")
        shutil.rmtree(draft)
    raise Unavailable


def _copy_objects(folder: Folder, named: list[UUID], known: Objects, say: Say) -> tuple[Objects, list[UUID], int]:
    held: Objects = {}
    lost, copied = [], 0
    for object_id in named:
        if object_id in known and folder.object_path(object_id).exists():
            held[object_id] = known[object_id]
        elif _is_whole(object_id):
            with objects.store().open(object_id) as reader:
                held[object_id] = known[object_id] = folder.add_object(object_id, reader)
            copied += 1
            if copied % 500 == 0:
                say(f"{copied} objects copied")
        else:
            lost.append(object_id)
    folder.sync()
    return held, lost, copied


def _is_whole(object_id: UUID) -> bool:
    """Examine what is copied for the first time: a backup of damage would be found out when it is needed."""
    sealed = SealedObject.objects.select_related("patient").filter(pk=object_id).first()
    if sealed is None or not sealed.wrapped_key:
        return False
    if not scrub.settle(sealed):
        raise BackupRefused("MASTER_KEY does not open what is stored here.", "Correct it; such a backup is none.")
    return not SealedObject.objects.filter(pk=object_id).exclude(damaged_at=None).exists()


def _known(folder: Folder) -> Objects:
    """Objects that are in the folder already, by the newest snapshot."""
    return dict(read_objects(folder.snapshots()[-1])) if folder.snapshots() else {}


def _secrets() -> dict[str, Any]:
    """Whatever must come back for codes, sessions and sealed objects to go on being good."""
    formers = list(dict.fromkeys(masterkeys.formers()))
    secrets = {"secrets/master.key": masterkeys.present(), "secrets/secret.key": settings.SECRET_KEY}
    if formers:
        secrets["secrets/master.key.former"] = "\n".join(formers)
    for name in FILES:
        if (path := settings.DATA_DIR / name).exists():
            secrets[name] = path.read_text(encoding="utf-8")
    return {"files": secrets}


def _manifest(moment: datetime, parts: dict[str, Any], held: Objects, lost: list[UUID]) -> dict[str, Any]:
    return {
        "made_at": moment.isoformat(),
        "database": connection.vendor,
        "parts": parts,
        "objects": len(held),
        "bytes": sum(part.size for part in held.values()),
        "lost": [str(object_id) for object_id in lost],
    }


def _erased() -> dict[UUID, datetime]:
    return {patient.pk: patient.shredded_at for patient in shredding.shredded() if patient.shredded_at}


def _refuse_inside(target: Path) -> None:
    """A backup inside of what it backs up dies with it."""
    inside = [settings.DATA_DIR, objects.store().root]
    if any(target == place or place in target.parents for place in inside):
        raise BackupRefused(
            "This folder lies within the data it would hold.", "Name one on another disk, or on another machine."
        )
