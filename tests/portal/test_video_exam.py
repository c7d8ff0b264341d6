"""An exam that is only a video has no pictures, and nobody counts to zero: a sentence says what it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.audit import Actor
from sharing import releases
from sharing.models import Link
from studies import intake, pipeline
from studies.models import FacilityPatient, Study
from tests.cast import Cast
from tests.reading import words_of
from tests.studies.dicom_made import encapsulated

H264, VIDEO_ENDOSCOPY = "1.2.840.10008.1.2.4.102", "1.2.840.10008.5.1.4.1.1.77.1.1.1"


@pytest.fixture
def video(cast: Cast, tmp_path: Path, settings: Settings) -> Study:
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()
    file = encapsulated(b"\0\0\0\x18ftypmp42", H264, SOPClassUID=VIDEO_ENDOSCOPY, NumberOfFrames=100, Modality="ES")
    assert len(intake.publish(cast.lakeside, [[file]]).stored) == 1
    study = Study.objects.get(study_uid="1.2.826.0.1.1")
    pipeline.advance(study.pk, at_once=True)
    patient = FacilityPatient.objects.get(facility=cast.lakeside, patient_id="LS-1")
    Link.objects.get_or_create(patient=patient, record=cast.maria.record, claimed_by=cast.maria)
    study.refresh_from_db()
    if not hasattr(study, "release"):
        releases.release(study, actor=Actor.facility(cast.lakeside))
    return study


def test_a_video_is_named_and_no_pictures_are_counted(client: Client, cast: Cast, video: Study) -> None:
    client.force_login(cast.maria)
    home = words_of(client.get(reverse("home")))
    page = words_of(client.get(reverse("study", args=[video.pk])))
    assert "This is a video (MPEG-4, H.264). Download it to watch it in a free DICOM viewer." in page
    assert "Pictures" not in page.replace("No pictures", "")
    client.force_login(cast.tom)
    desk = words_of(client.get(reverse("desk_patient", args=[video.patient_id])))
    assert "No pictures to show here" in desk
    assert not any("0 pictures" in words for words in (home, page, desk))
