"""What DICOMweb tells to whom: nothing of others by path, count, header or cache (AZ-4, AZ-5, SE-4)."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.audit import Actor
from portal.policies import DICOMWEB, routes
from sharing import releases
from sharing.models import Link
from studies import intake, pipeline
from studies.models import FacilityPatient, Study
from tests import factories
from tests.cast import Cast
from tests.portal.published import Published, publish_for
from tests.portal.stage import Stage, body_of, set_up

pytestmark = pytest.mark.django_db


@pytest.fixture
def published(cast: Cast, tmp_path: Path, settings: Settings) -> Published:
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()
    return publish_for(cast)


def another(cast: Cast, *, hers: bool) -> Study:
    """A study of Hilltop's: of Maria too, or of somebody else."""
    intake.publish(cast.hilltop, [[factories.ct_file(1, study=10, series=7, PatientID="HILL-1")]])
    study = Study.objects.get(facility=cast.hilltop)
    pipeline.advance(study.pk, at_once=True)
    patient = FacilityPatient.objects.get(facility=cast.hilltop, patient_id="HILL-1")
    owner = cast.maria if hers else cast.eve
    Link.objects.create(patient=patient, record=owner.record, claimed_by=owner)
    releases.release_ready(patient, actor=Actor.facility(cast.hilltop))
    return study


def test_az4_a_path_that_mixes_two_studies_leads_nowhere(client: Client, cast: Cast, published: Published) -> None:
    """Study, series and instance must be of each other, also where she may see both."""
    study, other = published.study, another(cast, hers=True)
    ours, theirs = published.first, other.instances.select_related("series").get()
    client.force_login(cast.maria)
    mixed = [
        (study.study_uid, theirs.series.series_uid, theirs.sop_uid),
        (study.study_uid, ours.series.series_uid, theirs.sop_uid),
        (other.study_uid, ours.series.series_uid, ours.sop_uid),
    ]
    for study_uid, series_uid, sop_uid in mixed:
        path = f"/dicom-web/studies/{study_uid}/series/{series_uid}/instances/{sop_uid}"
        for what in ("", "/metadata", "/frames/1", "/rendered", "/thumbnail", "/bulkdata/7FE00010"):
            assert client.get(path + what).status_code == 404, what
    scoped = f"/studies/{study.pk}/dicom-web/studies/{other.study_uid}"
    assert client.get(f"{scoped}/metadata").status_code == 404
    assert client.get(f"/studies/{study.pk}/dicom-web/studies").json() != []
    assert client.get(f"/studies/{study.pk}/dicom-web/studies?StudyInstanceUID={other.study_uid}").json() == []


QUERIES = [
    "",
    "limit=1",
    "limit=1&offset=1",
    "PatientName=*",
    "PatientID=HILL-1",
    "PatientName=ZEBRA*",
    "ModalitiesInStudy=CT",
    "fuzzymatching=true&PatientName=zebrafisch",
    "includefield=all",
    f"StudyInstanceUID={factories.uid(10)}",
    "StudyDate=19000101-",
]


def test_az5_what_others_have_changes_no_byte_of_a_search(client: Client, cast: Cast, published: Published) -> None:
    client.force_login(cast.maria)

    def answers() -> list[tuple[int, bytes, str]]:
        told = []
        for query in QUERIES:
            answer = client.get(f"/dicom-web/studies?{query}")
            told.append((answer.status_code, answer.content, answer.headers.get("Warning", "")))
        return told

    before = answers()
    another(cast, hers=False)
    assert answers() == before


def test_se4_nothing_of_a_study_is_kept_by_browsers(cast: Cast, tmp_path: Path, settings: Settings) -> None:
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()
    stage: Stage = set_up(cast)
    asked = 0
    for name, pattern in routes():
        if name.removeprefix("dicomweb_") in DICOMWEB or name in ("stow", "stow_study"):
            answer = stage.get("maria", pattern)
            body_of(answer)
            assert answer.status_code == 200, name
            assert answer.headers["Cache-Control"] == "no-store", name
            assert "ETag" not in answer.headers, name
            asked += 1
    assert asked == len(DICOMWEB) + 2
