from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from accounts.audit import Actor
from accounts.errors import NotAllowed, NotFound, SignInNeeded
from accounts.models import Representative, User
from sharing import access, claims, releases
from sharing.access import Person, Right, Staff
from sharing.models import Link
from studies.models import Study
from tests.cast import Cast, a_patient, a_study
from tests.conftest import Clock

LAKESIDE = Actor.system()


def _rights(user: User, study: Study) -> set[Right]:
    viewer = access.viewer_for(user)
    return {right for right in Right if access.allows(viewer, study, right)}


def _represent(cast: Cast, level: Representative.Level) -> Representative:
    return Representative.objects.create(record=cast.maria.record, user=cast.eve, level=level)


#  who      rights on Maria's study
TABLE = [
    ("maria", {Right.SEE, Right.REPORT, Right.DOWNLOAD, Right.LEND}),
    ("tom", {Right.SEE, Right.REPORT}),
    ("eve", set()),
    ("ana", set()),
]


@pytest.mark.parametrize(("who", "rights"), TABLE)
def test_each_has_these_rights_and_no_others(cast: Cast, who: str, rights: set[Right]) -> None:
    assert _rights(getattr(cast, who), cast.study) == rights


@pytest.mark.parametrize(("who", "rights"), TABLE)
def test_fetching_answers_as_the_rights_say(cast: Cast, who: str, rights: set[Right]) -> None:
    viewer = access.viewer_for(getattr(cast, who))
    for right in Right:
        if right in rights:
            assert access.study_for(viewer, cast.study.pk, right) == cast.study
        else:
            with pytest.raises(NotAllowed if rights else NotFound):
                access.study_for(viewer, cast.study.pk, right)


def test_what_does_not_exist_answers_like_what_is_anothers(cast: Cast) -> None:
    viewer = access.viewer_for(cast.eve)
    with pytest.raises(NotFound) as absent:
        access.study_for(viewer, uuid4())
    with pytest.raises(NotFound) as foreign:
        access.study_for(viewer, cast.study.pk)
    assert (absent.value.message, absent.value.hint) == (foreign.value.message, foreign.value.hint)


def test_nobody_is_no_viewer() -> None:
    with pytest.raises(SignInNeeded):
        access.viewer_for(AnonymousUser())


def test_an_unreleased_study_is_seen_by_staff_only(cast: Cast) -> None:
    study = a_study(cast.patient)
    assert _rights(cast.maria, study) == set()
    assert _rights(cast.tom, study) == {Right.SEE, Right.REPORT}


def test_nothing_is_visible_before_it_is_available(cast: Cast, clock: Clock) -> None:
    study = a_study(cast.patient)
    releases.release(study, actor=LAKESIDE, available_at=timezone.now() + timedelta(days=3))
    assert _rights(cast.maria, study) == set()
    clock.move(days=3)
    assert Right.SEE in _rights(cast.maria, study)


def test_nothing_is_visible_after_withdrawal(cast: Cast) -> None:
    releases.withdraw(cast.study, "wrong patient", actor=LAKESIDE)
    assert _rights(cast.maria, cast.study) == set()


def test_nothing_is_visible_after_the_link_ended(cast: Cast) -> None:
    claims.unlink(Link.objects.get(patient=cast.patient), actor=LAKESIDE)
    assert _rights(cast.maria, cast.study) == set()


def test_a_claim_opens_one_facilitys_patient_only(cast: Cast) -> None:
    twin = a_patient(cast.hilltop, patient_id=cast.patient.patient_id)
    study = a_study(twin, study_uid=cast.study.study_uid)
    releases.release(study, actor=LAKESIDE)
    assert _rights(cast.maria, study) == set()


@pytest.mark.parametrize(
    ("level", "rights"),
    [
        (Representative.Level.VIEW, {Right.SEE, Right.REPORT}),
        (Representative.Level.MANAGE, set(Right)),
    ],
)
def test_a_representative_has_the_rights_of_her_level_until_it_ends(
    cast: Cast, clock: Clock, level: Representative.Level, rights: set[Right]
) -> None:
    represents = _represent(cast, level)
    assert _rights(cast.eve, cast.study) == rights
    represents.ends_at = timezone.now() + timedelta(days=1)
    represents.save()
    assert _rights(cast.eve, cast.study) == rights
    clock.move(days=1)
    assert _rights(cast.eve, cast.study) == set()


def test_staff_may_not_take_home_their_own_study_before_its_release(cast: Cast) -> None:
    patient = a_patient(cast.lakeside)
    Link.objects.create(patient=patient, record=cast.tom.record, claimed_by=cast.tom)
    study = a_study(patient)
    assert Right.DOWNLOAD not in _rights(cast.tom, study)
    releases.release(study, actor=LAKESIDE)
    assert _rights(cast.tom, study) == set(Right)


def test_a_timeline_is_newest_first_and_ones_own(cast: Cast) -> None:
    dates = ["2024-05-01", None, "2026-01-02"]
    made = [a_study(cast.patient, study_date=day) for day in dates]
    for study in made:
        releases.release(study, actor=LAKESIDE)
    found = list(access.timeline(access.viewer_for(cast.maria)))
    assert [str(study.study_date) for study in found] == ["2026-01-02", "2024-05-01", "None", "None"]
    assert list(access.timeline(access.viewer_for(cast.tom))) == []


def test_a_facility_is_waited_for_until_something_is_visible(cast: Cast) -> None:
    patient = a_patient(cast.hilltop)
    Link.objects.create(patient=patient, record=cast.maria.record, claimed_by=cast.maria)
    assert access.waiting_for(cast.maria) == [cast.hilltop]
    releases.release(a_study(patient), actor=LAKESIDE)
    assert access.waiting_for(cast.maria) == []
    assert access.waiting_for(cast.eve) == []


def test_viewers_are_told_apart(cast: Cast) -> None:
    viewers = [access.viewer_for(user) for user in (cast.maria, cast.tom, cast.ana)]
    assert [type(viewer) for viewer in viewers] == [Person, Staff, Staff]
    assert len({viewer.key for viewer in viewers}) == 3
