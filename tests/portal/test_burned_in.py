"""DI-17: what may be written in the pixels is said before a copy leaves, and nobody promises that it is taken out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.audit import Actor
from sharing import releases
from sharing.models import Link
from studies import burned_in, intake, pipeline
from studies.models import FacilityPatient, Study
from tests import factories
from tests.cast import Cast
from tests.reading import words_of

ULTRASOUND = "1.2.840.10008.5.1.4.1.1.6.1"
SECONDARY = "1.2.840.10008.5.1.4.1.1.7"
MULTI_FRAME_SECONDARY = "1.2.840.10008.5.1.4.1.1.7.4"
CT = "1.2.840.10008.5.1.4.1.1.2"
KEY = "5c8f8a34-8f0e-4a52-9d43-5d6f3a1f0a11"
SAID = "Names may be written in these pictures"


@pytest.fixture(autouse=True)
def _store(tmp_path: Path, settings: Settings) -> None:
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()


def published(cast: Cast, **attributes: Any) -> Study:
    """Maria's exam of one picture that says so of itself."""
    intake.publish(cast.lakeside, [[factories.ct_file(1, study=9, PatientID="PUB-1", **attributes)]])
    study = Study.objects.get(facility=cast.lakeside, study_uid=factories.uid(9))
    pipeline.advance(study.pk, at_once=True)
    patient = FacilityPatient.objects.get(facility=cast.lakeside, patient_id="PUB-1")
    Link.objects.create(patient=patient, record=cast.maria.record, claimed_by=cast.maria)
    study.refresh_from_db()
    if not hasattr(study, "release"):
        releases.release(study, actor=Actor.facility(cast.lakeside))
    return study


@pytest.mark.parametrize(
    ("sop_class", "said", "expected"),
    [
        (CT, None, False),
        (CT, "NO", False),
        (CT, "YES", True),
        (ULTRASOUND, None, True),
        (ULTRASOUND, "NO", False),
        (SECONDARY, None, True),
        (MULTI_FRAME_SECONDARY, None, True),
        (SECONDARY, "yes", True),
    ],
)
def test_di17_headers_and_kinds_of_picture_tell(cast: Cast, sop_class: str, said: str | None, expected: bool) -> None:
    attributes = {"BurnedInAnnotation": said} if said else {}
    study = published(cast, SOPClassUID=sop_class, **attributes)
    assert burned_in.may_be_in([study]) is expected
    assert burned_in.may_be_in([]) is False


@pytest.mark.parametrize("said", ["YES", "NO"])
def test_di17_it_is_said_before_a_copy_leaves(cast: Cast, client: Client, said: str) -> None:
    study = published(cast, BurnedInAnnotation=said)
    client.force_login(cast.maria)
    assert (SAID in words_of(client.get(reverse("take_home", args=[study.pk])))) == (said == "YES")
    answers = {
        "by": "email",
        "email": "lee@example.org",
        "scope": "chosen",
        "studies": [str(study.pk)],
        "period": "30",
        "key": KEY,
    }
    read_back = words_of(client.post(reverse("lend", args=[study.pk]), answers))
    assert "Is this right?" in read_back
    assert (SAID in read_back) == (said == "YES")
