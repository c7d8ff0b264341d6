from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from allauth.account.models import EmailAddress
from django.utils import timezone

from accounts import people
from accounts.audit import Action, Actor
from accounts.errors import BadRequest, Conflict, NotAllowed, NotFound, TooManyTries
from accounts.models import AuditEvent, Letter, Representative, User
from sharing import access, claims, grants, releases, wording
from sharing.access import Relation, Right
from sharing.grants import InvitationRefused
from sharing.models import Grant, GrantItem, Link
from studies.models import Study
from tests.at_once import at_once
from tests.cast import PASSWORD, Cast, a_patient, a_study, person
from tests.conftest import Clock

NEW = "new.doctor@example.org"


@pytest.fixture
def lee(cast: Cast) -> User:
    return cast.lee


def _lend(giver: User, **changes: Any) -> Grant:
    asked: dict[str, Any] = {
        "studies": "all",
        "email": "lee@example.org",
        "rights": ["view"],
        "expires_at": timezone.now() + timedelta(days=30),
        "way": "page",
        **changes,
    }
    return grants.grant(giver, **asked)


def _rights(user: User, study: Study) -> set[Right]:
    viewer = access.viewer_for(user)
    return {right for right in Right if access.allows(viewer, study, right)}


def _another(cast: Cast) -> Study:
    study = a_study(cast.patient)
    releases.release(study, actor=Actor.system())
    return study


def _secret() -> str:
    letter = Letter.objects.get(template="sharing/email/invitation")
    (link,) = [line for line in letter.text.splitlines() if line.startswith("http")]
    return urlsplit(link).fragment


# --- What a grant opens, and for how long


@pytest.mark.parametrize(
    ("rights", "opened"),
    [
        (["view"], {Right.SEE}),
        (["view", "report"], {Right.SEE, Right.REPORT}),
        (["view", "download"], {Right.SEE, Right.DOWNLOAD}),
        (["view", "report", "download"], {Right.SEE, Right.REPORT, Right.DOWNLOAD}),
    ],
)
def test_a_grant_opens_what_it_says_and_never_lending(
    cast: Cast, lee: User, rights: list[str], opened: set[Right]
) -> None:
    _lend(cast.maria, rights=rights)
    assert _rights(lee, cast.study) == opened


def test_what_is_visible_without_the_right_is_refused_and_the_rest_is_not_there(cast: Cast, lee: User) -> None:
    hidden = _another(cast)
    _lend(cast.maria, studies=[cast.study.pk])
    viewer = access.viewer_for(lee)
    with pytest.raises(NotAllowed):
        access.study_for(viewer, cast.study.pk, Right.DOWNLOAD)
    with pytest.raises(NotFound):
        access.study_for(viewer, hidden.pk)


def test_a_grant_ends(cast: Cast, lee: User, clock: Clock) -> None:
    _lend(cast.maria, expires_at=timezone.now() + timedelta(days=1))
    assert _rights(lee, cast.study)
    clock.move(days=1)
    assert not _rights(lee, cast.study)


def test_a_grant_is_revoked(cast: Cast, lee: User) -> None:
    made = _lend(cast.maria)
    grants.revoke(cast.maria, made.pk)
    assert not _rights(lee, cast.study)


def test_two_grants_add_up_and_end_apart(cast: Cast, lee: User) -> None:
    _lend(cast.maria, rights=["view"])
    more = _lend(cast.maria, rights=["view", "download"])
    assert _rights(lee, cast.study) == {Right.SEE, Right.DOWNLOAD}
    grants.revoke(cast.maria, more.pk)
    assert _rights(lee, cast.study) == {Right.SEE}


def test_all_means_all_of_today(cast: Cast, lee: User) -> None:
    _lend(cast.maria, studies="all")
    assert not _rights(lee, _another(cast))


def test_all_and_later_follows_what_comes(cast: Cast, lee: User) -> None:
    _lend(cast.maria, studies="all_and_later")
    assert _rights(lee, cast.study) == _rights(lee, _another(cast)) == {Right.SEE}


