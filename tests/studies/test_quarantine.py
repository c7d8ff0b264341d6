"""What was set aside: staff take it in or leave it out, as a group, once, and nobody else's pictures change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from accounts.audit import Action, Actor
from accounts.errors import NotFound
from accounts.models import AuditEvent, Facility
from studies import catalog, intake, pipeline, quarantine, receipts, rejections, reports, stacks
from studies.models import FacilityPatient, Instance, Publication, Quarantined, Study
from studies.quarantine import OtherPatient, Settled, Waiting, Why
from studies.store import keys, objects
from studies.store.sealing import Tampered
from tests.at_once import at_once
from tests.cast import a_patient
from tests.factories import ct_file, ct_series, uid
from tests.studies.conftest import Files
from tests.studies.documents_made import pdf_object
from tests.studies.pdfs_made import pdf
from tests.studies.prepared import ready

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("files")]

CLERK = Actor("staff", "7", "Lakeside")


def send(facility: Facility, *files: bytes) -> tuple[int, int, int]:
    receipt = intake.publish(facility, ([file] for file in files))
    assert not receipt.failed
    return len(receipt.stored), len(receipt.repeated), len(receipt.quarantined)


def only(facility: Facility) -> Waiting:
    (waiting,) = quarantine.waiting(facility)
    return waiting


def take_in(facility: Facility, patient: FacilityPatient, waiting: Waiting | None = None) -> int:
    waiting = waiting or only(facility)
    return quarantine.take_in(facility, waiting.key, waiting.upto, patient, actor=CLERK)


def leave_out(facility: Facility, waiting: Waiting | None = None) -> int:
    waiting = waiting or only(facility)
    return quarantine.leave_out(facility, waiting.key, waiting.upto, Why.TEST, actor=CLERK)


def originals(study: Study) -> list[bytes]:
    return [b"".join(one.blocks()) for one in catalog.originals(study)]


def states(facility: Facility, study_uid: str = uid(1)) -> set[str]:
    return {one["state"] for one in receipts.receipt(facility, study_uid)["instances"]}


# --- Without a patient ID


def test_files_without_a_patient_id_wait_together_and_become_a_study_of_whom_staff_say(lakeside: Facility) -> None:
    files = ct_series(3, PatientID=None)
    for file in files:  # three requests, one group
        assert send(lakeside, file) == (0, 0, 1)
    waiting = only(lakeside)
    assert (waiting.count, waiting.reason, waiting.patient_name) == (3, "no_patient_id", "ZEBRAFISH^Maria")
    assert waiting.birth_date == date(1980, 5, 17)
    assert waiting.study is None
    patient = a_patient(lakeside)
    assert take_in(lakeside, patient) == 3
    study = ready(lakeside)
    assert (study.patient, study.instance_count, study.image_count) == (patient, 3, 3)
    assert originals(study) == files
    assert quarantine.waiting(lakeside) == []
    assert quarantine.count(lakeside) == 0
    assert send(lakeside, *files) == (0, 3, 0)
    assert states(lakeside) == {"ready"}


def test_the_key_of_what_is_taken_in_is_wrapped_for_its_patient(lakeside: Facility, files: Files) -> None:
    send(lakeside, ct_file(PatientID=None))
    sealed = [path.read_bytes() for path in files("objects")]
    before = keys.object_key(Quarantined.objects.get().pack)
    patient = a_patient(lakeside)
    take_in(lakeside, patient)
    pack = Instance.objects.get().pack
    assert pack.patient == patient
    assert keys.object_key(pack) == before
    assert [path.read_bytes() for path in files("objects")] == sealed
    patient.wrapped_key = keys.new_patient_key()
    pack.patient = patient
    with pytest.raises(Tampered):
        keys.opened(pack)


def test_taking_in_counts_no_second_delivery(lakeside: Facility) -> None:
    send(lakeside, ct_file(PatientID=None))
    before = list(Publication.objects.values())
    take_in(lakeside, a_patient(lakeside))
    assert list(Publication.objects.values()) == before
    assert Instance.objects.get().publication == Publication.objects.get()


def test_files_of_a_known_study_go_to_its_patient_only(lakeside: Facility) -> None:
    send(lakeside, ct_file(1))
    send(lakeside, ct_file(2, PatientID=None))
    study = ready(lakeside)
    assert only(lakeside).study == study
    with pytest.raises(OtherPatient):
        take_in(lakeside, a_patient(lakeside))
    assert study.instances.count() == 1
    take_in(lakeside, study.patient)
    assert ready(lakeside).image_count == 2


# --- Of another patient


def test_a_wrong_patient_id_taken_in_joins_the_study_and_its_patient(lakeside: Facility) -> None:
    send(lakeside, ct_file(1))
    send(lakeside, ct_file(2, PatientID="P-ONE"))
    study = ready(lakeside)
    waiting = only(lakeside)
    assert (waiting.reason, waiting.patient_id) == ("other_patient", "P-ONE")
    take_in(lakeside, study.patient)
    assert ready(lakeside).instance_count == 2
    assert FacilityPatient.objects.filter(patient_id="P-ONE").count() == 0


def test_changed_bytes_of_another_patient_become_a_version_only_by_staffs_word(lakeside: Facility) -> None:
    first, second = ct_file(1), ct_file(1, PatientID="P2", PatientName="ZEBRAFISH^Luz")
    send(lakeside, first)
    send(lakeside, second)
    study = ready(lakeside)
    assert originals(study) == [first]
    take_in(lakeside, study.patient)
    study = ready(lakeside)
    assert originals(study) == [second]
    assert sorted(study.instances.values_list("version", flat=True)) == [1, 2]


def test_an_instance_known_of_another_patient_leaves_her_when_it_is_taken_in(lakeside: Facility) -> None:
    """Luz's picture was first sent as Maria's: once it is taken in as Luz's, nothing of it is found with Maria."""
    send(lakeside, ct_file(1), ct_file(2))
    marias = ready(lakeside)
    luz = a_patient(lakeside, patient_id="P2", name="ZEBRAFISH^LUZ")
    moved = ct_file(2, StudyInstanceUID=uid(7), PatientID="P2", PatientName="ZEBRAFISH^Luz")
    send(lakeside, moved)
    waiting = only(lakeside)
    assert waiting.reason == "other_patient"
    assert quarantine.replaced(lakeside, waiting.key, waiting.upto) == {marias: 1}
    take_in(lakeside, luz)
    before = marias.access_epoch
    marias.refresh_from_db()
    assert (marias.access_epoch, marias.image_count) == (before + 1, 1)
    series = catalog.series_of(marias)[0]
    assert series.count == 1, "the picture is gone before the pictures are made anew"
    marias, hers = ready(lakeside), ready(lakeside, uid(7))
    assert originals(marias) == [ct_file(1)]
    assert originals(hers) == [moved]
    assert hers.patient == luz
    assert catalog.picture(marias, series.id, "thumbnail", 1)
    event = AuditEvent.objects.get(action=Action.MOVED_OUT)
    assert (event.study_id, event.detail["instances"]) == (marias.pk, 1)


