from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from pytest_django import Settings

from accounts.audit import Actor
from accounts.errors import Conflict
from accounts.models import AuditEvent, Facility
from studies import keys, objects, patients, reports
from studies.models import FacilityPatient, Report, SealedObject, Study
from studies.reports import ReportRefused
from studies.room import Full, TooMuch
from tests.at_once import at_once
from tests.cast import a_study
from tests.studies.documents_made import PDF, item, pdf_object, sr_object

Status = Report.Status


@pytest.fixture
def lakeside(db: None) -> Facility:
    return Facility.objects.create(name="Lakeside", slug="lakeside")


@pytest.fixture
def patient(lakeside: Facility) -> FacilityPatient:
    return patients.register(
        lakeside, "P1", name="ZEBRAFISH^Maria", source=patients.Source.COMMAND, actor=Actor.operator()
    )


@pytest.fixture
def study(patient: FacilityPatient) -> Study:
    return a_study(patient, study_uid="1.2.3", accession_number="A1")


def receive(facility: Facility, content: bytes | str = "All well.", **said: Any) -> tuple[Report, bool]:
    said = {"study_uid": "1.2.3", "status": Status.FINAL, **said}
    return reports.receive(facility, content=content, **said)


def test_text_comes_back_as_it_was_sent(lakeside: Facility, study: Study) -> None:
    report, created = receive(lakeside, "Lungs:\r\nclear.\r\n\r\nHeart: größer.")
    assert (created, report.version, report.form, report.study) == (True, 1, "text/plain", study)
    assert reports.text(report) == "Lungs:\nclear.\n\nHeart: größer."
    assert reports.paragraphs(report) == ["Lungs:\nclear.", "Heart: größer."]


def test_a_pdf_comes_back_byte_for_byte(lakeside: Facility, study: Study) -> None:
    report, _ = receive(lakeside, PDF)
    assert (report.form, b"".join(reports.blocks(report))) == ("application/pdf", PDF)
    assert reports.text(report) == ""


def test_of_a_dicom_report_what_people_read_is_kept(lakeside: Facility, study: Study) -> None:
    assert b"".join(reports.blocks(receive(lakeside, pdf_object())[0])) == PDF
    structured, _ = receive(lakeside, sr_object(item("TEXT", "Impression", TextValue="Normal.")))
    assert reports.paragraphs(structured) == ["Radiology report", "Impression\nNormal."]


@pytest.mark.parametrize(
    "content",
    ["", " \n", "a\0b", b"\xff\xfe", b"\0" * 128 + b"DICM" + b"\0" * 20, "x" * (reports.TEXT_LIMIT + 1)],
)
def test_what_nobody_could_read_is_refused_with_a_next_step(
    lakeside: Facility, study: Study, content: bytes | str
) -> None:
    with pytest.raises(ReportRefused) as refused:
        receive(lakeside, content)
    assert str(refused.value.hint)
    assert not Report.objects.exists()


def test_the_same_again_changes_nothing(lakeside: Facility, study: Study) -> None:
    first, _ = receive(lakeside)
    receive(lakeside, "Corrected.", status=Status.CORRECTED)
    again, created = receive(lakeside)
    assert (again.pk, created) == (first.pk, False)
    assert study.reports.count() == 2
    assert SealedObject.objects.count() == 2
    assert AuditEvent.objects.filter(action="report_received").count() == 2


def test_the_same_at_once_is_one_version(transactional_db: None, lakeside: Facility, study: Study) -> None:
    received = at_once([lambda: receive(lakeside)] * 6)
    assert sorted(created for _, created in received) == [False] * 5 + [True]
    assert Report.objects.get().version == 1


def test_versions_sent_at_once_are_numbered_one_by_one(
    transactional_db: None, lakeside: Facility, study: Study
) -> None:
    at_once([partial(receive, lakeside, f"Version {number}") for number in range(6)])
    assert sorted(study.reports.values_list("version", flat=True)) == [1, 2, 3, 4, 5, 6]


def test_patients_read_final_versions_newest_first(lakeside: Facility, study: Study) -> None:
    receive(lakeside, "Draft.", status=Status.PRELIMINARY)
    receive(lakeside, "Signed.")
    receive(lakeside, "Signed, with a line more.", status=Status.APPENDED)
    assert [reports.text(one) for one in reports.released(study)] == ["Signed, with a line more.", "Signed."]


def test_a_report_that_comes_first_waits_for_its_study(lakeside: Facility, patient: FacilityPatient) -> None:
    early, created = receive(lakeside, study_uid="", accession_number="A1")
    assert (created, early.study) == (True, None)
    assert receive(lakeside, study_uid="", accession_number="A1") == (early, False)
    study = a_study(patient, study_uid="1.2.3", accession_number="A1")
    reports.attach(study)
    (found,) = reports.released(study)
    assert (found.pk, found.version, reports.text(found)) == (early.pk, 1, "All well.")


def test_reports_that_waited_are_numbered_in_the_order_they_came(lakeside: Facility, patient: FacilityPatient) -> None:
    receive(lakeside, "By number.", study_uid="", accession_number="A1")
    receive(lakeside, "By UID.")
    study = a_study(patient, study_uid="1.2.3", accession_number="A1")
    reports.attach(study)
    receive(lakeside, "Later.")
    assert [(one.version, reports.text(one)) for one in reports.released(study)] == [
        (3, "Later."),
        (2, "By UID."),
        (1, "By number."),
    ]


def test_a_report_that_waited_is_sealed_by_its_patients_key(lakeside: Facility, patient: FacilityPatient) -> None:
    early, _ = receive(lakeside)
    assert early.body.patient is None
    reports.attach(a_study(patient, study_uid="1.2.3"))
    body = SealedObject.objects.get(pk=early.body_id)
    assert body.patient == patient
    assert keys.object_key(body)
    assert b"All well" not in objects.store().read_at(body.pk, 0, 1000)


def test_a_report_finds_no_study_of_another_facility(lakeside: Facility, study: Study) -> None:
    hilltop = Facility.objects.create(name="Hilltop", slug="hilltop")
    report, _ = receive(hilltop, study_uid="", accession_number="A1")
    assert report.study is None
    reports.attach(study)
    assert not study.reports.exists()


def test_an_accession_number_of_several_studies_is_not_guessed(
    lakeside: Facility, patient: FacilityPatient, study: Study
) -> None:
    a_study(patient, accession_number="A1")
    with pytest.raises(Conflict):
        receive(lakeside, study_uid="", accession_number="A1")
    assert receive(lakeside, accession_number="A1")[0].study == study


def test_each_version_is_written_down_without_identity(lakeside: Facility, study: Study) -> None:
    report, _ = receive(lakeside, "ZEBRAFISH is well.")
    event = AuditEvent.objects.get(action="report_received")
    assert (event.actor_kind, event.study_id, event.way) == ("facility", study.pk, "api")
    assert event.detail == {"report": str(report.pk), "version": 1, "status": "final"}


def test_reports_count_towards_a_facilitys_day(lakeside: Facility, study: Study, settings: Settings) -> None:
    settings.MAX_FACILITY_DAY_BYTES = 2000
    receive(lakeside, "a" * 1500)
    with pytest.raises(TooMuch):
        receive(lakeside, "b" * 1500)
    receive(lakeside, "a" * 1500)  # the same again needs no room


def test_a_full_disk_takes_no_report(lakeside: Facility, study: Study, settings: Settings) -> None:
    settings.FREE_SPACE_FLOOR = 2**62
    with pytest.raises(Full):
        receive(lakeside)