@pytest.mark.parametrize("scope", ["all", "all_and_later"])
def test_a_grant_shows_no_more_than_its_giver_sees(cast: Cast, lee: User, scope: str) -> None:
    _lend(cast.maria, studies=scope)
    releases.withdraw(cast.study, "wrong patient", actor=Actor.system())
    assert not _rights(lee, cast.study)
    releases.release(cast.study, actor=Actor.system())
    assert _rights(lee, cast.study)
    claims.unlink(Link.objects.get(patient=cast.patient), actor=Actor.system())
    assert not _rights(lee, cast.study)


def test_a_study_that_moves_to_another_record_leaves_its_grants(cast: Cast, lee: User) -> None:
    _lend(cast.maria)
    claims.unlink(Link.objects.get(patient=cast.patient), actor=Actor.system())
    Link.objects.create(patient=cast.patient, record=people.record_of(cast.eve), claimed_by=cast.eve)
    assert not _rights(lee, cast.study)


def test_what_is_lent_is_not_ones_own(cast: Cast, lee: User) -> None:
    _lend(cast.maria)
    assert not access.timeline(access.viewer_for(lee)).exists()
    assert access.waiting_for(lee) == []
    with pytest.raises(NotAllowed):
        _lend(lee, studies=[cast.study.pk], email="friend@example.org")


def test_an_item_of_one_series_shows_that_one(cast: Cast, lee: User) -> None:
    made = _lend(cast.maria)
    series = cast.study.series.create(series_uid="2.25.1")
    GrantItem.objects.filter(grant=made).update(series=series)
    assert _rights(lee, cast.study) == {Right.SEE}
    assert access.study_for(access.viewer_for(lee), cast.study.pk).only_series == frozenset({series.pk})


# --- By which right somebody looks


def test_the_way_is_the_keepers_first_then_as_lent_then_as_staff(cast: Cast, lee: User) -> None:
    made = _lend(cast.maria)
    Representative.objects.create(record=cast.maria.record, user=cast.eve)
    ways = {user: access.way_of(access.viewer_for(user), cast.study) for user in (cast.maria, cast.eve, lee, cast.tom)}
    assert [way.relation for way in ways.values()] == [
        Relation.OWN,
        Relation.REPRESENTED,
        Relation.LENT,
        Relation.STAFF,
    ]
    assert ways[lee].grant == made
    assert ways[cast.tom].actor == Actor.staff(cast.tom, cast.lakeside)


def test_staff_to_whom_a_study_is_lent_take_it_home_as_lent(cast: Cast) -> None:
    _lend(cast.maria, email=cast.tom.email, rights=["view", "download"])
    viewer = access.viewer_for(cast.tom)
    assert access.way_of(viewer, cast.study, Right.DOWNLOAD).relation == Relation.LENT
    assert access.way_of(viewer, cast.study, Right.REPORT).relation == Relation.STAFF


def test_whoever_may_not_look_has_no_way(cast: Cast, lee: User) -> None:
    made = _lend(cast.maria)
    grants.revoke(cast.maria, made.pk)
    for user in (cast.eve, cast.ana, lee):
        with pytest.raises(NotFound):
            access.way_of(access.viewer_for(user), cast.study)


def test_the_way_exists_exactly_where_the_right_does(cast: Cast, lee: User) -> None:
    _lend(cast.maria, rights=["view", "report"])
    others = [cast.study, _another(cast), a_study(cast.patient), a_study(a_patient(cast.hilltop))]
    for viewer in (access.viewer_for(user) for user in (cast.maria, cast.eve, cast.tom, cast.ana, lee)):
        for study in others:
            for right in Right:
                if access.allows(viewer, study, right):
                    assert access.way_of(viewer, study, right)
                else:
                    with pytest.raises(NotFound):
                        access.way_of(viewer, study, right)


# --- What cannot be lent


