"""Other keys: everything opens during and after, nothing needs the old one, and a killed rotation goes on."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from secrets import token_bytes
from threading import Event
from typing import Any

import pytest
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.core.management import CommandError, call_command
from pytest_django import Settings

from accounts.audit import Actor
from accounts.errors import Conflict
from accounts.models import AuditEvent, Facility
from portal import rotation
from sharing import claims, codes, openings
from studies.models import FacilityPatient, SealedObject
from studies.store import keys, masterkeys, objects, rewrapping
from studies.store.keys import KeyLost
from tests import cast as stage
from tests.at_once import at_once
from tests.cast import Cast, a_patient
from tests.sealed import sealed_object
from tests.sharing.links_made import give

BODY = b"as it was sent"
KIND = SealedObject.Kind.PACK

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_store", "no_waiting")]


@pytest.fixture
def own_store(tmp_path: Path, settings: Settings) -> None:
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "SETTLE", 0.0)


@pytest.fixture
def key_file(tmp_path: Path, settings: Settings) -> Path:
    """A site that keeps its master key itself."""
    settings.SECRETS_DIR = tmp_path / "secrets"
    settings.SECRETS_DIR.mkdir(mode=0o700)
    own: Path = settings.SECRETS_DIR / "master.key"
    own.write_text(settings.MASTER_KEY)
    own.chmod(0o600)
    settings.MASTER_KEY_OWN_FILE, settings.MASTER_KEY_STAMP = own, masterkeys.stamp_of(own)
    return own


@pytest.fixture
def sealed(cast: Cast) -> list[SealedObject]:
    """Objects of two patients and of nobody."""
    patients = [cast.patient, a_patient(cast.hilltop), None]
    return [sealed_object(cast.lakeside, patient, KIND, [BODY]) for patient in patients]


def all_open() -> bool:
    rows = SealedObject.objects.select_related("patient")
    return all(b"".join(objects.read(row)) == BODY for row in rows)


def rotate(*arguments: str) -> Any:
    said = StringIO()
    call_command("rotatekeys", *arguments, "--json", stdout=said, stderr=StringIO())
    return json.loads(said.getvalue())


def another_key() -> str:
    return base64.b64encode(token_bytes(32)).decode()


def test_a_site_that_keeps_its_key_itself_gets_another(
    key_file: Path, sealed: list[SealedObject], cast: Cast, settings: Settings
) -> None:
    text, code = claims.issue(cast.patient, actor=Actor.operator())
    link = give(cast.maria)
    recovery = RecoveryCodes.activate(cast.tom).generate_codes()
    former = key_file.read_text()
    said = rotate()
    assert said["done"] is True
    assert said["renewed"] >= 6  # two patients, an object of nobody, seeds and the code
    assert key_file.read_text() != former
    assert [path.name for path in key_file.parent.iterdir() if not path.name.startswith(".")] == ["master.key"]
    assert key_file.stat().st_mode & 0o777 == 0o600
    # A process that starts now knows nothing of the former key.
    settings.MASTER_KEY, settings.MASTER_KEY_STAMP = key_file.read_text(), masterkeys.stamp_of(key_file)
    assert all_open()
    assert get_adapter().decrypt(Authenticator.objects.get(user=cast.tom, type="totp").data["secret"]) == stage.SEED
    assert RecoveryCodes(Authenticator.objects.get(user=cast.tom, type="recovery_codes")).generate_codes() == recovery
    code.refresh_from_db()
    assert codes.matches(codes.tidy(text), code.digest)
    assert openings.open_code(link.code, link.passcode, session=None, host=None, address="192.0.2.1")
    event = AuditEvent.objects.get(action="keys_rotated")
    assert (event.actor_kind, event.detail["unopened"]) == ("operator", 0)


def test_a_running_process_follows_and_wraps_by_the_new_key(key_file: Path, sealed: list[SealedObject]) -> None:
    rotate()
    assert all_open()  # its settings still hold the former key
    patient = a_patient(Facility.objects.earliest("pk"))
    assert rewrapping.patients_by_master(lambda tally: None).renewed == 0
    assert len(keys.patient_key(patient)) == 32


@pytest.mark.parametrize("killed_after", [1, 2, 3])
def test_a_killed_rotation_goes_on(
    killed_after: int, key_file: Path, sealed: list[SealedObject], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after so many rows: both keys open until the next run, which makes no third key."""
    former, real = key_file.read_text(), rewrapping._rewrap
    calls: list[object] = []

    def dying(row: Any) -> Any:
        calls.append(row)
        if len(calls) > killed_after:
            raise KeyboardInterrupt
        return real(row)

    monkeypatch.setattr(rewrapping, "BATCH", 1)
    monkeypatch.setattr(rewrapping, "_rewrap", dying)
    with pytest.raises(KeyboardInterrupt):
        rotate()
    monkeypatch.setattr(rewrapping, "_rewrap", real)
    begun = key_file.read_text()
    assert begun != former
    assert rotation.is_under_way()
    assert all_open()
    assert rotate()["done"] is True
    assert key_file.read_text() == begun
    assert not rotation.is_under_way()
    assert all_open()


