from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.models import Facility
from studies import jobs
from studies.models import Job, Study
from tests.at_once import at_once
from tests.cast import a_patient, a_study
from tests.conftest import Clock


@pytest.fixture
def study(db: None) -> Study:
    """One that has been indexed before."""
    facility = Facility.objects.create(name="Lakeside", slug="lakeside")
    return a_study(a_patient(facility), instance_count=1)


def test_a_new_study_is_due_at_once(study: Study, clock: Clock) -> None:
    study.instance_count = 0
    assert jobs.want(study) == timedelta(0)
    assert jobs.not_yet(study.pk) is None
    assert jobs.take(study.pk)


def test_the_more_must_be_sealed_again_the_longer_a_study_waits(study: Study) -> None:
    study.image_count = 1000
    assert jobs.pause(study) > jobs.SETTLE + timedelta(seconds=1000 / jobs.SEALED_A_SECOND / 2)


def test_many_requests_ring_once(study: Study, clock: Clock) -> None:
    assert jobs.want(study) == jobs.SETTLE
    clock.move(seconds=0.1)
    assert [jobs.want(study) for _ in range(20)] == [None] * 20
    assert timedelta(0) < (jobs.not_yet(study.pk) or timedelta(0)) <= jobs.SETTLE


def test_a_flood_of_one_facility_delays_another_by_one_study(study: Study, clock: Clock) -> None:
    flooded = [a_study(a_patient(study.facility, patient_id=f"F{number}")) for number in range(10)]
    lone = a_study(a_patient(Facility.objects.create(name="Hilltop", slug="hilltop")))
    for each in [*flooded, lone]:
        jobs.want(each)
        clock.move(seconds=1)
    turns = jobs.Turns()
    taken = [hold.study_id for hold in (turns.take() for _ in range(12)) if hold]
    assert taken.index(lone.pk) <= 1
    assert [pk for pk in taken if pk != lone.pk] == [each.pk for each in flooded]


def test_whoever_is_slower_takes_the_next(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    study.instance_count = 0
    other = a_study(a_patient(study.facility, patient_id="P2"))
    jobs.want(study)
    jobs.want(other)
    take = jobs.take
    monkeypatch.setattr(jobs, "take", lambda study_id: None if study_id == study.pk else take(study_id))
    hold = jobs.Turns().take()
    assert hold
    assert hold.study_id == other.pk


def test_a_study_is_due_when_its_sender_has_paused(study: Study, clock: Clock) -> None:
    jobs.want(study)
    assert jobs.take(study.pk) is None
    clock.move(seconds=1.1)
    assert jobs.take(study.pk)


def test_each_publication_moves_the_work_on_but_not_for_ever(study: Study, clock: Clock) -> None:
    for _ in range(20):
        jobs.want(study)
        clock.move(seconds=0.6)
    job = Job.objects.get()
    assert job.due_at == job.since + jobs.PATIENCE
    assert jobs.take(study.pk)


def test_work_that_must_be_done_now_need_not_wait(study: Study) -> None:
    jobs.want(study)
    assert jobs.take(study.pk, at_once=True)


def test_a_job_is_held_by_one(study: Study, clock: Clock) -> None:
    jobs.want(study)
    clock.move(seconds=2)
    assert jobs.take(study.pk)
    assert jobs.take(study.pk) is None
    assert not jobs.due(timezone.now())


def test_of_many_workers_one_gets_the_job(transactional_db: None) -> None:
    study = a_study(a_patient(Facility.objects.create(name="Lakeside", slug="lakeside")))
    with transaction.atomic():
        jobs.want(study)
    holds = at_once([lambda: jobs.take(study.pk, at_once=True)] * 8)
    assert [type(hold) for hold in holds if hold] == [jobs.Hold]


def test_a_hold_ends_by_itself_and_the_one_who_lost_it_writes_nothing(study: Study, clock: Clock) -> None:
    jobs.want(study)
    slow = jobs.take(study.pk, at_once=True)
    clock.move(seconds=jobs.HOLD.total_seconds() + 1)
    quick = jobs.take(study.pk)
    assert slow
    assert quick
    with pytest.raises(jobs.Lost), slow.writing():
        pytest.fail("the slow one wrote")
    with quick.writing():
        quick.finish()
    assert not Job.objects.exists()


def test_a_hold_renewed_in_time_goes_on(study: Study, clock: Clock) -> None:
    jobs.want(study)
    hold = jobs.take(study.pk, at_once=True)
    assert hold
    for _ in range(3):
        clock.move(seconds=jobs.HOLD.total_seconds() - 1)
        hold.renew()
    assert jobs.take(study.pk) is None


def test_a_hold_outlives_a_transaction_that_was_rolled_back(study: Study, clock: Clock) -> None:
    jobs.want(study)
    hold = jobs.take(study.pk, at_once=True)
    assert hold
    with pytest.raises(KeyError), hold.writing():
        raise KeyError
    hold.renew()


def test_a_failed_job_comes_again_later_and_later_until_it_is_given_up(study: Study, clock: Clock) -> None:
    jobs.want(study)
    waits = []
    for _ in range(jobs.ATTEMPTS):
        hold = jobs.take(study.pk, at_once=True)
        assert hold
        hold.fail(KeyError("ZEBRAFISH"))
        waits.append(Job.objects.get().due_at - timezone.now())
    assert waits == sorted(waits)
    assert Job.objects.get().dead_at
    assert Job.objects.get().failure == "KeyError"
    clock.move(days=1)
    assert jobs.take(study.pk) is None


def test_what_is_nobodys_fault_does_not_count(study: Study, clock: Clock) -> None:
    jobs.want(study)
    for _ in range(2 * jobs.ATTEMPTS):
        hold = jobs.take(study.pk, at_once=True)
        assert hold
        hold.give_back(after=timedelta(seconds=10))
    assert jobs.take(study.pk) is None
    clock.move(seconds=11)
    assert jobs.take(study.pk)


def test_a_study_that_kills_its_workers_is_given_up(study: Study, clock: Clock) -> None:
    jobs.want(study)
    clock.move(seconds=2)
    for _ in range(jobs.ATTEMPTS):
        assert jobs.take(study.pk)
        clock.move(seconds=jobs.HOLD.total_seconds() + 1)
    assert jobs.take(study.pk) is None
    assert jobs.bury(timezone.now()) == 1


def test_new_bytes_revive_a_job_that_was_given_up(study: Study, clock: Clock) -> None:
    jobs.want(study)
    Job.objects.update(dead_at=timezone.now(), attempts=jobs.ATTEMPTS)
    jobs.want(study)
    clock.move(seconds=20)
    assert jobs.take(study.pk)


def test_the_only_worker_of_a_site_frees_what_its_forerunner_held(study: Study) -> None:
    jobs.want(study)
    dead = jobs.take(study.pk, at_once=True)
    assert jobs.free_all() == 1
    assert dead
    with pytest.raises(jobs.Lost):
        dead.renew()
    assert jobs.take(study.pk, at_once=True)