@pytest.mark.parametrize(
    "change",
    [
        {"studies": []},
        {"email": "no address"},
        {"email": "lee@example.org\nBcc: all@example.org"},
        {"email": " Maria@Example.org "},
        {"rights": []},
        {"rights": ["report"]},
        {"rights": ["view", "lend"]},
        {"expires_at": timezone.now() - timedelta(seconds=1)},
        {"expires_at": timezone.now() + timedelta(days=367)},
        {"note": "x" * 401},
    ],
)
def test_what_cannot_be_is_told_in_a_sentence_and_leaves_nothing(cast: Cast, change: dict[str, Any]) -> None:
    with pytest.raises(BadRequest) as refusal:
        _lend(cast.maria, **change)
    assert str(refusal.value.message)
    assert str(refusal.value.hint)
    assert not Grant.objects.exists()
    assert not Letter.objects.exists()


def test_anothers_study_cannot_be_lent(cast: Cast) -> None:
    with pytest.raises(NotFound):
        _lend(cast.eve, studies=[cast.study.pk])
    with pytest.raises(NotFound):
        _lend(cast.maria, studies=[cast.study.pk, uuid4()])
    with pytest.raises(NotAllowed):
        _lend(cast.tom, studies=[cast.study.pk])


def test_without_images_there_is_nothing_to_lend_but_what_comes(cast: Cast) -> None:
    with pytest.raises(BadRequest):
        _lend(cast.eve, studies="all")
    assert _lend(cast.eve, studies="all_and_later")


def test_the_exams_of_two_people_are_not_lent_together(cast: Cast) -> None:
    Representative.objects.create(record=cast.maria.record, user=cast.eve, level=Representative.Level.MANAGE)
    own = a_study(a_patient(cast.hilltop))
    Link.objects.create(patient=own.patient, record=cast.eve.record, claimed_by=cast.eve)
    releases.release(own, actor=Actor.system())
    with pytest.raises(BadRequest):
        _lend(cast.eve, studies=[own.pk, cast.study.pk])
    assert _lend(cast.eve, studies=[cast.study.pk]).record == cast.maria.record


def test_a_note_to_a_person_is_not_an_instrument_for_spam(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grants, "PER_HOUR", 1)
    _lend(cast.maria, note="Before Monday, please")
    assert "Monday" not in Letter.objects.get().text
    with pytest.raises(TooManyTries):
        _lend(cast.maria)


def test_the_same_form_twice_lends_once(cast: Cast) -> None:
    key = uuid4()
    assert _lend(cast.maria, key=key) == _lend(cast.maria, key=key)
    assert Grant.objects.count() == Letter.objects.count() == 1
    own = a_study(a_patient(cast.hilltop))
    Link.objects.create(patient=own.patient, record=cast.eve.record, claimed_by=cast.eve)
    releases.release(own, actor=Actor.system())
    with pytest.raises(Conflict):
        _lend(cast.eve, key=key)


# --- Representatives


def test_a_manager_lends_for_another_as_long_as_she_manages(cast: Cast, lee: User, clock: Clock) -> None:
    soon = timezone.now() + timedelta(days=1)
    cared = Representative.objects.create(
        record=cast.maria.record, user=cast.eve, level=Representative.Level.MANAGE, ends_at=soon
    )
    made = _lend(cast.eve, studies=[cast.study.pk])
    assert _rights(lee, cast.study)
    clock.move(days=1)
    assert not _rights(lee, cast.study)
    cared.ends_at = None
    cared.save()
    assert _rights(lee, cast.study)
    grants.revoke(cast.maria, made.pk)
    assert not _rights(lee, cast.study)


def test_whoever_may_only_look_for_another_cannot_lend(cast: Cast) -> None:
    Representative.objects.create(record=cast.maria.record, user=cast.eve)
    with pytest.raises(NotAllowed):
        _lend(cast.eve, studies=[cast.study.pk])
    made = _lend(cast.maria)
    with pytest.raises(NotFound):
        grants.revoke(cast.eve, made.pk)


# --- Stopping and moving the end


