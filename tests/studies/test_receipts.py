"""What a facility is told about a study it published."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.errors import NotFound
from accounts.models import Facility
from studies import intake
from studies.announcements import announce
from studies.models import Announcement, Instance, Job, Quarantined, Study
from studies.receipts import receipt
from tests.conftest import Clock
from tests.factories import ct_file, uid

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("files")]

FILE = ct_file()
SHA256 = hashlib.sha256(FILE).hexdigest()


@pytest.fixture
def published(lakeside: Facility) -> Facility:
    intake.publish(lakeside, [[FILE]])
    return lakeside


def test_what_has_just_come_is_being_received(published: Facility) -> None:
    assert receipt(published, uid(1)) == {
        "state": "receiving",
        "expected": None,
        "complete": None,
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


def test_what_a_rejection_note_hides_is_listed_as_rejected(published: Facility) -> None:
    Instance.objects.update(rejected_at=timezone.now())
    assert [row["state"] for row in receipt(published, uid(1))["instances"]] == ["rejected"]


def test_what_staff_left_out_is_listed_so(published: Facility) -> None:
    intake.publish(published, [[ct_file(2, PatientID="P2")]])
    Quarantined.objects.update(outcome=Quarantined.Outcome.LEFT_OUT, settled_at=timezone.now())
    assert [row["state"] for row in receipt(published, uid(1))["instances"]] == ["receiving", "left_out"]


def test_what_staff_took_in_is_listed_once_as_an_instance(published: Facility) -> None:
    intake.publish(published, [[ct_file(2, PatientID="P2")]])
    Quarantined.objects.update(outcome=Quarantined.Outcome.TAKEN_IN, settled_at=timezone.now())
    assert [row["sop_uid"] for row in receipt(published, uid(1))["instances"]] == [uid(1, 1, 1)]


def test_a_study_is_complete_when_all_that_was_announced_is_here(published: Facility) -> None:
    assert announce(published, uid(1), 2)
    assert (receipt(published, uid(1))["expected"], receipt(published, uid(1))["complete"]) == (2, False)
    intake.publish(published, [[ct_file(2)]])
    assert receipt(published, uid(1))["complete"] is True


def test_what_is_rejected_counts_and_what_is_set_aside_does_not(published: Facility) -> None:
    announce(published, uid(1), 2)
    intake.publish(published, [[ct_file(2, PatientID="P2")]])
    assert receipt(published, uid(1))["complete"] is False
    intake.publish(published, [[ct_file(3)]])
    Instance.objects.filter(sop_uid=uid(1, 1, 3)).update(rejected_at=timezone.now())
    assert receipt(published, uid(1))["complete"] is True


def test_an_announcement_waits_for_its_study(lakeside: Facility) -> None:
    assert not announce(lakeside, uid(1), 7)
    assert not announce(lakeside, uid(1), 2)  # the last word counts
    assert receipt(lakeside, uid(1)) == {"state": "receiving", "expected": 2, "complete": False, "instances": []}
    intake.publish(lakeside, [[FILE]])
    assert Study.objects.get().expected_count == 2
    assert not Announcement.objects.exists()


def test_an_announcement_is_not_for_others(lakeside: Facility) -> None:
    hilltop = Facility.objects.create(name="Hilltop", slug="hilltop")
    announce(lakeside, uid(1), 2)
    intake.publish(hilltop, [[FILE]])
    assert Study.objects.get().expected_count is None
    assert Announcement.objects.get().facility == lakeside


def test_an_announcement_does_not_wait_for_ever(lakeside: Facility, clock: Clock) -> None:
    announce(lakeside, uid(1), 2)
    clock.move(days=91)
    announce(lakeside, uid(2), 2)
    assert Announcement.objects.get().study_uid == uid(2)


def test_a_receipt_asks_little_however_large_the_study(
    published: Facility, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    like: dict[str, Any] = {**Instance.objects.values().get(), "id": None}
    Instance.objects.bulk_create(Instance(**{**like, "sop_uid": uid(1, 1, number)}) for number in range(2, 5001))
    with django_assert_max_num_queries(4):
        assert len(receipt(published, uid(1))["instances"]) == 5000


def test_other_facilities_learn_nothing(published: Facility) -> None:
    hilltop = Facility.objects.create(name="Hilltop", slug="hilltop")
    with pytest.raises(NotFound):
        receipt(hilltop, uid(1))
