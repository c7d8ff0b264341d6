"""Names, birth dates and sexes that disagree go to the desk, and not to the screen."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from accounts.audit import Actor
from accounts.errors import Conflict
from accounts.models import AuditEvent
from sharing import access, cases, claims, desk, disagreements, erasure, releases
from sharing.models import Case, Link
from studies import identity, intake, pipeline
from studies.identity import Said
from studies.models import FacilityPatient, Study
from tests import factories
from tests.cast import Cast

BORN = date(1980, 5, 17)
HER = Said("ZEBRAFISH^MARIA", BORN, "F")


@pytest.fixture
def patient(cast: Cast, settings: Settings, tmp_path: Path) -> FacilityPatient:
    """Somebody known by her first exam, in whose account it is."""
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()
    first = publish(cast, 1)
    found = FacilityPatient.objects.get(patient_id="P1")
    Link.objects.create(patient=found, record=cast.maria.record, claimed_by=cast.maria)
    releases.follow(first)
    return found


def publish(cast: Cast, number: int, **said: str) -> Study:
    """An exam of P1, as far as its number goes."""
    file = factories.ct_file(1, study=number, **said)
    assert len(intake.publish(cast.lakeside, [[file]]).stored) == 1
    study = Study.objects.get(study_uid=factories.uid(number))
    pipeline.advance(study.pk, at_once=True)
    study.refresh_from_db()
    if not identity.is_settled(study):
        disagreements.hold(study)  # as the signal does once all is committed
    releases.follow(study)
    return study


def sees(cast: Cast, study: Study) -> bool:
    return access.has(access.viewer_for(cast.maria), study.pk)


def somebody_elses(cast: Cast) -> Study:
    return publish(cast, 2, PatientName="MILLER^PETER", PatientBirthDate="19510101", PatientSex="M")


def staff(cast: Cast) -> Actor:
    return Actor.staff(cast.tom, cast.lakeside)


# --- What contradicts


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (Said(), False),
        (HER, False),
        (Said("Zebrafish^Maria Elena", BORN, "F"), False),
        (Said("ZEBRAFISH^MARÍA"), False),
        (Said("MILLER^MARIA", BORN), False),  # she married
        (Said("ZEBRAFISH^MARY"), False),
        (Said("MILLER^PETER"), True),
        (Said("MILLER^PETER", BORN), True),
        (Said("ZEBRAFISH^MARIA", date(1980, 5, 18)), True),
        (Said("", date(1980, 5, 18)), True),
        (Said("ZEBRAFISH^MARIA", BORN, "M"), True),
        (Said("ZEBRAFISH^MARIA", BORN, "O"), False),
    ],
)
def test_what_is_said_of_somebody_else(said: Said, expected: bool) -> None:
    patient = FacilityPatient(name=HER.name, birth_date=HER.birth_date, sex=HER.sex)
    assert identity.contradicts(patient, said) is expected


@given(st.text(max_size=40), st.one_of(st.none(), st.dates(date(1880, 1, 1))), st.text(max_size=3))
def test_what_is_said_is_kept_as_it_was_said(name: str, birth_date: date | None, sex: str) -> None:
    said = Said(name, birth_date, sex)
    assert Said.kept(said.to_keep()) == said
    assert not identity.contradicts(FacilityPatient(name=name, birth_date=birth_date, sex=sex), said)


# --- What becomes of it


def test_an_exam_of_somebody_else_reaches_the_desk_and_not_the_screen(cast: Cast, patient: FacilityPatient) -> None:
    """CL-7, and the wrong patient of DICOM's own numbers."""
    study = somebody_elses(cast)
    assert not sees(cast, study)
    (case,) = cases.waiting_at(cast.lakeside)
    assert (case.kind, case.study) == ("disagrees", study)
    assert disagreements.said_in(case) == Said("MILLER^PETER", date(1951, 1, 1), "M")
    patient.refresh_from_db()
    assert (patient.name, patient.birth_date) == ("ZEBRAFISH^Maria", BORN), "and teaches nothing of her"


def test_no_code_and_no_button_puts_it_on_the_screen(cast: Cast, patient: FacilityPatient) -> None:
    study = somebody_elses(cast)
    claims.issue(patient, actor=Actor.system())
    assert releases.release_ready(patient, actor=Actor.system()) == 0
    releases.follow_missed()
    with pytest.raises(Conflict):
        desk.release(desk.staff_for(cast.tom), study)
    assert not sees(cast, study)


def test_the_other_exams_go_their_way(cast: Cast, patient: FacilityPatient) -> None:
    somebody_elses(cast)
    assert sees(cast, publish(cast, 3, PatientName="ZEBRAFISH^MARIA^E"))


def test_files_of_somebody_else_in_an_exam_that_is_open_close_it(cast: Cast, patient: FacilityPatient) -> None:
    study = publish(cast, 3)
    assert sees(cast, study)
    file = factories.ct_file(2, study=3, PatientName="MILLER^PETER", PatientBirthDate="19510101")
    assert len(intake.publish(cast.lakeside, [[file]]).stored) == 1
    pipeline.advance(study.pk, at_once=True)
    disagreements.hold(Study.objects.get(pk=study.pk))
    assert not sees(cast, study)


def test_the_same_person_after_all_sees_it(cast: Cast, patient: FacilityPatient) -> None:
    study = publish(cast, 2, PatientBirthDate="19800518")
    (case,) = cases.waiting_at(cast.lakeside)
    disagreements.same_person(case, answer="A slip of the keyboard.", user=cast.tom, actor=staff(cast))
    assert sees(cast, study)
    assert not cases.waiting_at(cast.lakeside)
    publish(cast, 2, InstanceNumber="2", SOPInstanceUID=factories.uid(2, 1, 2), PatientBirthDate="19800518")
    assert not cases.waiting_at(cast.lakeside), "nobody is asked the same twice"
    with pytest.raises(disagreements.NothingToSettle):
        disagreements.same_person(case, answer="Again.", user=cast.tom, actor=staff(cast))


def test_somebody_elses_stays_where_it_is(cast: Cast, patient: FacilityPatient) -> None:
    study = somebody_elses(cast)
    (case,) = cases.waiting_at(cast.lakeside)
    disagreements.somebody_else(case, answer="Sent under a wrong number.", user=cast.tom, actor=staff(cast))
    releases.follow_missed()
    assert not sees(cast, study)
    assert AuditEvent.objects.filter(action="withdrawn", study_id=study.pk).exists()


def test_what_nobody_was_asked_about_is_found(cast: Cast, patient: FacilityPatient) -> None:
    somebody_elses(cast)
    Case.objects.all().delete()
    assert [disagreements.hold_missed(), disagreements.hold_missed()] == [1, 0]
    assert cases.waiting_at(cast.lakeside).count() == 1


def test_erasing_a_patient_takes_what_was_said_of_another(cast: Cast, patient: FacilityPatient) -> None:
    study = somebody_elses(cast)
    erasure.erase(patient, actor=Actor.operator())
    study.refresh_from_db()
    assert study.contradiction is None
