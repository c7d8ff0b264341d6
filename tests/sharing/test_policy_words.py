"""Words of a query are kept, answers never: each question is the policy's own, asked anew."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import people, prepared
from accounts.audit import Actor
from accounts.errors import NotFound
from accounts.models import Representative, User
from sharing import access, grants, releases
from sharing.access import Right
from sharing.models import Link, Release
from studies.models import Study
from tests.cast import Cast, a_patient, a_study, person
from tests.conftest import Clock


def by_the_policy(viewer: access.Viewer, right: Right) -> set[Study]:
    """What the policy says when Django puts it into words just now."""
    released = access._is_released(right)
    assert viewer.user is not None
    hers = access._is_kept_by(viewer.user, right) | access._is_lent((access.Ways.LENT, viewer.user.pk), right)
    found = set(Study.objects.filter(released & hers))
    assert set(access.kept_by(viewer.user, right)) | set(access.lent_to(viewer.user, right)) == found
    if isinstance(viewer, access.Staff) and right in access.LOOKING:
        found |= set(Study.objects.filter(facility=viewer.facility))
    return found


def agrees(users: list[User]) -> int:
    """Every viewer, study and right gets the policy's own answer; returns how many of them are yes."""
    granted = 0
    for user in users:
        viewer = access.viewer_for(user)
        for right in Right:
            visible = set(access.visible_to(viewer, right))
            assert visible == by_the_policy(viewer, right), (user.email, right)
            for study in Study.objects.all():
                assert access.has(viewer, study.pk, right) == (study in visible), (user.email, right)
            granted += len(visible)
    return granted


def test_prepared_words_answer_as_the_policy_does(cast: Cast, clock: Clock) -> None:
    """Through releases, lending, representing and the passing of time."""
    guest = person("dr.may@example.org", provider=True)
    users = [cast.maria, cast.lee, cast.eve, cast.tom, cast.ana, guest]
    a_study(a_patient(cast.hilltop))
    later = a_study(cast.patient)
    releases.release(later, actor=Actor.system(), available_at=timezone.now() + timedelta(days=2))
    said = [agrees(users)]
    lent = grants.grant(
        cast.maria,
        studies=[cast.study.pk],
        email=cast.lee.email,
        rights=["view", "report"],
        expires_at=timezone.now() + timedelta(days=5),
        way="page",
    )
    said.append(agrees(users))
    Representative.objects.create(
        record=cast.maria.record,
        user=guest,
        level=Representative.Level.VIEW,
        ends_at=timezone.now() + timedelta(days=3),
    )
    said.append(agrees(users))
    for days in (2, 1, 1):  # the later study is released; who represents her no longer does
        clock.move(days=days, seconds=1)
        said.append(agrees(users))
    grants.revoke(cast.maria, lent.pk)
    said.append(agrees(users))
    Link.objects.update(ended_at=timezone.now())
    said.append(agrees(users))
    assert len(set(said)) > 4, "nothing changed in between"


def _withdraw(cast: Cast) -> None:
    releases.withdraw(cast.study, actor=Actor.system(), reason="of somebody else")


def _unlink(cast: Cast) -> None:
    Link.objects.filter(patient=cast.patient).update(ended_at=timezone.now())


def _give_away(cast: Cast) -> None:
    Link.objects.filter(patient=cast.patient).update(record=people.record_of(cast.eve))


@pytest.mark.parametrize("ends", [_withdraw, _unlink, _give_away])
def test_what_ends_is_refused_by_the_next_question(cast: Cast, ends: Any) -> None:
    viewer = access.viewer_for(cast.maria)
    assert access.study_for(viewer, cast.study.pk) == cast.study
    ends(cast)
    with pytest.raises(NotFound):
        access.study_for(viewer, cast.study.pk)


def test_the_moment_is_that_of_the_question(cast: Cast, clock: Clock) -> None:
    viewer = access.viewer_for(cast.maria)
    Release.objects.update(available_at=timezone.now() + timedelta(hours=1))
    assert not access.has(viewer, cast.study.pk)
    clock.move(hours=2)
    assert access.has(viewer, cast.study.pk)


def test_absent_and_forbidden_cost_the_same_questions(cast: Cast) -> None:
    viewer = access.viewer_for(cast.eve)
    asked = []
    for study_id in (cast.study.pk, cast.patient.pk):
        with (
            CaptureQueriesContext(
                connection,
            ) as queries,
            pytest.raises(NotFound),
        ):
            access.study_for(viewer, study_id)
        asked.append(len(queries))
    assert asked[0] == asked[1]


def by_address(ids: prepared.Ids) -> Any:
    return User.objects.filter(email=f"{ids['user']}@example.org")


def by_some_day(ids: prepared.Ids) -> Any:
    return User.objects.filter(pk=ids["user"], joined_at__gt=datetime(2020, 1, 1, tzinfo=UTC))


def by_another_shape(ids: prepared.Ids) -> Any:
    rows = User.objects.filter(pk=ids["user"])
    return rows.filter(Q(is_active=True)) if ids["user"].int % 2 else rows


@pytest.mark.parametrize("build", [by_address, by_some_day])
def test_a_query_that_depends_on_more_is_not_prepared(db: None, build: Any) -> None:
    with pytest.raises(prepared.NotPlain):
        prepared.question(build, ["user"])


def test_a_query_of_two_shapes_is_not_prepared(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = iter([uuid.UUID(int=1), uuid.UUID(int=2)])
    monkeypatch.setattr("accounts.prepared.uuid.uuid4", lambda: next(ids))
    with pytest.raises(prepared.NotPlain):
        prepared.question(by_another_shape, ["user"])
