"""Make a site of a backup: in a staging folder, examined there, and put in its place only when everything is right."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, connections

from accounts.audit import Actor
from portal.backups import database, vault
from portal.backups.errors import BackupRefused
from portal.backups.folder import FORMAT, Folder, Part, described, moment_of, part_of, read_objects
from portal.embedded.site import prepare_database
from portal.environment import sync_folder, write_durably
from sharing import erasure
from studies.models import FacilityPatient
from studies.store import masterkeys, objects
from studies.store.storage import FileStore

Say = Callable[[str], None]
BLOCK = 2**20
OTHER = "Take an earlier snapshot with --snapshot, or another copy of this folder."


@dataclass(frozen=True)
class Restored:
    """What came back. `lost`: objects that were damaged when the backup was made; `erased`: patients erased since."""

    snapshot: str
    made_at: datetime
    objects: int
    lost: int
    erased: int


def restore(source: Path, passphrase: str, *, snapshot: str = "", say: Say) -> Restored:
    """Restore into the database, store and data folder of the settings, all of them empty. Raises BackupRefused.

    What was erased after the snapshot, as far as the folder knows, is erased again.
    """
    folder = Folder(source)
    chosen = folder.choose(snapshot)
    manifest = _manifest(chosen)
    secrets = vault.open_sealed(_sealed(chosen, manifest), passphrase)
    _compare(chosen, manifest, secrets)
    _refuse_other_key(secrets["files"])
    database.refuse_unless_empty()
    _refuse_filled(objects.store())
    with _taken_back_unless_done() as put:
        _put_objects(folder, chosen, put, say)
        _put_secrets(secrets["files"])
        say("objects and keys are there; now the database")
        database.load(chosen / "database")
    prepare_database()
    erased = _erase_again(folder, moment_of(chosen))
    return Restored(chosen.name, moment_of(chosen), len(put), len(manifest["lost"]), erased)


def put_in_place(staging: Path, target: Path) -> None:
    """Give the staging folder its name."""
    connections.close_all()
    shutil.rmtree(staging / "locale", ignore_errors=True)  # each start makes these
    for path in staging.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    if target.exists():
        target.rmdir()
    staging.rename(target)
    sync_folder(target.parent)


def _manifest(chosen: Path) -> dict[str, Any]:
    manifest = _read_manifest(chosen)
    if manifest["database"] != connection.vendor:
        raise BackupRefused(
            f"This backup holds a {manifest['database']} database, and the settings name a {connection.vendor} one.",
            "Set DATABASE_URL to an empty PostgreSQL database, or unset it for SQLite, and try again.",
        )
    return manifest


def _read_manifest(chosen: Path) -> dict[str, Any]:
    try:
        read: Any = json.loads((chosen / "manifest.json").read_text(encoding="ascii"))
    except ValueError:
        read = None
    match read:
        case {"format": int(other)} if other != FORMAT:
            raise BackupRefused(f"{chosen.name} was made by another version.", "Restore it with that version.")
        case {"format": int(), "database": str(), "parts": dict(), "lost": list()}:
            return dict(read)
    raise BackupRefused(f"The manifest of {chosen.name} is damaged.", OTHER)


def _sealed(chosen: Path, manifest: dict[str, Any]) -> bytes:
    path = chosen / "keys.sealed"
    if not path.exists() or described(part_of(path)) != manifest["parts"].get("keys.sealed"):
        raise BackupRefused(f"The file of keys of {chosen.name} is missing or damaged.", OTHER)
    return path.read_bytes()


def _compare(chosen: Path, manifest: dict[str, Any], secrets: dict[str, Any]) -> None:
    """Database and list are those that were sealed with the keys."""
    for name, told in secrets["parts"].items():
        path = chosen / name
        if not path.exists() or told != manifest["parts"].get(name) or described(part_of(path)) != told:
            raise BackupRefused(f"{name} of {chosen.name} is missing or was changed since.", OTHER)


def _refuse_other_key(files: dict[str, str]) -> None:
    if settings.MASTER_KEY_OWN_FILE is None and files["secrets/master.key"] not in (
        settings.MASTER_KEY,
        *settings.MASTER_KEY_FALLBACKS,
    ):
        raise BackupRefused(
            "MASTER_KEY in the environment is not the key of this backup.",
            "Unset it: the key is in the backup, and is put into DATA_DIR/secrets/master.key.",
        )


def _refuse_filled(store: FileStore) -> None:
    if next(iter(store.names()), None) is not None:
        raise BackupRefused("The object store is not empty.", "Name an empty one in OBJECT_STORE_URL.")


@contextmanager
def _taken_back_unless_done() -> Iterator[list[UUID]]:
    """The store may lie outside the staging folder: what was put there goes again when the restore fails."""
    put: list[UUID] = []
    try:
        yield put
    except BaseException:
        for object_id in put:
            objects.store().delete(object_id)
        raise


def _put_objects(folder: Folder, chosen: Path, put: list[UUID], say: Say) -> None:
    store = objects.store()
    for object_id, part in read_objects(chosen):
        with store.stage(object_id) as staged:
            for block in _checked(folder.object_path(object_id), object_id, part):
                staged.write(block)
            staged.commit()
        put.append(object_id)
        if len(put) % 1000 == 0:
            say(f"{len(put)} objects are there")


def _checked(path: Path, object_id: UUID, part: Part) -> Iterator[bytes]:
    """The bytes of one copy; BackupRefused at its end when they are not those that were copied."""
    if not path.exists():
        raise BackupRefused(f"The copy of object {object_id} is missing.", OTHER)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
            yield block
    if digest.hexdigest() != part.sha256:
        raise BackupRefused(f"The copy of object {object_id} is damaged.", OTHER)


def _put_secrets(files: dict[str, str]) -> None:
    for name, text in files.items():
        path = settings.DATA_DIR / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_durably(path, text)
    if settings.MASTER_KEY_OWN_FILE and masterkeys.present() != files["secrets/master.key"]:
        raise BackupRefused("The master key could not be put in place.", "Unset MASTER_KEY and try again.")


def _erase_again(folder: Folder, made_at: datetime) -> int:
    """A backup must not bring back who was erased after it was made."""
    later = {pk: at for pk, at in folder.erased().items() if at > made_at}
    patients = [one for one in FacilityPatient.objects.filter(pk__in=later) if _was_before(one, later[one.pk])]
    for patient in patients:
        erasure.erase(patient, actor=Actor.operator())
    return len(patients)


def _was_before(patient: FacilityPatient, at: datetime) -> bool:
    return patient.shredded_at is None or patient.shredded_at < at


def staging() -> Path:
    """The data folder of this process."""
    return Path(os.environ["DATA_DIR"])
