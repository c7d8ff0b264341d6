"""The desk's queue of what was set aside: read, decided and told, by one facility's staff."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts.audit import Action
from accounts.models import AuditEvent
from sharing import desk, releases, wording
from studies import intake, pipeline, quarantine
from studies.models import FacilityPatient, Job, Quarantined, Study
from studies.store import damage
from tests import factories
from tests.cast import Cast, a_patient, a_study
from tests.portal.published import publish_for
from tests.reading import words_of


@pytest.fixture(autouse=True)
def _store(tmp_path: Path, settings: Settings) -> None:
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()


@pytest.fixture
def tom(client: Client, cast: Cast) -> Client:
    client.force_login(cast.tom)
    return client


def set_aside(cast: Cast, count: int = 2, **attributes: object) -> int:
    """Files that wait at Lakeside; the number of their group."""
    said = {"study": 8, "PatientID": None, **attributes}
    files = [[factories.ct_file(number, **said)] for number in range(1, count + 1)]
    assert len(intake.publish(cast.lakeside, files).quarantined) == count
    return quarantine.waiting(cast.lakeside)[0].key


def at(name: str, *ids: object) -> str:
    return reverse(name, args=ids)


def upto() -> dict[str, str]:
    return {"upto": str(Quarantined.objects.order_by("-pk").values_list("pk", flat=True)[0])}


def ready(study_uid: str = factories.uid(8)) -> Study:
    study = Study.objects.get(study_uid=study_uid)
    pipeline.advance(study.pk, at_once=True)
    study.refresh_from_db()
    return study


def test_the_desk_says_how_many_wait_and_leads_there(tom: Client, cast: Cast) -> None:
    assert "for a check" not in words_of(tom.get(at("desk")))
    key = set_aside(cast)
    assert "1 delivery waits for a check" in words_of(tom.get(at("desk")))
    listed = tom.get(at("desk_waiting"))
    assert "ZEBRAFISH, Maria The files name no MRN. 2 images" in words_of(listed)
    assert at("desk_held", key) in listed.content.decode()


def test_what_was_damaged_meanwhile_can_still_be_left_out(tom: Client, cast: Cast) -> None:
    key = set_aside(cast)
    damage.note(Quarantined.objects.filter(pk=key).get().pack, "bytes")
    assert "ZEBRAFISH, Maria" in words_of(tom.get(at("desk_held", key)))
    assert tom.get(at("desk_leave_out", key)).status_code == 200
    tom.post(at("desk_leave_out", key), {**upto(), "why": "test"})
    assert quarantine.count(cast.lakeside) == 0


def test_an_empty_queue_says_so(tom: Client) -> None:
    assert "Nothing waits" in words_of(tom.get(at("desk_waiting")))


def test_a_group_tells_whose_it_says_it_is_beside_whose_it_can_be(tom: Client, cast: Cast) -> None:
    publish_for(cast)
    key = set_aside(cast, 1, study=9, PatientID="PUB-2", PatientName="ZEBRAFISH^Zoë", SpecificCharacterSet="ISO_IR 192")
    said = words_of(tom.get(at("desk_held", key)))
    assert "The files say: ZEBRAFISH, Zoë born May 17, 1980 MRN PUB-2 CT chest" in said
    assert "We know: ZEBRAFISH, Maria born May 17, 1980 MRN PUB-1 Take in for ZEBRAFISH, Maria" in said
    assert "The exam is here already, and belongs to another patient." in said
    assert "Find the patient" not in said, "an exam has one patient"


def test_a_group_is_taken_in_for_somebody_who_was_searched(tom: Client, cast: Cast) -> None:
    key = set_aside(cast)
    luz = a_patient(cast.lakeside, name="ZEBRAFISH^LUZ", patient_id="LUZ-1")
    found = tom.post(at("desk_held", key), {"text": "luz"})
    there = at("desk_take_in", key, luz.pk)
    assert there in found.content.decode()
    asked = words_of(tom.get(there))
    assert "2 images become a new exam of ZEBRAFISH, LUZ, MRN LUZ-1." in asked
    assert "nobody outside your facility sees them until a code is used" in asked
    assert not Study.objects.filter(patient=luz).exists(), "nothing happens before the click"
    done = tom.post(there, upto())
    assert (done.status_code, done["Location"]) == (303, at("desk_patient", luz.pk))
    assert "2 images taken in." in words_of(tom.get(done["Location"]))
    assert ready().patient == luz


def test_a_group_is_taken_in_for_a_new_patient(tom: Client, cast: Cast) -> None:
    key = set_aside(cast)
    form = tom.get(at("desk_held_new", key)).context["form"]
    assert (form["family"].value(), form["given"].value(), form["birth_year"].value()) == ("ZEBRAFISH", "Maria", 1980)
    born = {"birth_day": "17", "birth_month": "5", "birth_year": "1980"}
    answer = tom.post(at("desk_held_new", key), {"patient_id": "NEW-7", "family": "Zebrafish", "given": "Uma", **born})
    uma = FacilityPatient.objects.get(patient_id="NEW-7")
    assert (answer.status_code, answer["Location"]) == (303, at("desk_take_in", key, uma.pk))
    tom.post(answer["Location"], upto())
    assert ready().patient == uma


def test_a_new_patients_mrn_that_is_anothers_is_refused(tom: Client, cast: Cast) -> None:
    key = set_aside(cast)
    a_patient(cast.lakeside, name="ZEBRAFISH^LUZ", patient_id="LUZ-1")
    born = {"birth_day": "1", "birth_month": "5", "birth_year": "1980"}
    answer = tom.post(at("desk_held_new", key), {"patient_id": "LUZ-1", "family": "Other", **born})
    assert answer.status_code == 409
    assert "belongs to a patient with another name" in words_of(answer)


def test_it_is_said_who_will_see_what_is_taken_in(tom: Client, cast: Cast) -> None:
    published = publish_for(cast)
    key = set_aside(cast, 1, study=9)
    there = at("desk_take_in", key, published.study.patient_id)
    asked = words_of(tom.get(there))
    exam = wording.exam(published.study)
    assert f"1 image becomes part of the exam {exam} of ZEBRAFISH, Maria, MRN PUB-1." in asked
    assert "she sees them as soon as they are ready" in asked
    releases.withdraw(published.study, "wrong side", actor=desk.staff_for(cast.tom).actor)
    assert "The exam is withdrawn: nobody outside your facility sees them." in words_of(tom.get(there))


def test_it_is_said_what_another_patient_loses(tom: Client, cast: Cast) -> None:
    published = publish_for(cast)
    luz = a_patient(cast.lakeside, name="ZEBRAFISH^LUZ", patient_id="LUZ-1")
    key = set_aside(cast, 1, PatientID="LUZ-1", SOPInstanceUID=factories.uid(9, 1, 1))
    asked = words_of(tom.get(at("desk_take_in", key, luz.pk)))
    assert f"1 image leaves the exam {wording.exam(published.study)} of ZEBRAFISH, Maria" in asked
    tom.post(at("desk_take_in", key, luz.pk), upto())
    published.study.refresh_from_db()
    assert published.study.image_count == 2
    tom.force_login(cast.maria)
    assert "moved images of this exam to another, where they belong" in words_of(tom.get(reverse("activity")))


def test_a_patient_reads_that_something_was_added(tom: Client, cast: Cast) -> None:
    published = publish_for(cast)
    key = set_aside(cast, 1, study=9)
    tom.post(at("desk_take_in", key, published.study.patient_id), upto())
    tom.force_login(cast.maria)
    assert "Staff of Lakeside Imaging added images that had waited for a check" in words_of(
        tom.get(reverse("activity"))
    )


def test_a_group_of_a_known_exam_goes_to_nobody_else(tom: Client, cast: Cast) -> None:
    publish_for(cast)
    key = set_aside(cast, 1, study=9)
    there = at("desk_take_in", key, cast.patient.pk)
    assert tom.get(there).status_code == 409
    assert tom.post(there, upto()).status_code == 409
    assert quarantine.count(cast.lakeside) == 1


def test_a_group_is_left_out_with_a_reason(tom: Client, cast: Cast) -> None:
    key = set_aside(cast)
    asked = words_of(tom.get(at("desk_leave_out", key)))
    assert "2 images, which the files say are of ZEBRAFISH, Maria, are left out for good." in asked
    refused = tom.post(at("desk_leave_out", key), upto())
    assert refused.status_code == 422
    assert "Say why they are left out." in words_of(refused)
    done = tom.post(at("desk_leave_out", key), {**upto(), "why": "test"})
    assert (done.status_code, done["Location"]) == (303, at("desk_waiting"))
    assert "2 images left out." in words_of(tom.get(done["Location"]))


def test_a_second_click_is_no_mistake_and_another_decision_is(tom: Client, cast: Cast) -> None:
    key, form = set_aside(cast), upto()
    there = at("desk_take_in", key, cast.patient.pk)
    assert [tom.post(there, form).status_code for _ in range(2)] == [303, 303]
    late = tom.post(at("desk_leave_out", key), {**form, "why": "test"})
    assert late.status_code == 409
    assert "These images have been taken in already." in words_of(late)
    assert tom.get(at("desk_held", key)).status_code == 409


def test_looks_at_what_waits_are_written_down_once(tom: Client, cast: Cast) -> None:
    key = set_aside(cast)
    for _ in range(2):
        tom.get(at("desk_waiting"))
        tom.get(at("desk_held", key))
    events = AuditEvent.objects.filter(action=Action.HELD_VIEWED).order_by("pk")
    assert [event.detail["held"] for event in events] == ["all", str(key)]
    assert {(event.actor_id, event.facility_id) for event in events} == {(str(cast.tom.pk), cast.lakeside.pk)}


def test_another_facilitys_staff_find_nothing(tom: Client, cast: Cast) -> None:
    key = set_aside(cast)
    theirs = a_patient(cast.hilltop)
    tom.force_login(cast.ana)
    assert "Nothing waits" in words_of(tom.get(at("desk_waiting")))
    assert "for a check" not in words_of(tom.get(at("desk")))
    for address in (
        at("desk_held", key),
        at("desk_held_new", key),
        at("desk_take_in", key, theirs.pk),
        at("desk_leave_out", key),
    ):
        assert tom.get(address).status_code == 404
        assert tom.post(address, {**upto(), "why": "test", "text": "zebrafish"}).status_code == 404
    assert quarantine.count(cast.lakeside) == 1


def test_a_file_nobody_can_read_is_told_by_what_is_known(
    tom: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = set_aside(cast)
    monkeypatch.setattr(quarantine, "read", lambda held: None)
    assert "ZEBRAFISH, Maria" in words_of(tom.get(at("desk_held", key)))


def test_exams_that_could_not_be_prepared_are_told_at_the_desk(tom: Client, cast: Cast) -> None:
    assert "Preparing the pictures failed" not in words_of(tom.get(at("desk")))
    stuck = a_study(cast.patient, description="Wrist", state=Study.State.STORED)
    Job.objects.create(study=stuck, dead_at=timezone.now())
    theirs = a_study(a_patient(cast.hilltop), description="Ankle", state=Study.State.STORED)
    Job.objects.create(study=theirs, dead_at=timezone.now())
    page = words_of(tom.get(at("desk")))
    assert "Preparing the pictures failed" in page
    assert "Wrist" in page
    assert "Ankle" not in page
