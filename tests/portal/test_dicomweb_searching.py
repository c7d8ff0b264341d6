"""QIDO-RS: what is found, by whatever a client asks, and never more than the viewer may see."""

from __future__ import annotations

import json
import re
from datetime import date, time, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.audit import Actor
from portal.dicomweb.urls import ROUTES
from sharing import grants, releases
from studies.models import FacilityPatient, Instance, SealedObject, Series, Study
from tests.cast import Cast, a_patient, a_study

pytestmark = pytest.mark.django_db
CHEST, KNEE, OLD = "1.2.3.1", "1.2.3.2", "1.2.3.3"


@pytest.fixture
def maria(client: Client, cast: Cast) -> Client:
    """Maria, who has three exams and sees nothing else."""
    Study.objects.filter(pk=cast.study.pk).update(
        study_uid=CHEST,
        study_date=date(2026, 3, 12),
        study_time=time(9, 30),
        description="CT chest",
        accession_number="ACC-1",
        modalities=["CT", "SR"],
    )
    patient = FacilityPatient.objects.get(pk=cast.patient.pk)
    patient.name, patient.patient_id = "García^María", "MRN-7"
    patient.save()
    for uid, day, words in ((KNEE, date(2026, 5, 1), "MR knee"), (OLD, None, "X-ray")):
        study = a_study(patient, study_uid=uid, study_date=day, description=words, modalities=["MR"])
        releases.release(study, actor=Actor.facility(cast.lakeside))
    for study in Study.objects.all():
        for modality in study.modalities:
            a_series(study, modality)
    client.force_login(cast.maria)
    return client


SR = "1.2.840.10008.5.1.4.1.1.88.11"
CT = "1.2.840.10008.5.1.4.1.1.2"


def a_series(study: Study, modality: str) -> Series:
    """One series of one instance that has no bytes."""
    series = Series.objects.create(
        study=study, series_uid=f"{study.study_uid}.{len(modality)}{ord(modality[0])}", modality=modality, number=1
    )
    pack = SealedObject.objects.create(facility=study.facility, patient=study.patient, kind="pack", length=1)
    publication = study.facility.publications.create()
    Instance.objects.create(
        study=study,
        series=series,
        facility=study.facility,
        publication=publication,
        sop_uid=f"{series.series_uid}.1",
        sop_class_uid=SR if modality == "SR" else CT,
        pack=pack,
        offset=0,
        length=1,
        sha256=bytes(32),
        crc32=0,
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        instance_number=4,
        facts={"rows": 512, "columns": 256},
    )
    Series.objects.filter(pk=series.pk).update(instance_count=1)
    return series


def found(client: Client, query: str = "", where: str = "/dicom-web/studies") -> list[str]:
    """Study UIDs, in the order of the answer."""
    return [row["0020000D"]["Value"][0] for row in rows(client, query, where)]


def rows(client: Client, query: str = "", where: str = "/dicom-web/studies") -> Any:
    answer = client.get(f"{where}?{query}")
    assert answer.status_code == 200, answer.content
    assert answer.headers["Content-Type"] == "application/dicom+json"
    return json.loads(answer.content)


def test_everything_that_is_hers_newest_first(maria: Client) -> None:
    assert found(maria) == [KNEE, CHEST, OLD]


