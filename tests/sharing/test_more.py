"""After something is lent: more of it, asking for more, a later beginning, and a word before it ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.audit import Action, Actor
from accounts.errors import BadRequest, Conflict, NotFound
from accounts.models import AuditEvent, Letter, User
from sharing import access, given, grants, lendings, releases
from sharing.models import Grant, GrantItem
from sharing.openings import LinkWaiting
from studies.models import Study
from tests.cast import Cast, a_study
from tests.conftest import Clock
from tests.reading import words_of
from tests.sharing.links_made import give


def lend(giver: User, **changes: Any) -> Grant:
    asked: dict[str, Any] = {
        "studies": "all",
        "email": "lee@example.org",
        "rights": ["view"],
        "expires_at": timezone.now() + timedelta(days=30),
        "way": "page",
        **changes,
    }
    return grants.grant(giver, **asked)


@pytest.fixture
def other(cast: Cast) -> Study:
    study = a_study(cast.patient, description="Knee")
    releases.release(study, actor=Actor.system())
    return study


def letters() -> list[str]:
    return sorted(Letter.objects.values_list("template", flat=True))


# --- More exams


def test_what_is_added_is_seen_where_the_rest_was(cast: Cast, other: Study) -> None:
    made = give(cast.maria, studies=[cast.study.pk])
    guest = made.guest()
    assert list(grants.addable(cast.maria, made.grant)) == [other]
    grants.widen(cast.maria, made.grant.pk, [other.pk], report=True)
    assert set(access.visible_to(guest, access.Right.REPORT)) == {cast.study, other}
    assert not access.visible_to(guest, access.Right.DOWNLOAD).exists()
    assert not grants.addable(cast.maria, made.grant).exists()
    assert AuditEvent.objects.filter(action=Action.GRANT_WIDENED).count() == 1


def test_what_is_not_hers_is_not_added(cast: Cast, other: Study) -> None:
    lent = lend(cast.maria, studies=[cast.study.pk])
    with pytest.raises(NotFound):
        grants.widen(cast.eve, lent.pk, [other.pk], report=True)
    with pytest.raises(NotFound):
        grants.widen(cast.lee, lent.pk, [other.pk], report=True)
    for strange in (uuid4(), cast.study.pk, a_study(cast.patient).pk):
        with pytest.raises(NotFound):
            grants.widen(cast.maria, lent.pk, [other.pk, strange], report=True)
    assert GrantItem.objects.count() == 1
    lent.refresh_from_db()
    assert not lent.may_report


def test_nothing_is_added_to_what_has_ended(cast: Cast, other: Study) -> None:
    lent = lend(cast.maria, studies=[cast.study.pk])
    grants.revoke(cast.maria, lent.pk)
    with pytest.raises(Conflict):
        grants.widen(cast.maria, lent.pk, [other.pk], report=False)


def test_whoever_gets_all_and_later_has_it_already(cast: Cast, other: Study) -> None:
    lent = lend(cast.maria, studies="all_and_later")
    assert not grants.addable(cast.maria, lent).exists()


def test_more_is_shared_on_a_page(client: Client, cast: Cast, other: Study) -> None:
    lent = lend(cast.maria, studies=[cast.study.pk])
    client.force_login(cast.maria)
    page = reverse("widen", args=[lent.pk])
    assert page in client.get(reverse("sharing")).content.decode()
    assert "Knee" in words_of(client.get(page))
    assert client.post(page, {}).status_code == 422
    assert client.post(page, {"studies": [str(uuid4())]}).status_code == 422
    assert client.post(page, {"studies": [str(other.pk)]}).status_code == 303
    assert set(access.lent_to(cast.lee)) == {cast.study, other}
    assert "They see all of it already" in words_of(client.get(page))


# --- Asking for more


def test_one_click_asks_the_patient_once_a_day(client: Client, cast: Cast, clock: Clock) -> None:
    made = give(cast.maria, whom="Dr Lee")
    made.post(client)
    ask = reverse("ask_more", args=[cast.study.pk])
    assert "Ask the patient for more" in words_of(client.get(reverse("study", args=[cast.study.pk])))
    assert "The patient was asked." in words_of(client.post(ask, follow=True))
    assert "The patient was asked today already." in words_of(client.post(ask, follow=True))
    assert letters().count("sharing/email/more_asked") == 1
    clock.move(days=1, minutes=1)
    other_browser = Client()
    made.post(other_browser)
    assert other_browser.post(ask).status_code == 303
    assert letters().count("sharing/email/more_asked") == 2


def test_the_patient_reads_who_asks_and_answers(client: Client, cast: Cast, other: Study) -> None:
    made = give(cast.maria, studies=[cast.study.pk], whom="Dr Lee")
    grants.ask_more(made.grant, made.guest().actor)
    client.force_login(cast.maria)
    assert "They ask to see more" in words_of(client.get(reverse("sharing")))
    assert "Somebody with the link for Dr Lee asked to see more" in words_of(client.get(reverse("activity")))
    client.post(reverse("widen", args=[made.grant.pk]), {"studies": [str(other.pk)]})
    assert "They ask to see more" not in words_of(client.get(reverse("sharing")))
    assert "shared more exams with Dr Lee (by link)" in words_of(client.get(reverse("activity")))


def test_nobody_asks_about_what_is_stopped(cast: Cast) -> None:
    lent = lend(cast.maria)
    grants.revoke(cast.maria, lent.pk)
    assert not grants.ask_more(lent, Actor.person(cast.lee))
    assert "sharing/email/more_asked" not in letters()


# --- A later beginning


def test_what_begins_later_opens_later(cast: Cast, clock: Clock) -> None:
    begins = timezone.now() + timedelta(days=3)
    lent, link = lend(cast.maria, starts_at=begins), give(cast.maria, starts_at=begins)
    assert not access.lent_to(cast.lee).exists()
    with pytest.raises(LinkWaiting):
        link.open()
    told = given.of(cast.maria)
    assert [one.ended for one in told] == ["", ""]
    assert all("It begins on" in one.sentence for one in told)
    clock.move(days=3, minutes=1)
    assert list(access.lent_to(cast.lee)) == [cast.study]
    assert access.has(link.guest(), cast.study.pk)
    lent.refresh_from_db()
    assert lent.revoked_at is None


def test_what_begins_later_can_be_stopped_before(cast: Cast, clock: Clock) -> None:
    lent = lend(cast.maria, starts_at=timezone.now() + timedelta(days=3))
    assert grants.revoke_all(cast.maria) == 1
    clock.move(days=4)
    assert not access.lent_to(cast.lee).exists()
    assert given.one(cast.maria, lent.pk).ended.startswith("Stopped")


def test_no_end_lies_before_its_beginning(cast: Cast) -> None:
    begins = timezone.now() + timedelta(days=10)
    with pytest.raises(BadRequest):
        lend(cast.maria, starts_at=begins, expires_at=begins - timedelta(days=1))
    lent = lend(cast.maria, starts_at=begins)
    with pytest.raises(BadRequest):
        grants.extend(cast.maria, lent.pk, begins - timedelta(days=1))


# --- Before it ends


def test_whoever_borrows_is_reminded_once_before_the_end(cast: Cast, clock: Clock) -> None:
    lent = lend(cast.maria)
    assert grants.remind() == 0
    clock.move(days=28)
    assert (grants.remind(), grants.remind()) == (1, 0)
    letter = Letter.objects.get(template="sharing/email/ends_soon")
    assert letter.to == "lee@example.org"
    grants.extend(cast.maria, lent.pk, timezone.now() + timedelta(days=20))
    clock.move(days=18)
    assert grants.remind() == 1


@pytest.mark.parametrize("why_not", ["stopped", "short", "nobody has it"])
def test_nobody_is_reminded_of_what_needs_no_word(cast: Cast, clock: Clock, why_not: str) -> None:
    changes: dict[str, dict[str, Any]] = {
        "short": {"expires_at": timezone.now() + timedelta(days=2)},
        "nobody has it": {"email": "new.doctor@example.org"},
    }
    lent = lend(cast.maria, **changes.get(why_not, {}))
    clock.move(days=1 if why_not == "short" else 28)
    if why_not == "stopped":
        grants.revoke(cast.maria, lent.pk)
    assert grants.remind() == 0


# --- In the form


@pytest.fixture
def maria(client: Client, cast: Cast) -> Client:
    client.force_login(cast.maria)
    return client


def form(cast: Cast, **changes: Any) -> dict[str, Any]:
    return {
        "by": "link",
        "scope": "chosen",
        "studies": [str(cast.study.pk)],
        "period": "30",
        "share": "yes",
        **changes,
    }


def test_the_end_follows_the_appointment(maria: Client, cast: Cast) -> None:
    day = timezone.localdate() + timedelta(days=20)
    answer = maria.post(reverse("lend_new"), form(cast, period="appointment", appointment=day.isoformat()))
    assert answer.status_code == 200
    lent = Grant.objects.get()
    assert timezone.localdate(lent.expires_at) == day + timedelta(days=30)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"period": "appointment"}, "appointment"),
        ({"period": "appointment", "appointment": "2001-01-01"}, "appointment"),
        ({"period": "appointment", "appointment": "soon"}, "appointment"),
        ({"starts": "2999-01-01"}, "starts"),
        ({"starts": "soon"}, "starts"),
        ({"purpose": "FUN"}, "purpose"),
        ({"most_openings": "0"}, "most_openings"),
        ({"whom": "x" * 201}, "whom"),
        ({"by": "pigeon"}, "by"),
    ],
)
def test_slips_are_told_at_their_field(maria: Client, cast: Cast, changes: dict[str, str], field: str) -> None:
    answer = maria.post(reverse("lend_new"), form(cast, **changes))
    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    assert not Grant.objects.exists()


def test_a_first_day_and_a_purpose_are_read_back(maria: Client, cast: Cast) -> None:
    day = timezone.localdate() + timedelta(days=5)
    answers = form(cast, starts=day.isoformat(), purpose="SECOND", whom="Dr Lee")
    del answers["share"]
    read_back = words_of(maria.post(reverse("lend_new"), answers))
    assert "It begins on" in read_back
    assert "Purpose: A second opinion." in read_back
    assert not Grant.objects.exists()


def test_a_first_day_of_today_begins_at_once(maria: Client, cast: Cast) -> None:
    maria.post(reverse("lend_new"), form(cast, starts=timezone.localdate().isoformat()))
    assert Grant.objects.live().count() == 1


def test_a_link_is_read_back_made_and_shown_once(maria: Client, cast: Cast) -> None:
    key = str(uuid4())
    answers = form(cast, passcode="on", whom="Dr Lee", most_openings="3", key=key)
    step = dict(answers)
    del step["share"]
    read_back = words_of(maria.post(reverse("lend_new"), step))
    assert "You get a link and a passcode" in read_back
    assert "It opens 3 times." in read_back
    made = maria.post(reverse("lend_new"), answers)
    assert made.status_code == 200
    shown = made.context["made"]
    assert shown.url in made.content.decode()
    assert shown.code in made.content.decode()
    assert shown.passcode in words_of(made)
    again = maria.post(reverse("lend_new"), answers)
    assert again.status_code == 409
    assert "This link was made already." in words_of(again)
    assert Grant.objects.count() == 1


@pytest.mark.parametrize(("ticked", "is_told"), [({"download": "on"}, True), ({}, False)])
def test_whoever_lets_others_download_reads_first_that_nobody_calls_it_back(
    maria: Client, cast: Cast, ticked: dict[str, str], is_told: bool
) -> None:
    answers = form(cast, **ticked)
    del answers["share"]
    read_back = words_of(maria.post(reverse("lend_new"), answers))
    assert ("nobody can call back what was downloaded before" in read_back) is is_told


def test_addresses_lent_to_before_are_offered(maria: Client, cast: Cast) -> None:
    lend(cast.maria)
    give(cast.maria)
    assert '<option value="lee@example.org">' in maria.get(reverse("lend_new")).content.decode()
    eve = Client()
    eve.force_login(cast.eve)
    assert "lee@example.org" not in eve.get(reverse("lend_new")).content.decode()


# --- In the borrower's inbox


def test_the_inbox_is_searched(client: Client, cast: Cast, other: Study) -> None:
    lend(cast.maria)
    client.force_login(cast.lee)
    for text, found in (("knee", True), ("KNEE lakeside", True), ("hip", False), ("", True)):
        page = client.get(reverse("provider"), {"q": text})
        assert ("Knee" in words_of(page)) is found
    assert len(lendings.of(cast.lee)) == 1
