"""Two numbers of one person: what she has claimed under one she has under both, until the merge is reversed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts import people
from accounts.audit import Actor
from accounts.models import AuditEvent
from sharing import access, claims, grants, releases, wrong_person
from sharing.models import Case, Link, Release
from studies.models import FacilityPatient, Merge, Study
from studies.orders import exams, merges
from studies.orders.states import State
from studies.patients import Person
from tests.cast import Cast, a_patient, a_study
from tests.studies.test_orders import DAY


@pytest.fixture
def other(cast: Cast) -> FacilityPatient:
    """Maria's older number, which nobody has claimed."""
    return a_patient(cast.lakeside, patient_id="OLD")


@pytest.fixture
def older(cast: Cast, other: FacilityPatient) -> Study:
    """Her exam under it, offered."""
    study = a_study(other)
    releases.release(study, actor=Actor.facility(cast.lakeside))
    return study


def merge(cast: Cast, survivor: FacilityPatient, gone: FacilityPatient) -> Merge:
    return merges.merge(cast.lakeside, Person(survivor.patient_id), Person(gone.patient_id))[0]


def part(cast: Cast, one: Merge) -> None:
    merges.part(one, actor=Actor.facility(cast.lakeside))


def sees(cast: Cast, study: Study) -> bool:
    return access.has(access.viewer_for(cast.maria), study.pk)


@pytest.mark.parametrize("claimed_survives", [True, False])
def test_she_sees_what_lies_under_both(
    cast: Cast, other: FacilityPatient, older: Study, *, claimed_survives: bool
) -> None:
    pair = (cast.patient, other) if claimed_survives else (other, cast.patient)
    one = merge(cast, *pair)
    assert (sees(cast, older), sees(cast, cast.study)) == (True, True)
    part(cast, one)
    assert (sees(cast, older), sees(cast, cast.study)) == (False, True)
    merge(cast, *pair)
    assert sees(cast, older)


def test_a_reversal_ends_running_looks_and_loans_of_what_came_by_it(
    cast: Cast, other: FacilityPatient, older: Study
) -> None:
    one = merge(cast, cast.patient, other)
    grants.grant(
        cast.maria,
        studies="all_and_later",
        email="lee@example.org",
        rights=["view"],
        expires_at=timezone.now() + timedelta(days=30),
        way="page",
    )
    lee = access.viewer_for(cast.lee)
    assert access.has(lee, older.pk)
    epoch = Study.objects.get(pk=older.pk).access_epoch
    part(cast, one)
    assert (access.has(lee, older.pk), access.has(lee, cast.study.pk)) == (False, True)
    assert Study.objects.get(pk=older.pk).access_epoch > epoch
    merge(cast, cast.patient, other)
    assert access.has(lee, older.pk)  # her loan is of all her exams, and these are hers again


def test_two_accounts_are_never_joined_by_a_message(cast: Cast, other: FacilityPatient, older: Study) -> None:
    Link.objects.create(patient=other, record=people.record_of(cast.eve), claimed_by=cast.eve)
    merge(cast, cast.patient, other)
    assert not sees(cast, older)
    assert Case.objects.get().kind == Case.Kind.MERGED


def test_a_later_claim_brings_the_other_number_too(cast: Cast, other: FacilityPatient, older: Study) -> None:
    Link.objects.all().delete()
    merge(cast, other, cast.patient)
    assert not sees(cast, older)
    code, _ = claims.issue(other, actor=Actor.operator())
    claims.claim(cast.maria, code, other.birth_date or DAY.date(), address="10.0.0.1")
    assert (sees(cast, older), sees(cast, cast.study)) == (True, True)


def test_an_undone_claim_takes_both_out(cast: Cast, other: FacilityPatient, older: Study) -> None:
    merge(cast, cast.patient, other)
    wrong_person.undo(Link.objects.get(patient=other, ended_at=None), actor=Actor.operator())
    assert (sees(cast, older), sees(cast, cast.study)) == (False, False)


def test_chains_part_where_they_are_cut(cast: Cast, other: FacilityPatient, older: Study) -> None:
    third = a_patient(cast.lakeside, patient_id="OLDEST")
    oldest = a_study(third)
    releases.release(oldest, actor=Actor.operator())
    merge(cast, other, third)
    one = merge(cast, cast.patient, other)
    assert (sees(cast, older), sees(cast, oldest)) == (True, True)
    part(cast, one)
    assert (sees(cast, older), sees(cast, oldest), sees(cast, cast.study)) == (False, False, True)


def test_she_reads_in_her_activity_that_a_number_came(cast: Cast, other: FacilityPatient) -> None:
    part(cast, merge(cast, cast.patient, other))
    hers = AuditEvent.objects.filter(record_id=people.record_of(cast.maria).pk)
    assert list(hers.filter(action__startswith="number_").order_by("pk").values_list("action", flat=True)) == [
        "number_came",
        "number_went",
    ]


def test_what_waits_for_a_report_opens_when_the_ris_says_that_none_is_written(
    cast: Cast, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    study = a_study(cast.patient, accession_number="ACC9")
    releases.release(study, actor=Actor.operator(), urgency=Release.Urgency.WHEN_FINAL)
    assert not sees(cast, study)
    with django_capture_on_commit_callbacks(execute=True):
        exams.hear(cast.lakeside, Person(cast.patient.patient_id), exams.Said("ACC9", State.NON_REPORTABLE, DAY))
    assert sees(cast, study)