@pytest.mark.parametrize(
    ("query", "uids"),
    [
        (f"StudyInstanceUID={CHEST}", [CHEST]),
        (f"0020000D={CHEST},{OLD}", [CHEST, OLD]),
        (f"0020000d={CHEST}%5C{OLD}", [CHEST, OLD]),
        (f"StudyInstanceUID={CHEST}*", [CHEST]),
        ("StudyDate=20260312", [CHEST]),
        ("StudyDate=20260301-20260401", [CHEST]),
        ("StudyDate=20260401-", [KNEE]),
        ("StudyDate=-20260401", [CHEST]),
        ("StudyTime=0900-1000", [CHEST]),
        ("AccessionNumber=ACC-1", [CHEST]),
        ("AccessionNumber=acc-?", [CHEST]),
        ("StudyDescription=*chest*", [CHEST]),
        ("StudyDescription=MR*", [KNEE]),
        ("StudyDescription=chest", []),
        ("StudyDescription=.*", []),
        ("StudyDescription=*c*e*t*", [CHEST]),
        ("StudyDescription=c*t", [CHEST]),
        ("StudyDescription=C?%20*st", [CHEST]),
        ("StudyDescription=**chest", [CHEST]),
        ("StudyDescription=*t*c*", [CHEST]),
        ("StudyDescription=*chest*chest*", []),
        ("PatientName=garcia*", [KNEE, CHEST, OLD]),
        ("PatientName=Garc%C3%ADa%5EMar%C3%ADa", [KNEE, CHEST, OLD]),
        ("PatientName=Garcia", []),
        ("PatientName=*maria*", [KNEE, CHEST, OLD]),
        ("PatientName=*", [KNEE, CHEST, OLD]),
        ("PatientID=MRN-7", [KNEE, CHEST, OLD]),
        ("00100020=MRN-8", []),
        ("ModalitiesInStudy=CT", [CHEST]),
        ("ModalitiesInStudy=CT,MR", [KNEE, CHEST, OLD]),
        ("ModalitiesInStudy=US", []),
        ("ModalitiesInStudy=CT&StudyDate=20260501", []),
        ("limit=1", [KNEE]),
        ("limit=1&offset=1", [CHEST]),
        ("offset=9", []),
        ("limit=0", []),
        ("includefield=all&includefield=00081030,StudyID", [KNEE, CHEST, OLD]),
    ],
)
def test_a_query_finds_what_it_says(maria: Client, query: str, uids: list[str]) -> None:
    assert found(maria, query) == uids


@pytest.mark.parametrize(
    "query",
    ["StudyInstanceUID=x", "StudyDate=yesterday", "StudyDate=20261345", "limit=-1", "limit=many", "offset=%EF%BC%91"],
)
def test_a_query_that_makes_no_sense_is_refused(maria: Client, query: str) -> None:
    answer = maria.get(f"/dicom-web/studies?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


def test_no_pattern_takes_longer_than_its_text(maria: Client) -> None:
    """Each star would multiply the ways to fail: with fifty of them, beyond the age of the world."""
    Study.objects.filter(study_uid=CHEST).update(description="a" * 190)
    assert found(maria, f"StudyDescription={'*a' * 50}*b") == []
    assert found(maria, f"StudyDescription={'*a' * 50}") == [CHEST]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("limit=1", "additional results"),
        ("fuzzymatching=true", "Fuzzy matching"),
        ("StudyID=7", "cannot be matched"),
        ("fuzzymatching=false&includefield=all", ""),
    ],
)
def test_what_was_not_done_is_said(maria: Client, query: str, words: str) -> None:
    answer = maria.get(f"/dicom-web/studies?{query}")
    assert words in answer.headers.get("Warning", "")
    assert bool(words) is ("Warning" in answer.headers)