def test_stopping_twice_changes_nothing(cast: Cast) -> None:
    made = _lend(cast.maria)
    grants.revoke(cast.maria, made.pk)
    first = Grant.objects.get().revoked_at
    grants.revoke(cast.maria, made.pk)
    assert Grant.objects.get().revoked_at == first
    assert AuditEvent.objects.filter(action=Action.REVOKED).count() == 1


def test_anothers_grant_is_not_there(cast: Cast, lee: User) -> None:
    made = _lend(cast.maria)
    for somebody in (cast.eve, cast.tom, lee):
        with pytest.raises(NotFound):
            grants.revoke(somebody, made.pk)
        with pytest.raises(NotFound):
            grants.extend(somebody, made.pk, timezone.now() + timedelta(days=1))


def test_everything_stops_at_once(cast: Cast, lee: User, clock: Clock) -> None:
    _lend(cast.maria, expires_at=timezone.now() + timedelta(hours=1))
    clock.move(hours=2)
    _lend(cast.maria)
    _lend(cast.maria, email="other@example.org")
    assert grants.revoke_all(cast.maria) == 2
    assert not _rights(lee, cast.study)
    assert grants.revoke_all(cast.maria) == 0


def test_the_end_moves_while_a_grant_runs(cast: Cast, lee: User, clock: Clock) -> None:
    made = _lend(cast.maria, expires_at=timezone.now() + timedelta(days=1))
    grants.extend(cast.maria, made.pk, timezone.now() + timedelta(days=9))
    clock.move(days=2)
    assert _rights(lee, cast.study)
    with pytest.raises(BadRequest):
        grants.extend(cast.maria, made.pk, timezone.now() + timedelta(days=400))
    clock.move(days=9)
    with pytest.raises(Conflict):
        grants.extend(cast.maria, made.pk, timezone.now() + timedelta(days=1))


def test_every_deed_is_written_down_without_an_address(cast: Cast, lee: User) -> None:
    made = _lend(cast.maria)
    grants.extend(cast.maria, made.pk, timezone.now() + timedelta(days=1))
    grants.revoke(cast.maria, made.pk)
    deeds = [Action.GRANTED, Action.GRANT_ADOPTED, Action.GRANT_EXTENDED, Action.REVOKED]
    told = AuditEvent.objects.filter(action__in=deeds).order_by("pk")
    assert [event.action for event in told] == deeds
    assert {event.record_id for event in told} == {cast.maria.record.pk}
    assert [event.detail for event in told] == [{"grant": str(made.pk)}] * 4


# --- The addressee


def test_a_grant_waits_for_its_addressee(cast: Cast) -> None:
    _lend(cast.maria, email=NEW)
    assert Grant.objects.get().provider is None
    late = person("New.Doctor@Example.org")
    assert grants.adopt(late) == 1
    assert _rights(late, cast.study) == {Right.SEE}
    assert grants.adopt(late) == 0


def test_an_address_that_is_not_proved_gets_nothing(cast: Cast) -> None:
    squatter = User.objects.create_user(NEW, PASSWORD)
    EmailAddress.objects.create(user=squatter, email=NEW, primary=True)
    _lend(cast.maria, email=NEW)
    assert grants.adopt(squatter) == 0
    assert not _rights(squatter, cast.study)


def test_a_grant_stays_with_whom_it_was_given_to(cast: Cast, lee: User) -> None:
    _lend(cast.maria)
    EmailAddress.objects.filter(user=lee).update(email="elsewhere@example.org")
    assert grants.adopt(person("lee2@example.org")) == 0
    assert _rights(lee, cast.study)


def test_the_letter_names_nobody_and_its_secret_opens_the_grant(cast: Cast) -> None:
    people.change_details(cast.maria, name="Maria Zebrafish", birth_date=None)
    made = _lend(cast.maria, note="for Monday")
    letter = Letter.objects.get()
    assert letter.to == "lee@example.org"
    assert not {"maria", "Maria", "Lakeside", "Monday"} & set(f"{letter.subject} {letter.text}".split())
    assert grants.open_invitation(made.pk, _secret()) == made
    assert _secret() not in str(list(AuditEvent.objects.values_list("detail", flat=True)))


