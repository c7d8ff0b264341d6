from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from pytest_django import Settings
from reportlab.lib.pdfencrypt import StandardEncryption

from accounts.audit import Actor
from accounts.errors import Conflict
from accounts.models import AuditEvent, Facility
from studies import patients, reports
from studies.documents import readings
from studies.documents.readings import NotMeant, ReportRefused
from studies.models import FacilityPatient, Report, SealedObject, Study
from studies.receiving.room import Full, TooMuch
from studies.reports import NoStudyNamed, OtherPatient, OtherStudy
from studies.store import keys, objects
from tests.at_once import at_once
from tests.cast import a_study
from tests.studies.documents_made import PDF, dose_report, pdf_object, radiology_report
from tests.studies.pdfs_made import pdf

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


def test_of_a_dicom_document_what_people_read_and_the_file_are_kept(lakeside: Facility, study: Study) -> None:
    for file in (pdf_object(StudyInstanceUID="1.2.3"), radiology_report(StudyInstanceUID="1.2.3")):
        kept = reports.original(receive(lakeside, file)[0])
        assert kept is not None
        assert (b"".join(kept[0]), kept[1]) == (file, len(file))
    structured, pdf = reports.released(study)
    assert b"".join(reports.blocks(pdf)) == PDF
    assert (structured.form, structured.title) == ("application/dicom", "Radiology report")
    assert reports.text(structured) == (
        "Findings\n\nLungs clear.\n\nImpressions\n\nNormal.\n\nLanguage: English\nObserver: Lee Ann\n"
    )


def test_a_dicom_document_names_its_study_itself(lakeside: Facility, study: Study) -> None:
    assert receive(lakeside, radiology_report(StudyInstanceUID="1.2.3"), study_uid="")[0].study == study
    by_number = radiology_report(StudyInstanceUID="", AccessionNumber="A1", number=2)
    assert receive(lakeside, by_number, study_uid="")[0].study == study
    with pytest.raises(NoStudyNamed):
        receive(lakeside, radiology_report(StudyInstanceUID="", number=3), study_uid="")
    with pytest.raises(NoStudyNamed):
        receive(lakeside, PDF, study_uid="")


@pytest.mark.parametrize("said", [{"study_uid": "1.2.4"}, {"study_uid": "", "accession_number": "A2"}])
def test_a_dicom_document_of_another_study_is_refused(lakeside: Facility, study: Study, said: dict[str, str]) -> None:
    with pytest.raises(OtherStudy):
        receive(lakeside, radiology_report(StudyInstanceUID="1.2.3", AccessionNumber="A1"), **said)
    assert not Report.objects.exists()


def test_a_dicom_document_of_another_patient_is_refused(lakeside: Facility, study: Study) -> None:
    with pytest.raises(OtherPatient):
        receive(lakeside, radiology_report(StudyInstanceUID="1.2.3", PatientID="P2"))
    assert not Report.objects.exists()


def test_what_was_made_for_programs_is_no_report(lakeside: Facility, study: Study) -> None:
    with pytest.raises(NotMeant):
        receive(lakeside, radiology_report(StudyInstanceUID="1.2.3", SeriesDescription="PhoenixZIPReport"))


def test_a_pdf_with_a_password_is_taken_and_a_damaged_one_is_not(lakeside: Facility, study: Study) -> None:
    receive(lakeside, pdf("Lungs clear.", lock=StandardEncryption("secret", strength=128)))
    for damaged in (PDF[: len(PDF) // 2], b"%PDF-1.4 nonsense", pdf_object(b"%PDF-1.4 x", StudyInstanceUID="1.2.3")):
        with pytest.raises(ReportRefused) as refused:
            receive(lakeside, damaged)
        assert "damaged" in str(refused.value.message)
    assert Report.objects.count() == 1


@pytest.mark.parametrize(
    "content",
    ["", " \n", "a\0b", b"\xff\xfe", b"\0" * 128 + b"DICM" + b"\0" * 20, "x" * (readings.TEXT_LIMIT + 1)],
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


def test_a_report_waits_where_several_studies_have_its_number(lakeside: Facility, patient: FacilityPatient) -> None:
    early, _ = receive(lakeside, study_uid="", accession_number="A1")
    studies = [a_study(patient, accession_number="A1") for _ in range(2)]
    for study in studies:
        reports.attach(study)
    early.refresh_from_db()
    assert early.study is None
    named, _ = receive(lakeside, study_uid=studies[0].study_uid)
    assert named.study == studies[0]


def test_a_document_of_another_patient_goes_on_waiting(lakeside: Facility, patient: FacilityPatient) -> None:
    other, _ = receive(lakeside, radiology_report(StudyInstanceUID="1.2.3", PatientID="P2"))
    hers, _ = receive(lakeside, radiology_report(StudyInstanceUID="1.2.3", number=2))
    study = a_study(patient, study_uid="1.2.3")
    reports.attach(study)
    assert list(study.reports.all()) == [hers]
    hers.refresh_from_db()
    assert {hers.body.patient, hers.original and hers.original.patient} == {patient}
    assert other.body.patient is None


def test_a_dose_report_does_not_supersede_the_radiologists(lakeside: Facility, study: Study) -> None:
    receive(lakeside, "All well.")
    receive(lakeside, dose_report(StudyInstanceUID="1.2.3"))
    report, dose = reports.documents(study)
    assert [reports.text(one) for one in report.versions] == ["All well."]
    assert reports.text(dose.newest).startswith("CT: dose-length product of the whole exam: 523.4 mGy.cm\n")
    assert [(one.newest.kind, one.newest.version) for one in (report, dose)] == [("report", 1), ("dose", 1)]


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
