"""A report that comes as an instance of its study is read there, once, and follows what becomes of the instance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import AuditEvent, Facility
from studies import intake, jobs, pipeline, reports, sandbox
from studies.models import Instance, Report, Study
from tests.factories import ct_file, uid
from tests.studies.documents_made import (
    CHEST_CAD_SR,
    PDF,
    after,
    dose_report,
    item,
    measurement_report,
    pdf_object,
    radiology_report,
    sr_object,
    text,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module", autouse=True)
def zygote() -> Iterator[None]:
    sandbox.start()
    yield
    sandbox.stop()


def publish(facility: Facility, *files: bytes) -> Study:
    """Publish the files one by one and have the study made ready."""
    for file in files:
        assert intake.publish(facility, [[file]]).stored
    study = facility.studies.get(study_uid=uid(1))
    pipeline.advance(study.pk, at_once=True)
    study.refresh_from_db()
    assert study.state == Study.State.READY
    return study


def index_again(study: Study) -> None:
    """Do the whole work on a study once more."""
    Instance.objects.filter(study=study).update(indexed_at=None)
    Study.objects.filter(pk=study.pk).update(state=Study.State.STORED)
    jobs.want(study)
    pipeline.advance(study.pk, at_once=True)


def shown(study: Study) -> list[list[str]]:
    """The words of each version of each document that a patient may read."""
    return [[reports.text(one) for one in document.versions] for document in reports.documents(study)]


def words(impression: str, number: int = 1, **attributes: Any) -> bytes:
    """A structured report that says one thing."""
    return sr_object(text("", impression), number=number, **attributes)


def test_structured_reports_and_pdfs_in_a_study_become_its_reports(lakeside: Facility) -> None:
    pdf = pdf_object(SOPInstanceUID=uid(1, 9, 2), DocumentTitle="Consent form")
    study = publish(lakeside, ct_file(1), radiology_report(), pdf, dose_report(), measurement_report(uid(1, 1, 1)))
    found = [one.newest for one in reports.documents(study)]
    assert [(one.kind, one.title, one.form, one.status) for one in found] == [
        ("report", "Radiology report", "application/dicom", "final"),
        ("document", "Consent form", "application/pdf", "final"),
        ("measurements", "Imaging Measurement Report", "application/dicom", "final"),
        ("dose", "X-Ray Radiation Dose Report", "application/dicom", "final"),
    ]
    assert b"".join(reports.blocks(found[1])) == PDF
    assert "Lungs clear." in reports.text(found[0])
    kept = reports.original(found[0])
    assert kept is not None
    assert b"".join(kept[0]) == radiology_report()
    assert {one.body.patient for one in found} == {study.patient}


def test_doing_it_again_changes_nothing(lakeside: Facility) -> None:
    study = publish(lakeside, ct_file(1), radiology_report(), dose_report())
    before = list(Report.objects.order_by("pk").values())
    index_again(study)
    publish(lakeside, ct_file(2))
    assert list(Report.objects.order_by("pk").values()) == before
    assert AuditEvent.objects.filter(action="report_received").count() == 2


def test_what_is_no_report_to_a_patient_is_looked_at_once(lakeside: Facility, monkeypatch: pytest.MonkeyPatch) -> None:
    cad = sr_object(text("Mark", "1"), sop_class=CHEST_CAD_SR)
    phoenix = radiology_report(number=2, SeriesDescription="PhoenixZIPReport")
    damaged = pdf_object(b"%PDF-1.4 x", SOPInstanceUID=uid(1, 9, 3))
    study = publish(lakeside, ct_file(1), cad, phoenix, damaged)
    assert not study.reports.exists()
    monkeypatch.setattr("studies.documents.readings.read_dicom", lambda *_: pytest.fail("read again"))
    publish(lakeside, ct_file(2))
    assert study.instances.count() == 5


def test_a_new_version_of_the_instance_is_a_new_version_of_the_report(lakeside: Facility) -> None:
    publish(lakeside, ct_file(1), words("A shadow."))
    study = publish(lakeside, words("No shadow."))
    assert shown(study) == [["No shadow.\n", "A shadow.\n"]]
    assert [one.status for one in reports.released(study)] == ["amended", "final"]


def test_a_successor_names_its_predecessor_in_whatever_order_they_come(lakeside: Facility) -> None:
    first = words("First.", 1, ContentDate="20260101")
    second = words("Second.", 2, ContentDate="20260102", PredecessorDocumentsSequence=after(uid(1, 9, 1)))
    third = words("Third.", 3, PredecessorDocumentsSequence=after(uid(1, 9, 2)))
    study = publish(lakeside, ct_file(1), third)
    publish(lakeside, first)
    publish(lakeside, second)
    assert shown(study) == [["Third.\n", "Second.\n", "First.\n"]]
    assert [one.status for one in reports.released(study)] == ["amended", "amended", "final"]


def test_an_addendum_is_flagged(lakeside: Facility) -> None:
    added = item("CONTAINER", "Addendum", [text("", "Also a cyst.")])
    report = sr_object(text("", "First."), added, number=2, PredecessorDocumentsSequence=after(uid(1, 9, 1)))
    study = publish(lakeside, ct_file(1), words("First."), report)
    assert [one.get_status_display() for one in reports.released(study)] == ["With an addendum", "Final"]


def test_reports_that_name_no_predecessor_stand_side_by_side(lakeside: Facility) -> None:
    study = publish(
        lakeside, ct_file(1), words("Chest.", 1, ContentDate="20260102"), words("Neck.", 2, ContentDate="20260101")
    )
    assert shown(study) == [["Chest.\n"], ["Neck.\n"]]


def test_a_preliminary_report_waits(lakeside: Facility) -> None:
    study = publish(lakeside, ct_file(1), words("Draft.", PreliminaryFlag="PRELIMINARY"))
    assert study.reports.get().status == "preliminary"
    assert shown(study) == []
    assert not reports.with_released([study])
    publish(lakeside, words("Signed.", 2, PredecessorDocumentsSequence=after(uid(1, 9, 1))))
    assert shown(study) == [["Signed.\n"]]


def test_a_rejected_instance_takes_its_report_along(lakeside: Facility) -> None:
    study = publish(lakeside, ct_file(1), words("Of somebody else."))
    assert reports.with_released([study])
    study.instances.filter(sop_uid=uid(1, 9, 1)).update(rejected_at=timezone.now())
    assert shown(study) == []
    assert not reports.with_released([study])


@pytest.mark.parametrize("by_api_first", [True, False])
def test_the_same_file_sent_both_ways_is_one_version(lakeside: Facility, by_api_first: bool) -> None:
    file = words("All well.")

    def send() -> None:
        reports.receive(lakeside, content=file, status=Report.Status.FINAL)

    if by_api_first:
        send()
    study = publish(lakeside, ct_file(1), file)
    send()
    report = study.reports.get()
    assert report.instance is not None
    assert report.instance.sop_uid == uid(1, 9, 1)


def test_a_report_sent_as_text_goes_on_where_the_api_began(lakeside: Facility) -> None:
    study = publish(lakeside, ct_file(1), words("By DICOM."))
    for number in (1, 2):
        reports.receive(lakeside, study_uid=uid(1), content=f"Text {number}.", status=Report.Status.FINAL)
    assert shown(study) == [["Text 2.", "Text 1."], ["By DICOM.\n"]]


def test_a_study_of_a_report_alone_is_ready_and_read(lakeside: Facility) -> None:
    assert shown(publish(lakeside, words("All well."))) == [["All well.\n"]]


def test_a_facilitys_list_knows_drafts_but_not_doses_nor_what_was_rejected(lakeside: Facility) -> None:
    def listed() -> list[str]:
        (study,) = lakeside.studies.prefetch_related(reports.prefetched())
        return [one.status for one in study.reports.all()]

    study = publish(lakeside, ct_file(1), words("Draft.", PreliminaryFlag="PRELIMINARY"), dose_report())
    assert listed() == ["preliminary"]
    study.instances.filter(sop_uid=uid(1, 9, 1)).update(rejected_at=timezone.now())
    assert listed() == []
