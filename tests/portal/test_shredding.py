"""Erasure: nobody reads her images again, the rows that stay do not speak of her, and the facility may begin anew."""

from __future__ import annotations

import json
import os
import time
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from accounts.audit import Actor
from accounts.errors import Conflict
from accounts.models import AuditEvent
from portal import delivery
from sharing import access, claims, disclosures, releases
from sharing.models import ClaimCode, Link
from studies import catalog, intake, pipeline, receipts, reports
from studies.models import Demographics, FacilityPatient, Instance, Quarantined, Rendition, SealedObject, Study
from studies.store import keys, objects, tidying
from studies.store.keys import Erased
from tests import factories
from tests.cast import Cast
from tests.portal.published import Published, publish_for

OPERATOR = Actor.operator()

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, settings: Settings) -> None:
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()


@pytest.fixture
def published(cast: Cast) -> Published:
    return publish_for(cast)


def shred(cast: Cast, patient_id: str = "PUB-1", *more: str) -> Any:
    said = StringIO()
    call_command("shred", cast.lakeside.slug, patient_id, "--yes", *more, "--json", stdout=said)
    return json.loads(said.getvalue())


def test_nobody_reads_it_again_from_the_next_read_on(cast: Cast, published: Published) -> None:
    staff = access.viewer_for(cast.tom)
    leave = delivery.admit(staff, published.study.pk, access.Right.SEE)
    said = shred(cast)
    assert (said["studies"], said["instances"], said["reports"]) == (1, 3, 1)
    assert said["objects"] >= 3
    hers = SealedObject.objects.select_related("patient").filter(patient__patient_id="PUB-1")
    assert hers.count() >= 2
    for sealed in hers:  # no key is kept anywhere: the next row read says so
        with pytest.raises(Erased):
            objects.read(sealed)
    with pytest.raises(Erased):
        reports.blocks(published.study.reports.get())
    assert list(catalog.originals(published.study)) == []
    assert [view.count for view in catalog.series_of(published.study)] == []
    with pytest.raises(delivery.LookEnded):
        delivery._ask_again(leave)


def test_its_patient_finds_nothing_and_reads_what_became_of_it(
    cast: Cast, published: Published, client: Client
) -> None:
    shred(cast)
    client.force_login(cast.maria)
    assert client.get(f"/studies/{published.study.pk}/").status_code == 404
    told = disclosures.tell(disclosures.activity(cast.maria), cast.maria)
    assert "erased the images for good" in [str(look.what) for look in told]


def test_staff_see_calmly_that_it_was_erased(cast: Cast, published: Published, client: Client) -> None:
    shred(cast)
    client.force_login(cast.tom)
    page = client.get(f"/studies/{published.study.pk}/")
    assert page.status_code == 410
    assert "These images were erased at the facility&#x27;s request." in page.content.decode()
    patient = FacilityPatient.objects.get(patient_id="PUB-1")
    desk = client.get(f"/desk/patients/{patient.pk}/")
    assert desk.status_code == 200
    assert "Erased at the facility&#x27;s request." in desk.content.decode()


def test_the_rows_that_stay_do_not_speak_of_her(cast: Cast, published: Published) -> None:
    shred(cast)
    patient = FacilityPatient.objects.get(patient_id="PUB-1")
    assert (patient.name, patient.name_words, patient.birth_date, patient.sex) == ("", "", None, "")
    assert bytes(patient.wrapped_key) == b""
    assert patient.shredded_at is not None
    assert not Demographics.objects.filter(patient=patient).exists()
    study = Study.objects.get(pk=published.study.pk)
    assert (study.description, study.accession_number, study.referring_physician, study.study_date) == (
        "",
        "",
        "",
        None,
    )
    assert [one.facts for one in Instance.objects.filter(study=study)] == [{}, {}, {}]
    assert not Rendition.objects.filter(series__study=study).exists()
    assert not SealedObject.objects.filter(patient=patient).exclude(wrapped_key=b"").exists()


def test_the_receipt_says_withdrawn_and_erased(cast: Cast, published: Published) -> None:
    shred(cast)
    withdrawn = releases.is_withdrawn(cast.lakeside, published.study.study_uid)
    receipt = receipts.receipt(cast.lakeside, published.study.study_uid, is_withdrawn=withdrawn)
    assert receipt["state"] == "withdrawn"
    assert {row["state"] for row in receipt["instances"]} == {"erased"}


def test_codes_and_the_link_end(cast: Cast, published: Published) -> None:
    patient = FacilityPatient.objects.get(patient_id="PUB-1")
    claims.issue(patient, actor=OPERATOR)
    shred(cast)
    assert not ClaimCode.objects.filter(patient=patient, revoked_at=None).exists()
    assert not Link.objects.filter(patient=patient, ended_at=None).exists()