def test_a_rotation_killed_before_the_new_key_was_in_place_begins_anew(key_file: Path, cast: Cast) -> None:
    (key_file.parent / "master.key.former").write_text(key_file.read_text())
    before = key_file.read_text()
    assert rotate()["done"] is True
    assert key_file.read_text() != before


def test_a_key_from_the_environment_is_followed(sealed: list[SealedObject], settings: Settings) -> None:
    settings.MASTER_KEY_OWN_FILE = None
    with pytest.raises(CommandError, match="MASTER_KEY_FALLBACKS"):
        rotate()
    settings.MASTER_KEY, settings.MASTER_KEY_FALLBACKS = another_key(), [settings.MASTER_KEY]
    assert rotate()["done"] is True
    settings.MASTER_KEY_FALLBACKS = []
    assert all_open()
    assert issubclass(Conflict, Exception)


def test_a_wrong_old_key_is_said_and_changes_nothing(
    key_file: Path, sealed: list[SealedObject], settings: Settings
) -> None:
    right = key_file.read_text()
    key_file.write_text(another_key())
    with pytest.raises(CommandError, match="open with none of the keys"):
        rotate()
    assert rotation.is_under_way()
    settings.MASTER_KEY_FALLBACKS = [right]
    assert all_open()
    assert rotate()["done"] is True
    settings.MASTER_KEY_FALLBACKS = []
    assert all_open()


def test_patients_get_other_keys_and_their_objects_open(sealed: list[SealedObject], key_file: Path) -> None:
    before = {patient.pk: keys.patient_key(patient) for patient in FacilityPatient.objects.all()}
    stale = list(SealedObject.objects.select_related("patient"))
    assert rotate("--patients")["renewed"] == len(before)
    assert all(keys.patient_key(patient) != before[patient.pk] for patient in FacilityPatient.objects.all())
    assert all_open()
    assert all(b"".join(objects.read(row)) == BODY for row in stale)  # read before, opened after
    assert not (key_file.parent / "patients.rotated").exists()


def test_a_killed_rotation_of_patients_goes_on_behind_the_last(
    sealed: list[SealedObject], key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = rewrapping._renew
    seen: list[Any] = []

    def dying(pk: Any) -> Any:
        if len(seen) == 1:
            raise KeyboardInterrupt
        seen.append(pk)
        return real(pk)

    monkeypatch.setattr(rewrapping, "_renew", dying)
    with pytest.raises(KeyboardInterrupt):
        rotate("--patients")
    monkeypatch.setattr(rewrapping, "_renew", real)
    assert all_open()
    assert rotate("--patients")["renewed"] == FacilityPatient.objects.count() - 1
    assert all_open()


@pytest.mark.django_db(transaction=True)
def test_readers_and_writers_go_on_while_keys_rotate(key_file: Path, sealed: list[SealedObject], cast: Cast) -> None:
    over = Event()

    def until_over(deed: Callable[[], None]) -> Callable[[], int]:
        def work() -> int:
            done = 0
            while not over.is_set() or not done:
                deed()
                done += 1
            return done

        return work

    def read() -> None:
        assert all_open()

    def write() -> None:
        patient = FacilityPatient.objects.get(pk=cast.patient.pk)
        sealed_object(cast.lakeside, patient, KIND, [BODY])

    def turn() -> Iterator[Any]:
        try:
            for _ in range(3):
                yield rotate()
                yield rotate("--patients")
        finally:
            over.set()

    outcomes = at_once([until_over(read), until_over(read), until_over(write), lambda: list(turn())])
    assert [outcome for outcome in outcomes if isinstance(outcome, BaseException)] == []
    assert all(said["done"] for said in outcomes[3])
    assert all_open()


def test_only_one_rotation_runs_at_a_time_and_an_erased_patient_stays_erased(
    key_file: Path, sealed: list[SealedObject], cast: Cast
) -> None:
    FacilityPatient.objects.filter(pk=cast.patient.pk).update(wrapped_key=b"")
    rotate()
    rotate("--patients")
    assert not FacilityPatient.objects.get(pk=cast.patient.pk).wrapped_key
    with pytest.raises(keys.Erased):
        objects.read(sealed[0])


def test_a_former_key_opens_nothing_afterwards(key_file: Path, sealed: list[SealedObject], settings: Settings) -> None:
    former = key_file.read_text()
    rotate()
    settings.MASTER_KEY_OWN_FILE, settings.MASTER_KEY = None, former
    for patient in FacilityPatient.objects.all():
        with pytest.raises(KeyLost):
            keys.patient_key(patient)
