"""What was published is what is taken home, and of the size that was told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.utils import timezone

from accounts.models import Facility
from studies import catalog, intake, pipeline, reports, sandbox
from studies.models import Report, SealedObject, Study
from studies.store import objects
from studies.takehome import archive
from tests.factories import ct_series, uid
from tests.studies.archives_made import (
    opened,
    page,
    readme,
)
from tests.studies.documents_made import pdf_object, radiology_report


@pytest.fixture(scope="module", autouse=True)
def zygote() -> Iterator[None]:
    sandbox.start()
    yield
    sandbox.stop()


@pytest.fixture
def study(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.setattr(pipeline, "ring", lambda *args, **_: None)
    lakeside = Facility.objects.create(name="Lakeside Imaging", slug="lakeside")
    receipt = intake.publish(lakeside, [[file] for file in FILES])
    assert not receipt.failed
    found = Study.objects.get()
    reports.receive(lakeside, status=Report.Status.FINAL, content=b"Lungs clear.", study_uid=found.study_uid)
    reports.receive(lakeside, status=Report.Status.PRELIMINARY, content=b"Wait.", study_uid=found.study_uid)
    pipeline.advance(found.pk, at_once=True)
    found.refresh_from_db()
    return found


FILES = [*ct_series(4), *ct_series(2, series=2, SeriesDescription="Thin")]


def test_what_was_published_is_what_is_taken_home(study: Study) -> None:
    with opened(archive.plan_of(study)) as zipped:
        originals = [name for name in zipped.namelist() if name.startswith("DICOM/")]
        assert sorted(zipped.read(name) for name in originals) == sorted(FILES)
        pictures = [name for name in zipped.namelist() if name.startswith("PICTURES/")]
        assert len(pictures) == 6
        assert all(zipped.read(name).startswith(b"\xff\xd8\xff") for name in pictures)
        assert zipped.read("REPORT/report-1.txt") == b"Lungs clear."
        assert "REPORT/report-2.txt" not in zipped.namelist()


def test_the_report_stays_out_when_it_may_not_be_seen(study: Study) -> None:
    with opened(archive.plan_of(study, with_reports=False)) as zipped:
        assert not [name for name in zipped.namelist() if name.startswith("REPORT")]
        assert "Lungs clear" not in page(zipped)


@pytest.mark.parametrize("with_reports", [True, False])
def test_the_size_told_before_the_click_is_a_little_more_than_the_truth(study: Study, with_reports: bool) -> None:
    exact = archive.plan_of(study, with_reports=with_reports).exact_size
    told = archive.size_of(study, with_reports=with_reports)
    assert exact <= told <= exact * 1.05 + 32_000


def test_the_page_of_a_patient_names_nobody(study: Study) -> None:
    with opened(archive.plan_of(study)) as zipped:
        told = page(zipped) + readme(zipped) + zipped.read("manifest.json").decode()
    assert "ZEBRAFISH" not in told.upper()


def test_words_of_the_catalog_are_on_the_page(study: Study) -> None:
    with opened(archive.plan_of(study)) as zipped:
        assert catalog.title(study) in page(zipped)
        assert "Thin" in page(zipped)


def test_a_structured_report_is_taken_home_as_words_and_as_its_file(study: Study) -> None:
    enclosed, alone = radiology_report(), radiology_report("Heart normal.", number=2)
    intake.publish(study.facility, [[enclosed]])
    pipeline.advance(study.pk, at_once=True)
    reports.receive(study.facility, status=Report.Status.AMENDED, content=alone)
    with opened(archive.plan_of(study)) as zipped:
        files = {name: zipped.read(name) for name in zipped.namelist()}
        said = page(zipped)
    assert [name for name, body in files.items() if body == enclosed] == ["DICOM/S0003/I00001"]
    assert [name for name, body in files.items() if body == alone] == ["REPORT/report-1.dcm"]
    assert b"Heart normal." in files["REPORT/report-1.txt"]
    assert b"Lungs clear." in files["REPORT/report-3.txt"]
    assert all(files[f"REPORT/report-{number}.pdf"].startswith(b"%PDF") for number in (1, 2, 3))
    assert "Heart normal." in said
    exact, told = archive.plan_of(study).exact_size, archive.size_of(study)
    assert exact <= told


def test_who_may_not_read_the_report_gets_it_among_the_originals_neither(study: Study) -> None:
    intake.publish(study.facility, [[radiology_report("Secret findings.")], [pdf_object(SOPInstanceUID=uid(1, 9, 2))]])
    pipeline.advance(study.pk, at_once=True)
    study.refresh_from_db()
    with opened(archive.plan_of(study, with_reports=False)) as zipped:
        assert not any(b"Secret findings" in zipped.read(name) for name in zipped.namelist())
        assert len([name for name in zipped.namelist() if name.startswith("DICOM/")]) == len(FILES)
    with opened(archive.plan_of(study)) as zipped:
        assert len([name for name in zipped.namelist() if name.startswith("DICOM/")]) == len(FILES) + 2


@pytest.mark.parametrize("known", [True, False], ids=["known before", "found on the way"])
def test_what_is_damaged_costs_nobody_the_rest(study: Study, known: bool) -> None:
    more = ct_series(2, series=3, SeriesDescription="Lost")
    intake.publish(study.facility, [[file] for file in more])
    pipeline.advance(study.pk, at_once=True)
    pack = study.instances.get(sop_uid=uid(1, 3, 1)).pack
    if known:
        SealedObject.objects.filter(pk=pack.pk).update(damaged_at=timezone.now())
    else:
        objects.store().delete(pack.pk)
    with opened(archive.plan_of(study)) as zipped:
        originals = [name for name in zipped.namelist() if name.startswith("DICOM/")]
        assert sorted(zipped.read(name) for name in originals) == sorted(FILES)
        assert len([name for name in zipped.namelist() if name.startswith("PICTURES/")]) == 8
        assert "2 files are missing here" in readme(zipped)
        assert "2 files are missing here" in page(zipped)
    if not known:
        assert SealedObject.objects.get(pk=pack.pk).damaged_at, "and it is written down"


def test_pictures_and_reports_that_are_damaged_are_left_out(study: Study) -> None:
    SealedObject.objects.exclude(kind=SealedObject.Kind.PACK).update(damaged_at=timezone.now())
    with opened(archive.plan_of(study)) as zipped:
        assert not [name for name in zipped.namelist() if name.startswith(("PICTURES/", "REPORT/"))]
        assert "1 file is missing here" in readme(zipped)


def test_a_report_sent_both_ways_is_there_once(study: Study) -> None:
    both = radiology_report()
    reports.receive(study.facility, status=Report.Status.FINAL, content=both)
    intake.publish(study.facility, [[both]])
    pipeline.advance(study.pk, at_once=True)
    with opened(archive.plan_of(study)) as zipped:
        assert [name for name in zipped.namelist() if zipped.read(name) == both] == ["DICOM/S0003/I00001"]
