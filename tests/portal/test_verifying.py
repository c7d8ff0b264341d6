"""`manage.py verify` finds whatever we can think of, says it in sentences and ends with 1."""

from __future__ import annotations

import json
import random
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from portal import checks
from studies.models import FacilityPatient, Instance, Rendition, SealedObject, Study
from studies.store import damage, objects, sealing
from tests.cast import Cast, a_patient
from tests.portal.published import Published, publish_for

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, settings: Settings) -> None:
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()


@pytest.fixture
def published(cast: Cast) -> Published:
    return publish_for(cast)


def verify(*more: str) -> Any:
    said = StringIO()
    call_command("verify", *more, "--json", stdout=said, stderr=StringIO())
    return json.loads(said.getvalue())


def problems(*more: str) -> str:
    said = StringIO()
    with pytest.raises(CommandError) as refused:
        call_command("verify", *more, "--json", stdout=said, stderr=StringIO())
    assert refused.value.returncode == 1
    told = json.loads(said.getvalue())
    assert told["whole"] is False
    return "\n".join(told["problems"])


def file_of(sealed: SealedObject) -> Path:
    return objects.store().root / "objects" / sealed.pk.hex[:2] / f"{sealed.pk.hex}.lbx"


def test_a_whole_site_is_whole(published: Published) -> None:
    said = verify()
    assert (said["whole"], said["problems"]) == (True, [])
    assert said["looked_at"]["instance"] == 3
    assert said["looked_at"]["pack"] >= 1
    assert not SealedObject.objects.filter(checked_at=None).exists()
    assert verify("--quick")["whole"] is True


@pytest.mark.parametrize("kind", list(SealedObject.Kind))
def test_a_flipped_bit_in_any_kind_of_object_is_found(published: Published, kind: str) -> None:
    sealed = SealedObject.objects.filter(kind=kind).first()
    assert sealed is not None
    content = bytearray(file_of(sealed).read_bytes())
    content[random.Random(5).randrange(len(content))] ^= 4
    file_of(sealed).write_bytes(content)
    assert f"1 object is damaged, its bytes are not those that were sealed: {sealed.pk}." in problems()
    sealed.refresh_from_db()
    assert sealed.damaged_at is not None


@pytest.mark.parametrize("more", [(), ("--quick",)])
def test_a_missing_and_a_cut_file_are_found_by_the_quick_look_too(published: Published, more: tuple[str, ...]) -> None:
    first, second = SealedObject.objects.order_by("pk")[:2]
    file_of(first).unlink()
    file_of(second).write_bytes(file_of(second).read_bytes()[:-1])
    said = problems(*more)
    assert f"1 object is damaged, its file is missing: {first.pk}." in said
    assert f"not those that were sealed: {second.pk}" in said


def test_what_was_put_back_is_whole_again(published: Published) -> None:
    sealed = SealedObject.objects.order_by("pk")[0]
    damage.note(sealed, "bytes")
    assert verify()["whole"] is True
    sealed.refresh_from_db()
    assert sealed.damaged_at is None


def test_a_damaged_key_is_found_and_a_wrong_master_key_damages_nothing(published: Published) -> None:
    sealed = SealedObject.objects.order_by("pk")[0]
    SealedObject.objects.filter(pk=sealed.pk).update(wrapped_key=sealing.wrap(sealing.new_key(), sealing.new_key()))
    assert f"1 object is damaged, its key does not open: {sealed.pk}." in problems("--quick")
    SealedObject.objects.update(damaged_at=None)
    FacilityPatient.objects.update(wrapped_key=sealing.wrap(sealing.new_key(), sealing.new_key()))
    assert "MASTER_KEY does not open what is stored here" in problems()
    assert not SealedObject.objects.exclude(damaged_at=None).exists()


def test_rows_that_reach_beyond_their_object_are_found(published: Published) -> None:
    Instance.objects.filter(pk=Instance.objects.earliest("pk").pk).update(offset=10**9)
    rendition = Rendition.objects.earliest("pk")
    rendition.pictures = [[*rendition.pictures[0][:2], 10**9, 5, 1, 1]]
    rendition.save()
    said = problems("--quick")
    assert "1 instance reaches beyond the end of its object." in said
    assert "1 stack of pictures is shorter than its row says." in said


def test_a_study_that_was_given_to_another_patient_is_found(cast: Cast, published: Published) -> None:
    Study.objects.filter(pk=published.study.pk).update(patient=a_patient(cast.lakeside))
    said = problems("--quick")
    for rows in ("3 instances are", "2 stacks of pictures are", "1 report is"):
        assert f"{rows} sealed for another patient than the study's." in said


def test_instances_that_are_not_those_received_are_found(published: Published) -> None:
    Instance.objects.filter(pk=Instance.objects.earliest("pk").pk).update(sha256=bytes(32))
    assert "an instance in it is not the one received" in problems()


def test_a_record_of_deeds_that_can_be_changed_is_found(published: Published) -> None:
    triggers = import_module("accounts.migrations.0002_audit_is_final")
    with connection.cursor() as cursor:
        cursor.execute(triggers.REMOVE[connection.vendor][0])
    assert "can be changed: its trigger" in problems("--quick")


def test_people_read_what_was_looked_at(published: Published) -> None:
    said = StringIO()
    call_command("verify", stdout=said)
    assert said.getvalue().startswith("Everything is whole.")
    assert "Looked at: 3 instances, 0 files set aside," in said.getvalue()
    assert "1 report, " in said.getvalue()


def test_many_of_a_kind_are_told_as_many(published: Published) -> None:
    first, second, *_ = SealedObject.objects.order_by("pk")
    for sealed in (first, second):
        file_of(sealed).unlink()
    assert f"2 objects are damaged, their files are missing: {first.pk}, {second.pk}." in problems("--quick")


def test_the_deploy_check_counts_what_is_damaged(published: Published) -> None:
    assert checks.nothing_is_damaged(databases=["default"]) == []
    damage.note(SealedObject.objects.order_by("pk")[0], "bytes")
    (warning,) = checks.nothing_is_damaged(databases=["default"])
    assert (warning.id, warning.msg) == ("portal.W004", "1 stored object is damaged.")