def test_every_invitation_that_does_not_open_answers_alike(cast: Cast, clock: Clock) -> None:
    made = _lend(cast.maria, expires_at=timezone.now() + timedelta(days=1))
    secret, answers = _secret(), set()
    for grant_id, tried in [(made.pk, "wrong"), (made.pk, ""), (uuid4(), secret)]:
        with pytest.raises(InvitationRefused) as refusal:
            grants.open_invitation(grant_id, tried)
        answers.add((refusal.value.status, str(refusal.value.message), str(refusal.value.hint)))
    clock.move(days=1)
    with pytest.raises(InvitationRefused):
        grants.open_invitation(made.pk, secret)
    assert len(answers) == 1


def test_the_addressee_accepts_with_an_account_of_her_own(cast: Cast) -> None:
    made = _lend(cast.maria, email=NEW)
    assert not grants.has_account(made)
    user = grants.accept(made, PASSWORD, name="Dr Lee", practice="Elm Practice")
    assert (user.provider.name, user.provider.practice) == ("Dr Lee", "Elm Practice")
    assert _rights(user, cast.study) == {Right.SEE}
    assert grants.has_account(made)
    with pytest.raises(Conflict):
        grants.accept(made, PASSWORD, name="", practice="")


# --- Races


def test_a_sentence_that_ends_with_a_time_has_one_full_stop(cast: Cast) -> None:
    ends = timezone.localtime().replace(hour=9, minute=30) + timedelta(days=2)
    said = wording.sentence(_lend(cast.maria, expires_at=ends), [cast.study])
    assert said.endswith("9:30 a.m.")
    assert not said.endswith("..")


def test_whoever_wants_to_know_is_told_of_each_visit(cast: Cast, lee: User, clock: Clock) -> None:
    made = _lend(cast.maria, tell_each=True)
    for minutes in (0, 15, 59, 61):
        grants.note_opening(made)
        clock.move(minutes=minutes)
    grants.note_opening(made)
    told = Letter.objects.filter(to=cast.maria.email).order_by("created_at").values_list("template", flat=True)
    assert list(told) == ["sharing/email/opened", "sharing/email/opened_again"]


def test_whoever_did_not_ask_is_told_once(cast: Cast, lee: User, clock: Clock) -> None:
    made = _lend(cast.maria)
    grants.note_opening(made)
    clock.move(days=2)
    grants.note_opening(made)
    assert Letter.objects.filter(to=cast.maria.email).count() == 1


def test_an_opening_is_noted_while_the_grant_runs(cast: Cast, lee: User, clock: Clock) -> None:
    made = _lend(cast.maria)
    grants.note_opening(made)
    first = Grant.objects.get().first_opened_at
    clock.move(hours=1)
    grants.note_opening(made)
    later = Grant.objects.get()
    assert first
    assert later.first_opened_at == first
    assert later.last_opened_at
    assert later.last_opened_at > first
    grants.revoke(cast.maria, made.pk)
    with pytest.raises(NotFound):
        grants.note_opening(made)


@pytest.mark.django_db(transaction=True)
def test_stopping_at_once_from_two_places_is_one_deed(cast: Cast) -> None:
    made = _lend(cast.maria)
    answers = at_once([lambda: grants.revoke(cast.maria, made.pk)] * 4)
    assert answers == [None] * 4
    assert AuditEvent.objects.filter(action=Action.REVOKED).count() == 1


@pytest.mark.django_db(transaction=True)
def test_one_form_sent_many_times_at_once_lends_once(cast: Cast) -> None:
    key = uuid4()
    answers = at_once([lambda: _lend(cast.maria, key=key)] * 6)
    assert {getattr(answer, "pk", answer) for answer in answers} == {key}
    assert Letter.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_sign_ins_at_once_adopt_a_grant_once(cast: Cast) -> None:
    _lend(cast.maria)
    Grant.objects.update(provider=None)
    assert sorted(at_once([lambda: grants.adopt(cast.lee)] * 4)) == [0, 0, 0, 1]
