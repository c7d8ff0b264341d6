"""What a RIS tells of exams: known before images, moved by every message, never back by one that was overtaken."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from accounts.audit import Actor
from studies import patients
from studies.models import Demographics, Exam, ExamEvent, FacilityPatient, Study
from studies.orders import exams, joining, merges, states
from studies.orders.exams import OtherPatient, Said
from studies.orders.states import Event, State
from studies.patients import OtherPerson, Person
from tests.cast import Cast, a_patient, a_study

DAY = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
UMA = Person("U1", name="ZEBRAFISH^UMA", birth_date=date(1960, 2, 3), sex="F")


def said(state: State, minutes: int = 0, **more: Any) -> Said:
    return Said("ACC9", state, DAY + timedelta(minutes=minutes), **more)


def hear(cast: Cast, state: State, minutes: int = 0, person: Person = UMA, **more: Any) -> Exam:
    exam, _ = exams.hear(cast.lakeside, person, said(state, minutes, **more))
    exam.refresh_from_db()
    return exam


# --- states


def test_a_message_that_was_overtaken_moves_nothing_back(cast: Cast) -> None:
    hear(cast, State.FINAL, 90)
    assert hear(cast, State.ORDERED, 0).state == State.FINAL
    assert hear(cast, State.COMPLETED, 30).state == State.FINAL
    assert [one.state for one in exams.history(Exam.objects.get())] == ["ordered", "completed", "final"]


def test_the_same_message_again_changes_nothing(cast: Cast) -> None:
    first, is_new = exams.hear(cast.lakeside, UMA, said(State.SCHEDULED))
    again, is_again_new = exams.hear(cast.lakeside, UMA, said(State.SCHEDULED))
    assert (is_new, is_again_new, first.pk) == (True, False, again.pk)
    assert ExamEvent.objects.count() == 1


EVENTS = st.lists(
    st.builds(Event, st.sampled_from(State), st.integers(0, 9).map(lambda hours: DAY + timedelta(hours=hours))),
    min_size=1,
    max_size=5,
)


@given(EVENTS)
def test_whatever_order_they_come_in_they_end_in_one_state(events: list[Event]) -> None:
    assert len({states.present(order).state for order in permutations(events)}) == 1


@pytest.mark.parametrize(
    ("now", "then", "moves"),
    [
        (State.SCHEDULED, State.ORDERED, True),  # put off
        (State.IN_PROGRESS, State.SCHEDULED, True),
        (State.COMPLETED, State.SCHEDULED, False),
        (State.FINAL, State.PRELIMINARY, False),
        (State.FINAL, State.ADDENDED, True),
        (State.ADDENDED, State.FINAL, False),
        (State.ADDENDED, State.REVISED, True),
        (State.SCHEDULED, State.CANCELLED, True),
        (State.CANCELLED, State.SCHEDULED, True),  # taken up again
        (State.NON_REPORTABLE, State.FINAL, True),
    ],
)
def test_an_exam_moves_on(now: State, then: State, *, moves: bool) -> None:
    end = states.present([Event(now, DAY), Event(then, DAY + timedelta(minutes=1))])
    assert end.state == (then if moves else now)


def test_an_exam_without_events_is_none() -> None:
    with pytest.raises(ValueError, match="begins with an event"):
        states.present([])


def test_what_was_said_once_is_not_changed(cast: Cast) -> None:
    hear(cast, State.ORDERED)
    with pytest.raises(TypeError, match="not changed"):
        ExamEvent.objects.get().save()


def test_what_a_message_leaves_out_stays(cast: Cast) -> None:
    hear(cast, State.ORDERED, description="MR knee", modality="MR", scheduled_for=DAY)
    exam = hear(cast, State.COMPLETED, 60)
    assert (exam.description, exam.modality, exam.scheduled_for) == ("MR knee", "MR", DAY)
    hear(cast, State.SCHEDULED, 30, description="CT head")
    exam.refresh_from_db()
    assert exam.description == "MR knee"  # that message is older than the state


# --- whose it is


def test_patients_are_known_before_their_images(cast: Cast) -> None:
    hear(cast, State.ORDERED)
    patient = FacilityPatient.objects.get(patient_id="U1")
    assert (patient.name, patient.birth_date, patient.sex) == ("ZEBRAFISH^UMA", date(1960, 2, 3), "F")
    assert Demographics.objects.get(patient=patient).source == "messages"


def test_an_order_of_somebody_else_under_her_number_is_refused_whole(cast: Cast) -> None:
    hear(cast, State.ORDERED)
    other = Person("U1", name="MILLER^PETER", birth_date=date(1990, 1, 1))
    with pytest.raises(OtherPerson):
        exams.hear(cast.lakeside, other, Said("ACC10", State.ORDERED, DAY))
    assert FacilityPatient.objects.get(patient_id="U1").name == "ZEBRAFISH^UMA"
    assert Exam.objects.count() == 1


def test_an_accession_number_of_another_patient_is_refused(cast: Cast) -> None:
    hear(cast, State.ORDERED)
    with pytest.raises(OtherPatient):
        hear(cast, State.FINAL, 9, Person("U2", name="ZEBRAFISH^VERA"))
    assert Exam.objects.get().state == State.ORDERED


def test_two_facilities_have_each_their_exam(cast: Cast) -> None:
    hear(cast, State.ORDERED)
    exams.hear(cast.hilltop, UMA, said(State.FINAL))
    assert {(one.facility_id, one.state) for one in Exam.objects.all()} == {
        (cast.lakeside.pk, State.ORDERED),
        (cast.hilltop.pk, State.FINAL),
    }


def test_a_correction_of_the_patient_index_counts(cast: Cast) -> None:
    hear(cast, State.ORDERED)
    patients.correct(
        cast.lakeside,
        Person("U1", name="ZEBRAFISH^UNA", birth_date=date(1961, 2, 3)),
        actor=Actor.facility(cast.lakeside),
    )
    patient = FacilityPatient.objects.get(patient_id="U1")
    assert (patient.name, patient.birth_date) == ("ZEBRAFISH^UNA", date(1961, 2, 3))
    assert patient.demographics.count() == 2


# --- its study


def uma(cast: Cast, number: str = "U1") -> FacilityPatient:
    return a_patient(cast.lakeside, patient_id=number, name="ZEBRAFISH^UMA", birth_date=UMA.birth_date)


def test_the_images_find_their_exam(cast: Cast) -> None:
    exam = hear(cast, State.COMPLETED)
    study = a_study(exam.patient, accession_number="ACC9")
    joining.attach(study)
    exam.refresh_from_db()
    assert exam.study == study


def test_the_exam_finds_its_images(cast: Cast) -> None:
    study = a_study(uma(cast), accession_number="ACC9")
    assert hear(cast, State.COMPLETED).study == study


def test_of_two_studies_of_one_number_the_uid_says_which(cast: Cast) -> None:
    patient = uma(cast)
    a_study(patient, accession_number="ACC9")
    this = a_study(patient, accession_number="ACC9")
    assert hear(cast, State.COMPLETED).study is None
    assert hear(cast, State.FINAL, 5, study_uid=this.study_uid).study == this


def test_images_of_another_patient_are_not_of_this_exam(cast: Cast) -> None:
    exam = hear(cast, State.COMPLETED)
    joining.attach(a_study(uma(cast, "U2"), accession_number="ACC9"))
    exam.refresh_from_db()
    assert exam.study is None


def test_a_study_is_closed_without_a_report_when_the_ris_says_so_of_all_its_exams(cast: Cast) -> None:
    study = a_study(uma(cast), accession_number="ACC9")
    assert exams.closed_without_report(study) is None
    hear(cast, State.NON_REPORTABLE, 60)
    assert exams.closed_without_report(study) == DAY + timedelta(minutes=60)
    exams.hear(cast.lakeside, UMA, Said("ACC10", State.COMPLETED, DAY, study_uid=study.study_uid))
    assert exams.closed_without_report(study) is None


# --- one person, several numbers


def test_a_merge_joins_images_with_orders_and_its_reversal_parts_them(cast: Cast) -> None:
    exam = hear(cast, State.COMPLETED)
    study: Study = a_study(uma(cast, "OLD"), accession_number="ACC9")
    made, is_new = merges.merge(cast.lakeside, Person("U1"), Person("OLD"))
    exam.refresh_from_db()
    assert (is_new, exam.study) == (True, study)
    assert merges.merge(cast.lakeside, Person("U1"), Person("OLD")) == (made, False)
    assert list(exams.of(study.patient)) == [exam]
    merges.reverse(cast.lakeside, Person("U1"), Person("OLD"))
    merges.reverse(cast.lakeside, Person("U1"), Person("OLD"))
    exam.refresh_from_db()
    assert exam.study is None
    assert merges.of(study.patient) == []


def test_merges_make_no_circles(cast: Cast) -> None:
    merges.merge(cast.lakeside, Person("A"), Person("B"))
    merges.merge(cast.lakeside, Person("B"), Person("C"))
    for survivor, gone in (("C", "A"), ("D", "B"), ("A", "C")):
        with pytest.raises(merges.MergedAlready):
            merges.merge(cast.lakeside, Person(survivor), Person(gone))
    with pytest.raises(merges.SamePatient):
        merges.merge(cast.lakeside, Person("A"), Person("A"))


def test_a_merge_of_one_facility_says_nothing_of_anothers_patients(cast: Cast) -> None:
    theirs = a_patient(cast.hilltop, patient_id="B")
    merges.merge(cast.lakeside, Person("A"), Person("B"))
    assert merges.of(theirs) == []


# --- by the API


@pytest.fixture
def ris(cast: Cast) -> Client:
    return Client(headers={"Authorization": f"Bearer {cast.lakeside_key}"})


def post(ris: Client, what: str, **body: Any) -> Any:
    return ris.post(f"/api/v1/{what}/", body, content_type="application/json")


ORDER = {
    "patient_id": "U1",
    "name": "ZEBRAFISH^UMA",
    "birth_date": "1960-02-03",
    "sex": "F",
    "accession_number": "ACC9",
    "state": "ordered",
    "said_at": "2026-03-02T08:00:00+01:00",
}


def test_a_ris_tells_of_an_exam(ris: Client) -> None:
    first = post(ris, "exams", **ORDER, modality="MR", scheduled_for="2026-03-04T10:00:00+01:00")
    assert (first.status_code, first.json()["state"]) == (201, "ordered")
    assert post(ris, "exams", **ORDER).status_code == 200
    late = post(ris, "exams", **{**ORDER, "state": "cancelled", "said_at": "2026-03-01T08:00:00+01:00"})
    assert (late.status_code, late.json()["state"]) == (201, "ordered")


@pytest.mark.parametrize(
    "wrong",
    [
        {"patient_id": ""},
        {"accession_number": ""},
        {"state": "done"},
        {"said_at": "yesterday"},
        {"birth_date": "2199-01-01"},
        {"birth_date": "3 Feb 1960"},
        {"study_uid": "1.2.x"},
        {"sex": "female"},
    ],
)
def test_what_makes_no_sense_is_refused(ris: Client, wrong: dict[str, str]) -> None:
    assert post(ris, "exams", **{**ORDER, **wrong}).status_code == 400
    assert not Exam.objects.exists()


def test_a_contradiction_is_a_conflict_in_words(ris: Client) -> None:
    post(ris, "exams", **ORDER)
    refused = post(ris, "exams", **{**ORDER, "name": "MILLER^PETER", "accession_number": "ACC10"})
    assert (refused.status_code, refused.json()["code"]) == (409, "other_person")


def test_a_ris_corrects_and_merges(ris: Client) -> None:
    assert post(ris, "patients", patient_id="U1", name="ZEBRAFISH^UMA").status_code == 204
    two = {"survivor": {"patient_id": "U1"}, "merged": {"patient_id": "U0"}}
    assert post(ris, "merges", **two).status_code == 201
    assert post(ris, "merges", **two).status_code == 200
    assert post(ris, "merges", **two, reversed=True).status_code == 204
    assert post(ris, "merges", **{**two, "merged": {"patient_id": "?"}}, reversed=True).status_code == 404