def test_a_report_that_was_read_from_what_moves_moves_too(lakeside: Facility) -> None:
    """Luz's PDF was first sent as Maria's, in two versions."""
    send(lakeside, ct_file(1))
    of_maria = {"StudyInstanceUID": uid(1), "SeriesInstanceUID": uid(1, 5), "SOPInstanceUID": uid(1, 5, 1)}
    for words in ("Luz has a fracture.", "Luz has no fracture."):
        send(lakeside, pdf_object(pdf(words), PatientID="P1", **of_maria))
        ready(lakeside)
    marias = ready(lakeside)
    assert len(reports.released(marias)) == 2
    luz = a_patient(lakeside, patient_id="P2", name="ZEBRAFISH^LUZ")
    of_luz = {**of_maria, "StudyInstanceUID": uid(7)}
    send(lakeside, pdf_object(pdf("Luz has no fracture."), PatientID="P2", **of_luz))
    take_in(lakeside, luz)
    assert reports.released(marias) == []
    marias, hers = ready(lakeside), ready(lakeside, uid(7))
    assert (len(reports.released(marias)), len(reports.released(hers))) == (0, 1)
    assert (marias.image_count, marias.instance_count) == (1, 1)


def test_a_picture_that_leaves_while_the_exam_is_prepared_does_not_come_back(
    lakeside: Facility, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that made pictures of it before the clerk's word writes its stack after it."""
    send(lakeside, *ct_series(2))
    marias = lakeside.studies.get(study_uid=uid(1))
    send(lakeside, ct_file(2, StudyInstanceUID=uid(7), PatientID="P2", PatientName="ZEBRAFISH^Luz"))
    luz, waiting, fill = a_patient(lakeside, patient_id="P2"), only(lakeside), stacks.Stack._fill

    def decide(*told: Any) -> Any:
        entries = fill(*told)
        monkeypatch.setattr(stacks.Stack, "_fill", fill)
        take_in(lakeside, luz, waiting)
        return entries

    monkeypatch.setattr(stacks.Stack, "_fill", decide)
    pipeline.advance(marias.pk, at_once=True)
    assert [one.index for one in catalog.previews(marias)] == [1]
    assert (ready(lakeside).image_count, ready(lakeside, uid(7)).image_count) == (1, 1)


def test_all_of_a_study_may_leave_it(lakeside: Facility) -> None:
    send(lakeside, ct_file(1))
    study = ready(lakeside)
    send(lakeside, ct_file(1, StudyInstanceUID=uid(7)))
    take_in(lakeside, study.patient)
    study, other = ready(lakeside), ready(lakeside, uid(7))
    assert (study.instance_count, study.image_count, catalog.series_of(study)) == (0, 0, [])
    assert rejections.taken_back([study, other]) == {study.pk}, "the page says so, and not that it cannot be shown"
    assert (other.instance_count, other.image_count) == (1, 1)


def test_what_a_mislabelled_file_says_of_its_patient_is_not_said_of_her(lakeside: Facility) -> None:
    send(lakeside, ct_file(1))
    send(lakeside, ct_file(2, PatientID="P2", PatientName="ZEBRAFISH^Luz", PatientBirthDate="19990101"))
    study = ready(lakeside)
    take_in(lakeside, study.patient)
    ready(lakeside)
    maria = FacilityPatient.objects.get(pk=study.patient_id)
    assert (maria.name, maria.birth_date) == ("ZEBRAFISH^Maria", date(1980, 5, 17))


# --- Of another study


def test_an_instance_known_in_another_study_moves_by_staffs_word(lakeside: Facility) -> None:
    send(lakeside, *ct_series(2))
    send(lakeside, *ct_series(2, study=2))
    moving = ct_file(2, StudyInstanceUID=uid(2), SeriesInstanceUID=uid(2, 1))
    assert send(lakeside, moving) == (0, 0, 1)
    first, second = ready(lakeside), ready(lakeside, uid(2))
    assert only(lakeside).reason == "other_study"
    take_in(lakeside, first.patient)
    first, second = ready(lakeside), ready(lakeside, uid(2))
    assert (first.image_count, second.image_count) == (1, 3)
    assert moving in originals(second)


def test_what_was_set_aside_beside_stored_files_shares_their_pack(lakeside: Facility) -> None:
    """One request, one pack: the stored file has made it the patient's already."""
    send(lakeside, ct_file(1))
    send(lakeside, ct_file(1, StudyInstanceUID=uid(2)), ct_file(5, study=2))
    study = ready(lakeside)
    take_in(lakeside, study.patient)
    assert len(originals(ready(lakeside, uid(2)))) == 2


def test_a_pack_of_another_patient_is_never_handed_over(lakeside: Facility) -> None:
    send(lakeside, ct_file(PatientID=None))
    pack = Quarantined.objects.get().pack
    other = a_patient(lakeside)
    pack.wrapped_key = keys.wrap_for(other, keys.object_key(pack))
    pack.patient = other
    pack.save()
    with pytest.raises(OtherPatient):
        take_in(lakeside, a_patient(lakeside))
    assert not Instance.objects.exists()
    assert not Study.objects.exists()
    assert quarantine.count(lakeside) == 1


# --- Left out


def test_what_is_left_out_stays_sealed_and_is_left_out_for_good(lakeside: Facility, files: Files) -> None:
    file = ct_file(PatientID=None)
    send(lakeside, file)
    assert leave_out(lakeside) == 1
    held = Quarantined.objects.get()
    assert held.settled_at is not None
    assert held.outcome == "left_out"
    assert b"".join(objects.read(held.pack, held.offset, held.length)) == file
    assert quarantine.count(lakeside) == 0
    assert states(lakeside) == {"left_out"}
    assert send(lakeside, file) == (0, 0, 1)
    assert quarantine.count(lakeside) == 0
    assert not Study.objects.exists()
    event = AuditEvent.objects.get(action=Action.LEFT_OUT)
    assert (event.actor_kind, event.detail["reason"], event.detail["instances"]) == ("staff", "test", 1)


def test_the_same_instance_corrected_is_judged_anew_after_one_was_left_out(lakeside: Facility) -> None:
    send(lakeside, ct_file(PatientID=None))
    leave_out(lakeside)
    assert send(lakeside, ct_file()) == (1, 0, 0)


# --- Twice, and two at once


def test_the_same_decision_twice_changes_nothing(lakeside: Facility) -> None:
    send(lakeside, *ct_series(2, PatientID=None))
    waiting, patient = only(lakeside), a_patient(lakeside)
    assert [take_in(lakeside, patient, waiting) for _ in range(2)] == [2, 2]
    assert Instance.objects.count() == 2
    assert AuditEvent.objects.filter(action=Action.TAKEN_IN).count() == 1
    with pytest.raises(Settled) as refusal:
        leave_out(lakeside, waiting)
    assert "taken in already" in str(refusal.value.message)
    with pytest.raises(Settled):
        take_in(lakeside, a_patient(lakeside), waiting)
    with pytest.raises(Settled):
        quarantine.group(lakeside, waiting.key)


def test_left_out_twice_is_left_out_once(lakeside: Facility) -> None:
    send(lakeside, ct_file(PatientID=None))
    waiting = only(lakeside)
    assert [leave_out(lakeside, waiting) for _ in range(2)] == [1, 1]
    assert AuditEvent.objects.filter(action=Action.LEFT_OUT).count() == 1
    with pytest.raises(Settled) as refusal:
        take_in(lakeside, a_patient(lakeside), waiting)
    assert "left out already" in str(refusal.value.message)


@pytest.mark.django_db(transaction=True)
def test_of_two_clerks_at_once_one_decides(lakeside: Facility) -> None:
    send(lakeside, *ct_series(2, PatientID=None))
    waiting = only(lakeside)
    patients = [a_patient(lakeside) for _ in range(2)]
    calls: list[Callable[[], Any]] = [
        lambda: take_in(lakeside, patients[0], waiting),
        lambda: take_in(lakeside, patients[0], waiting),
        lambda: take_in(lakeside, patients[1], waiting),
        lambda: leave_out(lakeside, waiting),
    ]
    answers = at_once(calls)
    assert {type(answer) for answer in answers} == {int, Settled}
    outcomes = set(Quarantined.objects.values_list("outcome", flat=True))
    assert len(outcomes) == 1
    settled = AuditEvent.objects.filter(action__in=[Action.TAKEN_IN, Action.LEFT_OUT])
    assert settled.count() == 1
    assert Instance.objects.count() == (2 if outcomes == {"taken_in"} else 0)
    assert Study.objects.count() == (1 if outcomes == {"taken_in"} else 0)


def test_what_came_after_the_page_was_read_waits_anew(lakeside: Facility) -> None:
    send(lakeside, ct_file(1, PatientID=None))
    waiting, patient = only(lakeside), a_patient(lakeside)
    send(lakeside, ct_file(2, PatientID=None))
    assert take_in(lakeside, patient, waiting) == 1
    later = only(lakeside)
    assert (later.count, later.study) == (1, Study.objects.get())
    assert take_in(lakeside, patient, later) == 1


def test_files_that_say_different_names_wait_apart(lakeside: Facility) -> None:
    send(lakeside, ct_file(1, PatientID=None), ct_file(2, PatientID=None, PatientName="ZEBRAFISH^Luz"))
    assert [one.patient_name for one in quarantine.waiting(lakeside)] == ["ZEBRAFISH^Luz", "ZEBRAFISH^Maria"]
    assert quarantine.count(lakeside) == 2


def test_a_list_costs_the_same_for_more(lakeside: Facility, django_assert_num_queries: Any) -> None:
    for study in range(1, 5):
        send(lakeside, ct_file(study=study, PatientID=None))
    with django_assert_num_queries(2):
        assert len(quarantine.waiting(lakeside)) == 4


# --- Whose


def test_another_facility_neither_sees_nor_settles(lakeside: Facility, hilltop: Facility) -> None:
    send(lakeside, ct_file(PatientID=None))
    waiting, theirs = only(lakeside), a_patient(hilltop)
    assert quarantine.waiting(hilltop) == []
    assert quarantine.count(hilltop) == 0
    for forbidden in (
        lambda: quarantine.group(hilltop, waiting.key),
        lambda: quarantine.sample(hilltop, waiting.key),
        lambda: quarantine.replaced(hilltop, waiting.key, waiting.upto),
        lambda: take_in(hilltop, theirs, waiting),
        lambda: take_in(lakeside, theirs, waiting),
        lambda: leave_out(hilltop, waiting),
    ):
        with pytest.raises(NotFound):
            forbidden()
    assert only(lakeside) == waiting


def test_twins_of_two_facilities_are_settled_apart(lakeside: Facility, hilltop: Facility) -> None:
    file = ct_file(PatientID=None)
    for facility in (lakeside, hilltop):
        assert send(facility, file) == (0, 0, 1)
    take_in(lakeside, a_patient(lakeside))
    assert only(hilltop).study is None
    assert states(hilltop) == {"quarantined"}
    leave_out(hilltop)
    assert ready(lakeside).image_count == 1
    assert not hilltop.studies.exists()
    assert states(lakeside) == {"ready"}


# --- Read


def test_a_name_is_read_in_its_own_character_set(lakeside: Facility) -> None:
    send(lakeside, ct_file(PatientID=None, SpecificCharacterSet="ISO_IR 192", PatientName="ZEBRAFISH^Zoë"))
    waiting = only(lakeside)
    assert waiting.patient_name == ""
    said = quarantine.read(quarantine.sample(lakeside, waiting.key))
    assert said
    assert (said.patient_name, said.birth_date) == ("ZEBRAFISH^Zoë", date(1980, 5, 17))
    assert (said.description, said.study_date, said.modality) == ("CT chest", date(2026, 1, 31), "CT")
