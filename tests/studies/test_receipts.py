"""What a facility is told about a study it published."""

from __future__ import annotations

import hashlib

import pytest
from django.utils import timezone

from accounts.errors import NotFound
from accounts.models import Facility
from studies import intake
from studies.models import Instance, Job, Study
from studies.receipts import receipt
from tests.factories import ct_file, uid

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("files")]

FILE = ct_file()
SHA256 = hashlib.sha256(FILE).hexdigest()


@pytest.fixture
def lakeside() -> Facility:
    return Facility.objects.create(name="Lakeside", slug="lakeside")


@pytest.fixture
def published(lakeside: Facility) -> Facility:
    intake.publish(lakeside, [[FILE]])
    return lakeside


def test_what_has_just_come_is_being_received(published: Facility) -> None:
    assert receipt(published, uid(1)) == {
        "state": "receiving",
        "instances": [{"sop_uid": uid(1, 1, 1), "sha256": SHA256, "state": "receiving"}],
    }


def test_a_ready_study_is_ready_in_all_its_parts(published: Facility) -> None:
    Instance.objects.update(indexed_at=timezone.now())
    Study.objects.update(state=Study.State.READY)
    said = receipt(published, uid(1))
    assert (said["state"], said["instances"][0]["state"]) == ("ready", "ready")


def test_a_withdrawn_study_says_so(published: Facility) -> None:
    assert receipt(published, uid(1), is_withdrawn=True)["state"] == "withdrawn"


def test_only_the_present_version_is_listed(published: Facility) -> None:
    corrected = ct_file(SeriesDescription="Corrected")
    intake.publish(published, [[corrected]])
    (listed,) = receipt(published, uid(1))["instances"]
    assert listed["sha256"] == hashlib.sha256(corrected).hexdigest()


def test_what_is_set_aside_is_listed_beside_the_rest(published: Facility) -> None:
    intake.publish(published, [[ct_file(2, PatientID="P2")]])
    states = [instance["state"] for instance in receipt(published, uid(1))["instances"]]
    assert states == ["receiving", "quarantined"]


def test_a_study_of_which_all_is_set_aside_is_quarantined(lakeside: Facility) -> None:
    intake.publish(lakeside, [[ct_file(PatientID="")]])
    assert receipt(lakeside, uid(1))["state"] == "quarantined"


def test_a_study_that_was_given_up_is_a_problem(published: Facility) -> None:
    Job.objects.update(dead_at=timezone.now())
    assert "operator" in receipt(published, uid(1))["problem"]


def test_other_facilities_learn_nothing(published: Facility) -> None:
    hilltop = Facility.objects.create(name="Hilltop", slug="hilltop")
    with pytest.raises(NotFound):
        receipt(hilltop, uid(1))