def test_the_certificate_is_an_event_of_the_record(cast: Cast, published: Published) -> None:
    said = shred(cast)
    event = AuditEvent.objects.get(pk=said["event"])
    assert (event.action, event.actor_kind, event.record_id) == ("erased", "operator", cast.maria.record.pk)
    assert (event.detail["studies"], event.detail["instances"]) == (1, 3)
    assert "PUB-1" not in json.dumps(event.detail)


@pytest.mark.django_db(transaction=True)
def test_the_files_go_with_the_commit_and_the_sweep_takes_what_is_left(
    cast: Cast, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studies.store.shredding._delete", lambda gone: None)  # the process died after its commit
    hers = set(SealedObject.objects.filter(patient__patient_id="PUB-1").values_list("pk", flat=True))
    shred(cast)
    assert hers <= set(objects.store().names())
    then = time.time() - 2 * 86_400
    for path in objects.store().root.rglob("*.lbx"):
        os.utime(path, (then, then))
    tidying.tidy()
    assert not hers & set(objects.store().names())


@pytest.mark.django_db(transaction=True)
def test_the_files_go_at_once_and_a_reader_in_between_calls_nothing_damaged(cast: Cast, published: Published) -> None:
    before = list(catalog.originals(published.study))
    shred(cast)
    assert not list(objects.store().names())
    with pytest.raises(Erased):
        before[0].blocks()
    assert not SealedObject.objects.exclude(damaged_at=None).exists()


def test_another_patient_keeps_everything(cast: Cast, published: Published) -> None:
    intake.publish(cast.lakeside, [[file] for file in factories.ct_series(2, study=8, PatientID="PUB-2")])
    shred(cast)
    other = Study.objects.get(study_uid=factories.uid(8))
    assert [len(b"".join(one.blocks())) > 1000 for one in catalog.originals(other)] == [True, True]


def test_what_was_set_aside_of_her_goes_too(cast: Cast, published: Published) -> None:
    intake.publish(cast.lakeside, [[factories.ct_file(1, study=8, PatientID="PUB-2")]])
    odd = factories.ct_file(1, study=8, series=2, PatientID="PUB-1")
    assert len(intake.publish(cast.lakeside, [[odd]]).quarantined) == 1
    shred(cast)
    held = Quarantined.objects.get()
    assert (held.patient_name, held.birth_date, held.outcome) == ("", None, "left_out")
    with pytest.raises(Erased):
        objects.read(held.pack)


def test_her_facility_may_publish_and_release_again(cast: Cast, published: Published) -> None:
    shred(cast)
    with pytest.raises(Conflict, match="conflict"):
        releases.release(published.study, actor=OPERATOR)
    files = factories.ct_series(3, study=9, PatientID="PUB-1")
    assert len(intake.publish(cast.lakeside, [[file] for file in files]).stored) == 3
    pipeline.advance(published.study.pk, at_once=True)
    study = Study.objects.get(pk=published.study.pk)
    assert [b"".join(one.blocks()) for one in catalog.originals(study)] == files
    assert catalog.series_of(study)[0].count == 3
    patient = FacilityPatient.objects.get(patient_id="PUB-1")
    assert len(keys.patient_key(patient)) == 32
    assert patient.name == "ZEBRAFISH^Maria"
    assert releases.is_withdrawn(cast.lakeside, study.study_uid)
    assert study not in access.visible_to(access.viewer_for(cast.maria))
    releases.release(study, actor=OPERATOR)
    assert study not in access.visible_to(access.viewer_for(cast.maria))  # she claims anew


def test_shredding_twice_changes_nothing(cast: Cast, published: Published) -> None:
    shred(cast)
    assert shred(cast)["objects"] == 0


def test_it_asks_before_and_names_what_is_unknown(cast: Cast, published: Published) -> None:
    with pytest.raises(CommandError, match="--yes"):
        call_command("shred", cast.lakeside.slug, "PUB-1", stdout=StringIO())
    assert FacilityPatient.objects.get(patient_id="PUB-1").shredded_at is None
    with pytest.raises(CommandError, match="no such patient"):
        shred(cast, "PUB-9")


def test_people_read_what_backups_still_hold(cast: Cast, published: Published) -> None:
    said = StringIO()
    call_command("shred", cast.lakeside.slug, "PUB-1", "--yes", stdout=said)
    assert "35 days" in said.getvalue()
    assert "Her key is destroyed" in said.getvalue()