def test_a_row_says_what_a_client_wants_to_know(maria: Client) -> None:
    (row,) = rows(maria, f"StudyInstanceUID={CHEST}")
    assert row["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "García^María"}]}
    assert row["00080020"] == {"vr": "DA", "Value": ["20260312"]}
    assert row["00080061"]["Value"] == ["CT", "SR"]
    assert row["00081190"] == {"vr": "UR", "Value": [f"{settings.PUBLIC_URL}/dicom-web/studies/{CHEST}"]}
    assert row["00080090"] == {"vr": "PN"}, "without a value where there is none"


def test_series_and_instances_are_found(maria: Client) -> None:
    where = f"/dicom-web/studies/{CHEST}/series"
    ct, _sr = rows(maria, where=where)
    assert (ct["00080060"]["Value"], ct["00201209"]["Value"]) == (["CT"], [1])
    series_uid = ct["0020000E"]["Value"][0]
    assert rows(maria, "Modality=CT", where) == [ct]
    (instance,) = rows(maria, "InstanceNumber=4", f"{where}/{series_uid}/instances")
    assert instance["00080018"]["Value"] == [f"{series_uid}.1"]
    assert (instance["00280010"]["Value"], instance["00280011"]["Value"]) == ([512], [256])
    assert instance["00081190"]["Value"] == [f"{settings.PUBLIC_URL}{where}/{series_uid}/instances/{series_uid}.1"]
    assert len(rows(maria, where=f"/dicom-web/studies/{CHEST}/instances")) == 2


def test_what_is_not_hers_is_neither_found_nor_counted(maria: Client, cast: Cast) -> None:
    other = a_study(a_patient(cast.hilltop), study_uid="1.2.3.9")
    releases.release(other, actor=Actor.facility(cast.hilltop))
    assert found(maria, "StudyInstanceUID=1.2.3.9") == []
    assert "Warning" not in maria.get("/dicom-web/studies?limit=3").headers
    assert maria.get("/dicom-web/studies/1.2.3.9/series").status_code == 404


def test_a_borrower_finds_what_is_lent_and_no_more_of_the_same_patient(maria: Client, cast: Cast) -> None:
    """OHIF asks for every study of a Patient ID as soon as it has opened one."""
    chest = Study.objects.get(study_uid=CHEST)
    end = timezone.now() + timedelta(days=1)
    grants.grant(cast.maria, studies=[chest.pk], email=cast.lee.email, rights=["view"], expires_at=end, way="page")
    maria.force_login(cast.lee)
    assert found(maria, "00100020=MRN-7&limit=101&offset=0&includefield=00081030") == [CHEST]
    (row,) = rows(maria)
    assert (row["00080061"]["Value"], row["00201206"]["Value"]) == (["CT"], [1]), "reports were not lent"
    assert [one["00080060"]["Value"] for one in rows(maria, where=f"/dicom-web/studies/{CHEST}/series")] == [["CT"]]


def test_staff_find_what_their_facility_published(maria: Client, cast: Cast) -> None:
    maria.force_login(cast.tom)
    assert found(maria, "PatientID=MRN-7") == [KNEE, CHEST, OLD]
    maria.force_login(cast.ana)
    assert found(maria) == []


def test_many_studies_cost_no_more_questions_than_one(maria: Client) -> None:
    rows(maria)  # who she is, is remembered
    with CaptureQueriesContext(connection) as for_many:
        assert len(found(maria)) == 3
    with CaptureQueriesContext(connection) as for_one:
        assert len(found(maria, "limit=1")) == 1
    assert len(for_many) == len(for_one)


@pytest.mark.parametrize(
    "accept", ["application/dicom+json, application/json", "application/dicom+json", "*/*", "*", ""]
)
def test_json_is_given_however_it_is_asked_for(maria: Client, accept: str) -> None:
    assert maria.get("/dicom-web/studies", headers={"Accept": accept}).status_code == 200


def test_xml_is_not_given(maria: Client) -> None:
    accept = 'multipart/related; type="application/dicom+xml"'
    assert maria.get("/dicom-web/studies", headers={"Accept": accept}).status_code == 406


# --- series and instances of all studies


def test_series_of_all_studies_newest_first(maria: Client) -> None:
    assert found(maria, where="/dicom-web/series") == [KNEE, CHEST, CHEST, OLD]
    assert found(maria, "Modality=SR", "/dicom-web/series") == [CHEST]
    assert found(maria, where="/viewer/dicom-web/series") == [KNEE, CHEST, OLD]


def test_series_and_instances_are_asked_for_by_what_their_study_says(maria: Client) -> None:
    for where in ("/dicom-web/series", "/dicom-web/instances"):
        assert set(found(maria, "AccessionNumber=ACC-1", where)) == {CHEST}
        assert found(maria, "AccessionNumber=ACC-9", where) == []
        assert set(found(maria, f"StudyInstanceUID={KNEE}", where)) == {KNEE}


def test_instances_of_all_studies_page_like_any_search(maria: Client) -> None:
    everything = rows(maria, where="/dicom-web/instances")
    pages = [rows(maria, f"limit=1&offset={place}", "/dicom-web/instances") for place in range(len(everything))]
    assert [row for page in pages for row in page] == everything
    assert len(everything) > 2


def test_nothing_of_others_is_among_them(client: Client, cast: Cast, maria: Client) -> None:
    client.force_login(cast.eve)
    for where in ("/dicom-web/series", "/dicom-web/instances"):
        assert rows(client, where=where) == []


# --- what a base can do


def test_capabilities_name_every_resource_that_there_is(maria: Client) -> None:
    told = maria.get("/dicom-web/")
    assert told.headers["Content-Type"] == "application/vnd.sun.wadl+xml"
    assert maria.options("/dicom-web/").content == told.content
    names = set(re.findall(r'path="([^"]+)"', told.content.decode()))
    written = {re.sub(r"<[^>]+>", "{}", route) for route, _view in ROUTES.values()} | {"studies", "studies/{}"}
    assert {re.sub(r"\{\w+\}", "{}", name) for name in names} == written
    assert maria.get("/dicom-web/", headers={"Accept": "image/png"}).status_code == 406
