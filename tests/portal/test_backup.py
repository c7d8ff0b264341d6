"""Backup and restore, drilled: another machine's empty folder becomes the site, and the patient sees her picture."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from pathlib import Path
from secrets import token_bytes, token_hex
from typing import Any
from unittest.mock import Mock
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from psycopg import sql
from pytest_django import Settings

from accounts.audit import Actor
from portal.backups import database, making, restoring, vault
from portal.backups import folder as folders
from portal.backups.errors import BackupRefused
from sharing import claims
from studies.models import FacilityPatient, Rendition, SealedObject
from studies.store import masterkeys, objects
from tests.cast import PASSWORD, Cast, a_patient
from tests.portal.published import publish_for
from tests.sealed import sealed_object

ROOT = Path(__file__).resolve().parent.parent.parent
PASSPHRASE = "four quiet lakes in autumn"
# What a patient does on the restored site, in a process of its own: sign in, see the picture; and another, claim.
VISIT = """
import json, os, re, sys
from datetime import date
import django; django.setup()
from portal.embedded import site; site.prepare("http://127.0.0.1:8000")
from django.core.management import call_command
from django.test import Client
from accounts.models import User
from sharing import claims
password, study, code = sys.argv[1:]
client = Client(HTTP_HOST="127.0.0.1")
signed_in = client.post("/accounts/login/", {"login": "maria@example.org", "password": password}).status_code
page = client.get(f"/studies/{study}/")
place = re.search(r'/studies/[^"]+?thumbnail[^"]*', page.content.decode())[0]
picture = client.get(place.replace("&amp;", "&"))
start = b"".join(picture.streaming_content)[:4].decode("ascii")
call_command("verify", stdout=open(os.devnull, "w"))  # raises when anything is not whole
claims.claim(User.objects.get(email="eve@example.org"), code, date(1980, 5, 17), address="192.0.2.1")
print(json.dumps([signed_in, page.status_code, picture.status_code, start]))
"""
LOOK = """
import json, sys
import django; django.setup()
from studies.models import FacilityPatient, SealedObject
hers = FacilityPatient.objects.get(pk=sys.argv[1])
keys = SealedObject.objects.filter(patient=hers).exclude(wrapped_key=b"").count()
print(json.dumps([hers.name, len(hers.wrapped_key), keys]))
"""


@pytest.fixture(autouse=True)
def quick_scrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault, "COST", {"n": 2**10, "r": 8, "p": 1})


@pytest.fixture(autouse=True)
def own_site(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store and keys of the test's own, as on a site that keeps its key itself."""
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()
    monkeypatch.setenv("BACKUP_PASSPHRASE", PASSPHRASE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups"


def back_up(folder: Path, *more: str) -> Any:
    said = StringIO()
    call_command("backup", str(folder), *more, "--json", stdout=said, stderr=StringIO())
    return json.loads(said.getvalue())


@contextmanager
def elsewhere(tmp_path: Path, **settings: str) -> Iterator[dict[str, str]]:
    """The environment of another machine: an empty data folder and, with PostgreSQL, an empty database."""
    foreign = {"PUBLIC_URL", "DATABASE_URL", "BROKER_URL", "CACHE_URL", "OBJECT_STORE_URL", "MASTER_KEY", "SECRET_KEY"}
    kept = {name: value for name, value in os.environ.items() if name not in foreign}
    kept |= {"DATA_DIR": str(tmp_path / "elsewhere"), "DJANGO_SETTINGS_MODULE": "portal.settings", **settings}
    server = os.environ.get("DATABASE_URL", "")
    if not server:
        yield kept
        return
    name = f"restored_{token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as database:
        database.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield {**kept, "DATABASE_URL": urlsplit(server)._replace(path=f"/{name}").geturl()}
        finally:
            database.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def restore(environment: dict[str, str], folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return run(environment, "manage.py", "restore", str(folder), *more, "--json")


@pytest.mark.django_db(transaction=True)
def test_a_site_is_restored_and_its_patient_sees_her_picture(
    cast: Cast, folder: Path, tmp_path: Path, settings: Settings
) -> None:
    settings.PASSWORD_HASHERS = ["accounts.hashing.Argon2id"]  # those of the tests are no site's
    cast.maria.set_password(PASSWORD)
    cast.maria.save()
    published = publish_for(cast)
    waiting = a_patient(cast.lakeside)
    code, _row = claims.issue(waiting, actor=Actor.operator())
    made = back_up(folder)
    assert (made["lost"], made["copied"]) == ([], made["objects"])
    with elsewhere(tmp_path) as environment:
        restored = restore(environment, folder)
        assert restored.returncode == 0, restored.stderr
        assert json.loads(restored.stdout)["problems"] == []
        data = Path(environment["DATA_DIR"])
        assert [path.name for path in data.rglob("*") if path.stat().st_mode & 0o077] == []
        assert (data / "secrets/master.key").read_text() == masterkeys.present()
        visit = run(environment, "-c", VISIT, PASSWORD, str(published.study.pk), code)
        assert visit.returncode == 0, visit.stderr
        assert json.loads(visit.stdout.splitlines()[-1]) == [302, 200, 200, "RIFF"]  # a WebP


@pytest.mark.django_db(transaction=True)
class TestBackup:
    def test_only_new_objects_are_copied(self, cast: Cast, folder: Path) -> None:
        publish_for(cast)
        first, again = back_up(folder), back_up(folder)
        assert first["copied"] == first["objects"] > 2
        assert (again["copied"], again["objects"]) == (0, first["objects"])

    def test_everything_in_it_is_for_its_owner_alone(self, cast: Cast, folder: Path) -> None:
        publish_for(cast)
        back_up(folder)
        assert [path for path in (folder, *folder.rglob("*")) if path.stat().st_mode & 0o077] == []

    def test_no_key_lies_open_in_it(self, cast: Cast, folder: Path, settings: Settings) -> None:
        back_up(folder)
        for path in folder.rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                assert masterkeys.present().encode() not in content, path.name
                assert settings.SECRET_KEY.encode() not in content, path.name

    def test_an_interrupted_one_is_none_and_is_swept(
        self, cast: Cast, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        publish_for(cast)
        with monkeypatch.context() as broken:
            broken.setattr(making, "_secrets", Mock(side_effect=KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                back_up(folder)
        assert list(folder.glob("snapshots/.making-*"))
        back_up(folder)
        assert not list(folder.glob("snapshots/.making-*"))
        assert len(list(folder.glob("snapshots/*"))) == 1

    def test_pictures_replaced_meanwhile_are_those_of_one_moment(
        self, cast: Cast, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Between the database and the objects a stack is replaced, and the sweep takes the old one."""
        published = publish_for(cast)
        real = database.dump
        dumps: list[int] = []

        def dump(target: Path) -> Any:
            named = real(target)
            dumps.append(len(named))
            if len(dumps) == 1:
                _replace_stack(published.series_id)
            return named

        monkeypatch.setattr(database, "dump", dump)
        made = back_up(folder)
        assert len(dumps) == 2
        assert made["lost"] == []

    def test_damage_is_said_and_does_not_stop_it(self, cast: Cast, folder: Path) -> None:
        publish_for(cast)
        lost = SealedObject.objects.filter(kind="pack").first()
        assert lost is not None
        objects.store().delete(lost.pk)
        said = StringIO()
        with pytest.raises(CommandError, match="1 object is damaged or missing"):
            call_command("backup", str(folder), "--json", stdout=said)
        assert json.loads(said.getvalue())["lost"] == [str(lost.pk)]

    def test_old_snapshots_and_what_only_they_name_are_thrown_away(
        self, cast: Cast, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        published = publish_for(cast)
        back_up(folder)
        before = set(folder.glob("objects/*/*.lbx"))
        _replace_stack(published.series_id)
        now = timezone.now()
        monkeypatch.setattr(timezone, "now", lambda: now + timedelta(days=36))
        assert back_up(folder)["expired"] == 1
        assert len(list(folder.glob("snapshots/*"))) == 1
        assert len(before - set(folder.glob("objects/*/*.lbx"))) == 1

    def test_it_refuses_what_would_die_with_the_site(self, cast: Cast, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match="within the data"):
            back_up(tmp_path / "store" / "backups")

    def test_it_refuses_a_short_passphrase(
        self, cast: Cast, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "passphrase").write_text("short\n")
        with pytest.raises(CommandError, match="fewer than 12"):
            back_up(folder, "--passphrase-file", str(tmp_path / "passphrase"))
        monkeypatch.delenv("BACKUP_PASSPHRASE")
        with pytest.raises(CommandError, match="No passphrase was given"):
            back_up(folder)


@pytest.mark.django_db(transaction=True)
class TestWhatIsNotRestored:
    """Each in a sentence, before there is anything in the place that is restored to."""

    @pytest.fixture
    def snapshot(self, cast: Cast, folder: Path) -> Path:
        publish_for(cast)
        back_up(folder)
        (made,) = folder.glob("snapshots/*")
        return made

    @pytest.fixture
    def refusal(
        self, snapshot: Path, folder: Path, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> Callable[..., str]:
        """What a restore into another, empty store says, in this process; its database would be asked for last."""
        settings.OBJECT_STORE_URL = (tmp_path / "other").as_uri()
        monkeypatch.setattr(database, "refuse_unless_empty", lambda: None)
        monkeypatch.setattr(database, "load", Mock(side_effect=AssertionError("the database was touched")))

        def refused(passphrase: str = PASSPHRASE, name: str = "") -> str:
            with pytest.raises(BackupRefused) as refusal:
                restoring.restore(folder, passphrase, snapshot=name, say=lambda _: None)
            return f"{refusal.value.message} {refusal.value.hint}"

        return refused

    def test_one_whose_passphrase_is_another(self, refusal: Callable[..., str]) -> None:
        assert "passphrase does not open" in refusal(passphrase="another long passphrase")

    def test_one_with_a_damaged_or_missing_object(self, refusal: Callable[..., str], folder: Path) -> None:
        one = next(folder.glob("objects/*/*.lbx"))
        with changed(one):
            assert f"object {UUID(hex=one.stem)} is damaged" in refusal()
        with missing(one):
            assert f"object {UUID(hex=one.stem)} is missing" in refusal()
        assert not [path for path in objects.store().root.rglob("*") if path.is_file()]

    @pytest.mark.parametrize("name", ["database", "objects.txt", "keys.sealed"])
    def test_one_with_a_damaged_or_missing_part(self, refusal: Callable[..., str], snapshot: Path, name: str) -> None:
        with changed(snapshot / name):
            assert snapshot.name in refusal()
        with missing(snapshot / name):
            assert snapshot.name in refusal()

    def test_one_whose_database_was_exchanged_together_with_its_digest(
        self, refusal: Callable[..., str], snapshot: Path
    ) -> None:
        with changed(snapshot / "database"):
            manifest = json.loads((snapshot / "manifest.json").read_text())
            manifest["parts"]["database"] = folders.described(folders.part_of(snapshot / "database"))
            (snapshot / "manifest.json").write_text(json.dumps(manifest))
            assert "was changed since" in refusal()

    def test_one_that_was_interrupted_or_is_not_there(self, refusal: Callable[..., str], snapshot: Path) -> None:
        assert "no such whole snapshot" in refusal(name="yesterday")
        with missing(snapshot / "manifest.json"):
            assert "no whole snapshot" in refusal()

    def test_one_whose_manifest_is_damaged(self, refusal: Callable[..., str], snapshot: Path) -> None:
        manifest = snapshot / "manifest.json"
        without_parts = json.dumps({**json.loads(manifest.read_text()), "parts": {}})
        for content in ("", "[]", "null", "{}", '{"format": 1}', "\u00e4"):
            manifest.write_text(content)
            assert f"The manifest of {snapshot.name} is damaged" in refusal()
        manifest.write_text(without_parts)
        assert "missing or damaged" in refusal()
        manifest.write_text('{"format": 2}')
        assert "another version" in refusal()

    def test_one_of_another_kind_of_database(self, refusal: Callable[..., str], snapshot: Path) -> None:
        manifest = json.loads((snapshot / "manifest.json").read_text())
        (snapshot / "manifest.json").write_text(json.dumps({**manifest, "database": "oracle"}))
        assert "holds a oracle database" in refusal()

    def test_one_of_another_master_key(self, refusal: Callable[..., str], settings: Settings) -> None:
        settings.MASTER_KEY_OWN_FILE, settings.MASTER_KEY = None, base64.b64encode(token_bytes(32)).decode()
        assert "not the key of this backup" in refusal()

    def test_into_a_store_that_is_not_empty(self, refusal: Callable[..., str], settings: Settings) -> None:
        settings.OBJECT_STORE_URL = settings.OBJECT_STORE_URL.replace("other", "store")
        assert "not empty" in refusal()


@pytest.mark.django_db(transaction=True)
def test_a_restore_that_fails_leaves_nothing_and_one_over_something_is_refused(
    cast: Cast, folder: Path, tmp_path: Path
) -> None:
    back_up(folder)
    with elsewhere(tmp_path) as environment:
        failed = restore({**environment, "BACKUP_PASSPHRASE": "another long passphrase"}, folder)
        assert (failed.returncode, "passphrase does not open" in failed.stderr) == (2, True)
        assert not (tmp_path / "elsewhere").exists()
        assert not list(tmp_path.glob(".elsewhere*"))
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / "a file").touch()
        refused = restore(environment, folder)
        assert (refused.returncode, "is not empty" in refused.stderr) == (2, True)
        assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["a file"]


@pytest.mark.django_db(transaction=True)
def test_a_restore_does_not_bring_back_who_was_erased(cast: Cast, folder: Path, tmp_path: Path) -> None:
    publish_for(cast)
    older = back_up(folder)["snapshot"]
    call_command("shred", cast.lakeside.slug, "PUB-1", "--yes", stdout=StringIO())
    back_up(folder)
    patient = FacilityPatient.objects.get(patient_id="PUB-1")
    with elsewhere(tmp_path) as environment:
        restored = restore(environment, folder, "--snapshot", older)
        assert restored.returncode == 0, restored.stderr
        assert json.loads(restored.stdout)["erased"] == 1
        assert json.loads(run(environment, "-c", LOOK, str(patient.pk)).stdout) == ["", 0, 0]


def _replace_stack(series_id: Any) -> None:
    """What the pipeline does to a series that got another picture, and the sweep after it."""
    rendition = Rendition.objects.filter(series=series_id).first()
    assert rendition is not None
    old = rendition.stack
    new = sealed_object(old.facility, old.patient, old.kind, objects.read(old))  # type: ignore[arg-type]
    Rendition.objects.filter(stack=old).update(stack=new)
    gone = old.pk
    old.delete()
    objects.store().delete(gone)


@contextmanager
def changed(path: Path) -> Iterator[None]:
    """One bit of a file is another, for a while."""
    before = path.read_bytes()
    path.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    yield
    path.write_bytes(before)


@contextmanager
def missing(path: Path) -> Iterator[None]:
    """A file is away, for a while."""
    aside = path.with_name("aside")
    shutil.move(path, aside)
    yield
    shutil.move(aside, path)


def test_a_vault_opens_with_its_passphrase_alone() -> None:
    sealed = vault.seal({"a": "b"}, PASSPHRASE)
    assert vault.open_sealed(sealed, PASSPHRASE) == {"a": "b"}
    told = json.loads(sealed)
    changes: list[dict[str, Any]] = [
        {"n": 3},
        {"n": 2**30},
        {"n": 2**20, "r": 16},
        {"nonce": ""},
        {"nonce": "AAAA"},
        {"salt": ""},
        {"n": None},
    ]
    spoilt = [sealed.replace('"r": 8', '"r": 4'), sealed[:-9], "{}", *(json.dumps({**told, **one}) for one in changes)]
    for wrong in spoilt:
        with pytest.raises(BackupRefused):
            vault.open_sealed(wrong, PASSPHRASE)
