"""Lending by link: what opens it, what does not, and who is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from accounts import audit
from accounts.audit import Action, Actor
from accounts.errors import BadRequest, NotAllowed, NotFound, PortalError, TooManyTries
from accounts.models import AuditEvent, Letter, Representative, User
from sharing import access, capabilities, disclosures, given, grants, links, openings, releases, wording
from sharing.access import Right, Ways
from sharing.links import MadeAlready
from sharing.models import Grant, Opening, ShareLink, ShareSession
from sharing.openings import (
    LinkExpired,
    LinkLocked,
    LinkRevoked,
    LinkUnknown,
    LinkUsedUp,
    PasscodeNeeded,
    PasscodeWrong,
)
from sharing.viewers import Guest, Person
from studies.models import Study
from tests.at_once import at_once
from tests.cast import Cast, a_patient, a_study
from tests.conftest import Clock
from tests.sharing.links_made import Given, give


def rights_of(guest: Guest, study: Study) -> set[Right]:
    return {right for right in Right if access.allows(guest, study, right)}


def deeds() -> list[str]:
    return list(AuditEvent.objects.order_by("pk").values_list("action", flat=True))


def letters() -> list[str]:
    return sorted(Letter.objects.values_list("template", flat=True))


def another_study(cast: Cast) -> Study:
    study = a_study(cast.patient)
    releases.release(study, actor=Actor.system())
    return study


# --- What is stored, and what it opens


def test_what_is_stored_opens_nothing(cast: Cast) -> None:
    made = give(cast.maria)
    stored = repr([*ShareLink.objects.values(), *Grant.objects.values(), *AuditEvent.objects.values()])
    assert not [one for one in (made.secret, made.code, made.code.replace("-", ""), made.passcode) if one in stored]
    assert len(made.secret) >= 43
    assert len(made.slug) >= 22


@pytest.mark.parametrize(
    ("asked", "opened"),
    [
        (["view"], {Right.SEE}),
        (["view", "report"], {Right.SEE, Right.REPORT}),
        (["view", "download"], {Right.SEE, Right.DOWNLOAD}),
        (["view", "report", "download"], {Right.SEE, Right.REPORT, Right.DOWNLOAD}),
    ],
)
def test_a_link_opens_what_it_says_and_never_lending(cast: Cast, asked: list[str], opened: set[Right]) -> None:
    guest = give(cast.maria, rights=asked).guest()
    assert rights_of(guest, cast.study) == opened
    with pytest.raises(NotAllowed):
        access.study_for(guest, cast.study.pk, Right.LEND)


def test_a_link_for_one_study_opens_no_other(cast: Cast) -> None:
    other = another_study(cast)
    guest = give(cast.maria, studies=[cast.study.pk]).guest()
    assert set(access.visible_to(guest)) == {cast.study}
    with pytest.raises(NotFound):
        access.study_for(guest, other.pk)


@pytest.mark.parametrize(("studies", "follows"), [("all", False), ("all_and_later", True)])
def test_what_comes_later_follows_only_where_that_was_wanted(cast: Cast, studies: str, follows: bool) -> None:
    guest = give(cast.maria, studies=studies).guest()
    later = another_study(cast)
    assert access.has(guest, cast.study.pk)
    assert access.has(guest, later.pk) is follows


def test_a_browser_that_opened_nothing_sees_nothing(cast: Cast) -> None:
    give(cast.maria).guest()
    stranger = Guest(ShareSession.objects.create(digest=b"another"))
    assert not access.visible_to(stranger).exists()
    assert not access.timeline(stranger).exists()


def test_one_browser_holds_several_links(cast: Cast) -> None:
    other = another_study(cast)
    first = give(cast.maria, studies=[cast.study.pk])
    guest = first.guest()
    second = give(cast.maria, studies=[other.pk], rights=["view", "report"])
    opened = second.open(within=guest)
    assert (opened.session, opened.token) == (guest.session, "")
    assert (rights_of(guest, cast.study), rights_of(guest, other)) == ({Right.SEE}, {Right.SEE, Right.REPORT})
    grants.revoke(cast.maria, first.grant.pk)
    assert set(access.visible_to(guest)) == {other}


def test_whoever_is_signed_in_beside_it_keeps_what_is_hers(cast: Cast) -> None:
    hers = a_patient(cast.hilltop)
    published = a_study(hers)
    session = give(cast.maria).open().session
    guest = access.viewer_for(cast.ana, session)
    assert set(access.visible_to(guest)) == {cast.study, published}
    assert access.way_of(guest, cast.study).grant is not None
    assert access.way_of(guest, published).relation == access.Relation.STAFF
    assert set(access.visible_to(access.viewer_for(cast.ana))) == {published}
    assert not list(access.timeline(guest))


def test_the_policy_in_words_is_the_policy(cast: Cast) -> None:
    """What is prepared once answers as what is asked anew, for guests as for everybody."""
    other = another_study(cast)
    guests = [give(cast.maria, studies=[one.pk], rights=["view", "report"]).guest() for one in (cast.study, other)]
    for guest in guests:
        for right in Right:
            by_policy = Study.objects.filter(
                access._is_released(right) & access._is_lent((Ways.OPENED, guest.session.pk), right)
            )
            assert set(access.visible_to(guest, right)) == set(by_policy)
            assert {one for one in Study.objects.all() if access.has(guest, one.pk, right)} == set(by_policy)


# --- What ends it


def stop(cast: Cast, made: Given) -> None:
    grants.revoke(cast.maria, made.grant.pk)


def withdraw(cast: Cast, made: Given) -> None:
    releases.withdraw(cast.study, "wrong patient", actor=Actor.system())


@pytest.mark.parametrize("end", [stop, withdraw])
def test_what_ends_it_ends_what_is_open(cast: Cast, end: Callable[[Cast, Given], None]) -> None:
    made = give(cast.maria)
    guest = made.guest()
    assert access.has(guest, cast.study.pk)
    end(cast, made)
    assert not access.has(guest, cast.study.pk)
    assert not access.visible_to(guest).exists()
    with pytest.raises(NotFound):
        access.study_for(guest, cast.study.pk)
    with pytest.raises(NotFound):
        access.way_of(guest, cast.study)


def test_it_ends_by_itself(cast: Cast, clock: Clock) -> None:
    made = give(cast.maria, expires_at=timezone.now() + timedelta(minutes=30))
    guest = made.guest()
    clock.move(minutes=31)
    assert not access.has(guest, cast.study.pk)
    with pytest.raises(LinkExpired):
        made.open()


def test_a_link_of_somebody_who_may_not_lend_any_more_is_dead(cast: Cast) -> None:
    care = Representative.objects.create(record=cast.maria.record, user=cast.eve, level=Representative.Level.MANAGE)
    made = give(cast.eve, studies=[cast.study.pk])
    guest = made.guest()
    care.delete()
    assert not access.has(guest, cast.study.pk)
    with pytest.raises(LinkRevoked):
        made.open()


def test_a_new_link_never_revives_an_old_one(cast: Cast) -> None:
    old = give(cast.maria)
    guest = old.guest()
    stop(cast, old)
    give(cast.maria)
    assert not access.has(guest, cast.study.pk)
    with pytest.raises(LinkRevoked):
        old.open()


def test_the_dead_are_told_apart_only_to_who_has_the_secret(cast: Cast) -> None:
    made = give(cast.maria)
    stop(cast, made)
    for slug, secret in ((made.slug, "another"), ("none", made.secret), (made.slug, ""), (made.slug, "é" * 50)):
        with pytest.raises(LinkUnknown):
            openings.open_link(slug, secret, made.passcode, session=None, host=None)


@pytest.mark.parametrize("dead", [LinkUnknown, LinkExpired, LinkRevoked, LinkLocked, LinkUsedUp, PasscodeNeeded])
def test_each_dead_state_says_what_to_do_next(dead: type[PortalError]) -> None:
    assert str(dead().message)
    assert str(dead().hint)


def test_a_link_opens_as_often_as_its_giver_wants(cast: Cast) -> None:
    made = give(cast.maria, most_openings=2)
    first = made.guest()
    made.guest()
    with pytest.raises(LinkUsedUp):
        made.open()
    assert access.has(first, cast.study.pk)
    assert made.open(within=first).session == first.session  # the same browser once more is no opening
    assert (made.row.openings, Opening.objects.count()) == (2, 2)


@pytest.mark.django_db(transaction=True)
def test_of_many_that_open_at_once_no_more_than_wanted_come_in(cast: Cast) -> None:
    made = give(cast.maria, most_openings=3, passcode=False)
    came = at_once([made.open] * 8)
    assert [type(one) for one in came].count(openings.Opened) == 3
    assert (made.row.openings, Opening.objects.count(), ShareSession.objects.count()) == (3, 3, 3)


@pytest.mark.parametrize("most", [0, -1, 1001])
def test_a_largest_number_that_cannot_be_is_refused(cast: Cast, most: int) -> None:
    with pytest.raises(BadRequest):
        give(cast.maria, most_openings=most)
    assert not Grant.objects.exists()


# --- The passcode


def test_a_passcode_is_asked_for_and_asking_costs_nothing(cast: Cast) -> None:
    made = give(cast.maria)
    assert len(made.passcode) == 6
    assert made.secret.startswith(links.ASKS_PASSCODE)
    for _ in range(20):
        with pytest.raises(PasscodeNeeded):
            made.open(" ")
    assert made.row.wrong_passcodes == 0


def test_without_a_passcode_the_secret_is_enough(cast: Cast) -> None:
    made = give(cast.maria, passcode=False)
    assert made.passcode == ""
    assert not made.secret.startswith(links.ASKS_PASSCODE)
    assert access.has(made.guest(), cast.study.pk)


def test_a_passcode_may_be_typed_with_spaces(cast: Cast) -> None:
    made = give(cast.maria)
    assert made.open(f" {made.passcode[:3]} {made.passcode[3:]} ")


def wrong(made: Given) -> str:
    return f"{(int(made.passcode) + 1) % 10**6:06d}"


def test_ten_wrong_passcodes_lock_for_good_and_the_giver_is_told(cast: Cast) -> None:
    made = give(cast.maria)
    inside = made.guest()
    hints = []
    for _ in range(10):
        with pytest.raises(PasscodeWrong) as refused:
            made.open(wrong(made))
        hints.append(str(refused.value.hint))
    assert hints[0] == "You have 9 more tries."
    assert hints[-2:] == ["You have one more try.", "The link is locked now."]
    with pytest.raises(LinkLocked):
        made.open()
    assert letters().count("sharing/email/link_locked") == 1
    assert deeds().count(Action.PASSCODE_REFUSED) == 10
    assert access.has(inside, cast.study.pk)  # whoever was in before still is


def test_right_ones_between_give_no_more_wrong_tries(cast: Cast) -> None:
    made = give(cast.maria)
    for _ in range(3):
        with pytest.raises(PasscodeWrong):
            made.open(wrong(made))
        made.open()
    assert made.row.wrong_passcodes == 3


@pytest.mark.django_db(transaction=True)
def test_five_hundred_wrong_passcodes_at_once_are_ten_tries(cast: Cast) -> None:
    """SH-4: of any number in parallel ten are compared."""
    made, told = give(cast.maria), []

    def burst() -> None:
        for _ in range(25):
            try:
                made.open(wrong(made))
            except PortalError as refused:
                told.append(type(refused))

    assert at_once([burst] * 20) == [None] * 20
    assert (told.count(PasscodeWrong), told.count(LinkLocked)) == (10, 490)
    assert deeds().count(Action.PASSCODE_REFUSED) == 10
    assert letters() == ["sharing/email/link_locked"]


# --- The code on the sheet


def by_code(code: str, passcode: str = "", *, address: str = "192.0.2.1") -> openings.Opened:
    return openings.open_code(code, passcode, session=None, host=None, address=address)


def test_the_code_on_the_sheet_opens_as_the_link_does(cast: Cast) -> None:
    made = give(cast.maria)
    with pytest.raises(PasscodeNeeded):
        by_code(made.code)
    opened = by_code(made.code.lower().replace("-", " "), made.passcode)
    assert opened.grant == made.grant
    assert access.has(Guest(opened.session), cast.study.pk)


def test_another_code_opens_nothing(cast: Cast) -> None:
    made = give(cast.maria, passcode=False)
    others = [give(cast.eve, studies="all_and_later").code]
    grants.revoke(cast.maria, made.grant.pk)
    for code in ("", "nonsense", "0000-0000-0000-0"):
        with pytest.raises(LinkUnknown):
            by_code(code)
    with pytest.raises(LinkRevoked):
        by_code(made.code)
    with pytest.raises(PasscodeNeeded):
        by_code(others[0])


def test_guessing_codes_is_slow(cast: Cast) -> None:
    for _ in range(openings.CODES_PER_ADDRESS):
        with pytest.raises(LinkUnknown):
            by_code("0000-0000-0000-0")
    with pytest.raises(TooManyTries):
        by_code(give(cast.maria).code)


def test_guessing_codes_is_no_faster_from_a_whole_network(cast: Cast) -> None:
    for number in range(openings.CODES_PER_ADDRESS):
        with pytest.raises(LinkUnknown):
            by_code("0000-0000-0000-0", address=f"2001:db8::{number:x}")
    with pytest.raises(TooManyTries):
        by_code(give(cast.maria).code, address="2001:db8::ffff")


# --- Sessions


def test_a_share_session_ends_when_nobody_is_there(cast: Cast, clock: Clock) -> None:
    token = give(cast.maria).open().token
    for _ in range(4):
        clock.move(minutes=50)
        assert openings.session_of(token)
    clock.move(minutes=61)
    assert openings.session_of(token) is None


def test_a_share_session_ends_after_half_a_day(cast: Cast, clock: Clock) -> None:
    token = give(cast.maria).open().token
    for _ in range(14):
        clock.move(minutes=50)
        assert openings.session_of(token)
    clock.move(minutes=50)
    assert openings.session_of(token) is None


def test_whoever_is_done_closes_it(cast: Cast) -> None:
    opened = give(cast.maria).open()
    openings.close(opened.session)
    assert openings.session_of(opened.token) is None
    assert not access.has(Guest(opened.session), cast.study.pk)
    assert openings.session_of("another") is None


def test_its_clock_is_not_written_at_each_look(cast: Cast, clock: Clock) -> None:
    token = give(cast.maria).open().token
    first = ShareSession.objects.get().seen_at
    clock.move(seconds=15)
    openings.session_of(token)
    assert ShareSession.objects.get().seen_at == first
    clock.move(seconds=15)
    openings.session_of(token)
    assert ShareSession.objects.get().seen_at > first


# --- What the giver reads


def told(user: User) -> list[tuple[str, str]]:
    return [(str(one.who), str(one.what)) for one in disclosures.tell(disclosures.activity(user), user)]


def test_the_giver_is_told_of_the_first_opening(cast: Cast) -> None:
    made = give(cast.maria)
    made.guest()
    made.guest()
    assert letters() == ["sharing/email/opened"]


def test_the_giver_is_told_of_each_opening_if_she_wants(cast: Cast) -> None:
    made = give(cast.maria, tell_each=True)
    guest = made.guest()
    made.guest()
    made.open(within=guest)
    assert letters() == ["sharing/email/opened", "sharing/email/opened_again"]


def test_the_giver_reads_who_opened_and_who_failed(cast: Cast) -> None:
    made = give(cast.maria, whom="Dr Lee")
    with pytest.raises(PasscodeWrong):
        made.open(wrong(made))
    guest = made.guest()
    openings.introduce(guest.session, name="Dr Kim", practice="Elm Practice", npi="1234567893")
    assert told(cast.maria)[:4] == [
        (
            "Dr Kim, Elm Practice (NPI 1234567893), as they call themselves, with the link for Dr Lee",
            "said who they are",
        ),
        ("Somebody with the link for Dr Lee", "opened the link"),
        ("Somebody with the link for Dr Lee", "typed a wrong passcode"),
        ("You", "shared images with Dr Lee (by link)"),
    ]


def test_the_giver_reads_whether_it_is_proved_who_looked(cast: Cast) -> None:
    made = give(cast.maria)
    by_email = grants.grant(
        cast.maria,
        studies="all",
        email="lee@example.org",
        rights=["view"],
        expires_at=timezone.now() + timedelta(days=1),
        way="page",
    )
    about: dict[str, Any] = {"record_id": cast.maria.record.pk, "study_id": cast.study.pk, "way": "page"}
    about["relation"] = "lent"
    audit.record(Action.VIEWED, actor=made.guest().actor, **about, grant=str(made.grant.pk))
    audit.record(Action.VIEWED, actor=Actor.person(cast.lee), **about, grant=str(by_email.pk))
    told = list(disclosures.tell(disclosures.activity(cast.maria), cast.maria))
    assert [one.how for one in told if one.what == "looked at the pictures"] == [
        "because you share it, e-mail address verified, on this site",
        "because you share it, anyone with the link, on this site",
    ]


def test_whoever_is_signed_in_opens_under_her_own_name(cast: Cast) -> None:
    made = give(cast.maria)
    made.open(host=Person(cast.lee))
    event = AuditEvent.objects.get(action=Action.LINK_OPENED)
    assert (event.actor_kind, event.actor_id) == ("person", str(cast.lee.pk))


@pytest.mark.parametrize(
    ("npi", "is_one"),
    [("1234567893", True), ("1234567890", False), ("123456789", False), ("12345678933", False), ("abcdefghij", False)],
)
def test_an_npi_has_a_check_digit(npi: str, is_one: bool) -> None:
    assert openings.is_npi(npi) is is_one


def test_a_wrong_npi_is_refused(cast: Cast) -> None:
    guest = give(cast.maria).guest()
    with pytest.raises(BadRequest):
        openings.introduce(guest.session, name="Dr Kim", practice="", npi="1234567890")
    assert ShareSession.objects.get().name == ""


def test_a_link_is_said_in_a_sentence(cast: Cast) -> None:
    made = give(cast.maria, whom="Dr Lee", rights=["view", "report"])
    nameless = give(cast.maria)
    said = [one.sentence for one in given.of(cast.maria)]
    until = wording.moment(made.grant.expires_at)
    assert said[1].startswith("Dr Lee (by link) may see the pictures and the report of your exam")
    assert said[0].startswith("Whoever has the link may see the pictures of your exam")
    assert until in said[0]
    assert given.people_seeing(cast.maria, cast.study) == 2
    assert str(nameless.grant) == f"grant {nameless.grant.pk}"


# --- Making one


def test_a_form_sent_twice_makes_one_link_and_says_so(cast: Cast) -> None:
    key = uuid4()
    give(cast.maria, key=key)
    with pytest.raises(MadeAlready):
        give(cast.maria, key=key)
    assert ShareLink.objects.count() == 1


def test_nobody_makes_a_link_to_what_she_cannot_lend(cast: Cast) -> None:
    for user, refusal in ((cast.eve, NotFound), (cast.tom, NotAllowed), (cast.lee, NotFound)):
        with pytest.raises(refusal):
            give(user, studies=[cast.study.pk])
    assert not ShareLink.objects.exists()


def test_a_link_is_made_whole_or_not_at_all(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ShareLink, "save", lambda *_args, **_more: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        give(cast.maria)
    assert not Grant.objects.exists()
    assert not connection.needs_rollback


# --- Nobody drowns the giver


def test_a_link_opens_a_hundred_times_a_day(cast: Cast, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setattr(openings, "OPENINGS_PER_DAY", 2)
    made = give(cast.maria, tell_each=True)
    made.guest()
    guest = made.guest()
    with pytest.raises(TooManyTries):
        made.open()
    assert made.open(within=guest).session == guest.session
    assert (len(letters()), deeds().count(Action.LINK_OPENED)) == (2, 2)
    clock.move(days=1, minutes=1)
    assert made.open()


def test_who_somebody_is_is_written_down_when_it_changes(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openings, "INTRODUCTIONS_PER_HOUR", 2)
    session = give(cast.maria).guest().session
    for name in ("Dr Kim", "Dr Kim", "Dr Kim ", "Dr Lee"):
        openings.introduce(session, name=name, practice="", npi="")
    assert deeds().count(Action.INTRODUCED) == 2
    with pytest.raises(TooManyTries):
        openings.introduce(session, name="Dr May", practice="", npi="")


def test_addresses_for_archives_are_few(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capabilities, "PER_HOUR", 2)
    made = give(cast.maria, rights=["view", "download"])
    for _ in range(2):
        capabilities.make(made.grant, actor=Actor.nobody())
    with pytest.raises(TooManyTries):
        capabilities.make(made.grant, actor=Actor.nobody())
