from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.audit import Action, Actor
from accounts.models import AuditEvent
from sharing import claims, releases
from sharing.models import Link, Release
from studies.models import Study
from studies.signals import study_ready, study_shown
from tests.cast import Cast, a_patient, a_study
from tests.conftest import Clock

OPERATOR = Actor.operator()


def _is_released(study: Study) -> bool:
    return Release.objects.filter(study=study, withdrawn_at=None).exists()


def test_a_release_is_written_down_once(cast: Cast) -> None:
    study = a_study(cast.patient)
    first, second = (releases.release(study, actor=OPERATOR) for _ in range(2))
    assert first == second
    event = AuditEvent.objects.get(action=Action.RELEASED, study_id=study.pk)
    assert event.record_id == cast.maria.record.pk


def test_a_release_may_be_moved(cast: Cast) -> None:
    later = timezone.now() + timedelta(days=3)
    releases.release(cast.study, actor=OPERATOR, available_at=later)
    assert Release.objects.get(study=cast.study).available_at == later


def test_a_withdrawal_ends_running_looks_and_can_be_taken_back(cast: Cast) -> None:
    for _ in range(2):
        releases.withdraw(cast.study, "another patient's pictures", actor=OPERATOR)
    cast.study.refresh_from_db()
    assert cast.study.access_epoch == 1
    assert not _is_released(cast.study)
    assert AuditEvent.objects.get(action=Action.WITHDRAWN).detail == {}
    releases.release(cast.study, actor=OPERATOR)
    assert _is_released(cast.study)


def test_a_ready_study_follows_a_claim(cast: Cast) -> None:
    study = a_study(cast.patient)
    study_ready.send(sender=Study, study_id=study.pk)
    assert _is_released(study)
    assert AuditEvent.objects.get(study_id=study.pk, action=Action.RELEASED).actor_kind == "system"


def test_a_study_that_is_shown_while_it_arrives_follows_a_claim(cast: Cast) -> None:
    shown, bare = (a_study(cast.patient, state=Study.State.STORED, image_count=count) for count in (1, 0))
    for study in (shown, bare):
        study_shown.send(sender=Study, study_id=study.pk)
    assert (_is_released(shown), _is_released(bare)) == (True, False)


def test_a_ready_study_follows_an_open_code_but_not_an_ended_one(cast: Cast, clock: Clock) -> None:
    patient = a_patient(cast.hilltop)
    claims.issue(patient, actor=OPERATOR, days=1)
    first, second = a_study(patient), a_study(patient)
    releases.follow(first)
    clock.move(days=1)
    releases.follow(second)
    assert (_is_released(first), _is_released(second)) == (True, False)


def test_a_ready_study_waits_without_claim_or_code(cast: Cast) -> None:
    study = a_study(a_patient(cast.hilltop))
    releases.follow(study)
    assert not _is_released(study)


def test_an_unready_study_follows_nothing(cast: Cast) -> None:
    study = a_study(cast.patient, state=Study.State.INDEXED)
    releases.follow(study)
    assert not _is_released(study)


@pytest.mark.parametrize("released_before", [True, False])
def test_what_was_withdrawn_is_not_released_by_itself(cast: Cast, released_before: bool) -> None:
    study = a_study(cast.patient)
    if released_before:
        releases.release(study, actor=OPERATOR)
    releases.withdraw(study, "a mistake", actor=OPERATOR)
    releases.follow(study)
    assert releases.release_ready(cast.patient, actor=OPERATOR) == 0
    assert not _is_released(study)


def test_what_was_missed_is_followed_later(cast: Cast) -> None:
    study = a_study(cast.patient)
    assert releases.follow_missed() == 1
    assert _is_released(study)
    assert releases.follow_missed() == 0


def test_what_is_ready_is_released_together(cast: Cast) -> None:
    patient = a_patient(cast.hilltop)
    ready, unready = a_study(patient), a_study(patient, state=Study.State.STORED)
    assert releases.release_ready(patient, actor=OPERATOR) == 1
    assert (_is_released(ready), _is_released(unready)) == (True, False)


def test_an_ended_link_is_not_followed(cast: Cast) -> None:
    claims.unlink(Link.objects.get(patient=cast.patient), actor=OPERATOR)
    study = a_study(cast.patient)
    releases.follow(study)
    assert not _is_released(study)


def test_the_record_of_a_patient_is_the_one_that_claimed_her(cast: Cast) -> None:
    assert releases.record_of(cast.patient.pk) == cast.maria.record.pk
    assert releases.record_of(a_patient(cast.lakeside).pk) is None
