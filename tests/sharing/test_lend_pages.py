"""The pages of lending: ask, read back, share; who can see what; stop."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from accounts.audit import Actor
from sharing import access, grants, releases
from sharing.models import Grant
from studies.models import Study
from tests.cast import Cast, a_study
from tests.conftest import Clock
from tests.reading import words_of

OTHER = "other@example.org"


@pytest.fixture
def maria(client: Client, cast: Cast) -> Client:
    client.force_login(cast.maria)
    return client


def _answers(study: Study, **changes: Any) -> dict[str, Any]:
    return {
        "email": "lee@example.org",
        "by": "email",
        "scope": "chosen",
        "studies": [str(study.pk)],
        "report": "on",
        "period": "30",
        "note": "",
        "key": str(uuid4()),
        **changes,
    }


def _lend(cast: Cast, **changes: Any) -> Grant:
    asked = {"studies": "all", "email": "lee@example.org", "rights": ["view"], "way": "page", **changes}
    return grants.grant(cast.maria, **{"expires_at": timezone.now() + timedelta(days=1), **asked})


# --- Three decisions


def test_a_study_asked_to_be_shared_is_chosen_already(maria: Client, cast: Cast) -> None:
    releases.release(a_study(cast.patient), actor=Actor.system())
    answer = maria.get(reverse("lend", args=[cast.study.pk]))
    assert re.findall(r'name="studies" value="([^"]+)"[^>]*checked', answer.content.decode()) == [str(cast.study.pk)]
    assert "checked" not in re.findall(r'<input[^>]*name="studies"[^>]*>', maria.get("/sharing/new/").content.decode())


def test_it_is_read_back_in_one_sentence_before_anything_is_stored(maria: Client, cast: Cast) -> None:
    answers = _answers(cast.study, download="on", note="Before Monday")
    answer = maria.post(reverse("lend", args=[cast.study.pk]), answers)
    end = timezone.localdate() + timedelta(days=30)
    assert answer.status_code == 200
    assert answer.context["sentence"].startswith("lee@example.org may see the pictures and the report of your exam “")
    assert answer.context["sentence"].endswith(f"and download them, until {date_format(end, 'DATE_FORMAT')}.")
    assert "Before Monday" in words_of(answer)
    assert "nobody can call back what was downloaded" in words_of(answer)
    assert not Grant.objects.exists()


def _second_step(answer: Any) -> list[tuple[str, str]]:
    """The fields that the read-back page sends along."""
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', answer.content.decode())
    return [(name, html.unescape(value)) for name, value in hidden if name != "csrfmiddlewaretoken"]


def _form(fields: list[tuple[str, str]], **more: str) -> dict[str, Any]:
    form: dict[str, Any] = {}
    for name, value in [*fields, *more.items()]:
        form.setdefault(name, []).append(value)
    return form


def test_the_second_step_shares_what_was_read_back(maria: Client, cast: Cast) -> None:
    other = a_study(cast.patient)
    releases.release(other, actor=Actor.system())
    chosen = [str(cast.study.pk), str(other.pk)]
    read_back = maria.post("/sharing/new/", _answers(cast.study, studies=chosen, note="Two lines\nof <b>words</b>"))
    answer = maria.post("/sharing/new/", _form(_second_step(read_back), share="yes"))
    assert (answer.status_code, answer["Location"]) == (303, "/sharing/")
    made = Grant.objects.get()
    assert {str(item.study_id) for item in made.items.all()} == set(chosen)
    assert made.note.splitlines() == ["Two lines", "of <b>words</b>"]
    assert made.expires_at.date() == timezone.localdate() + timedelta(days=30)


@pytest.mark.parametrize(("ticked", "is_told"), [({"tell_each": "on"}, True), ({}, False)])
def test_whoever_ticks_it_reads_that_she_is_told_each_time(
    maria: Client, cast: Cast, ticked: dict[str, str], is_told: bool
) -> None:
    answers = _answers(cast.study, **ticked)
    read_back = maria.post(reverse("lend", args=[cast.study.pk]), answers)
    assert ("You get an e-mail each time they look." in words_of(read_back)) is is_told
    maria.post(reverse("lend", args=[cast.study.pk]), dict([*_second_step(read_back), ("share", "yes")]))
    assert Grant.objects.get().tell_each is is_told
    assert ("you get an e-mail each time" in words_of(maria.get(reverse("sharing")))) is is_told


def test_share_pressed_twice_shares_once(maria: Client, cast: Cast) -> None:
    form = {**_answers(cast.study), "share": "yes"}
    assert [maria.post("/sharing/new/", form).status_code for _ in range(2)] == [303, 303]
    assert Grant.objects.count() == 1


def test_change_leads_back_to_what_was_filled_in(maria: Client, cast: Cast) -> None:
    answer = maria.post("/sharing/new/", {**_answers(cast.study, email=OTHER), "change": "yes"})
    assert answer.status_code == 200
    assert f'value="{OTHER}"' in answer.content.decode()
    assert not Grant.objects.exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": ""}, "email"),
        ({"email": "no address"}, "email"),
        ({"studies": []}, "studies"),
        ({"studies": [str(UUID(int=7))]}, "studies"),
        ({"studies": ["nonsense"]}, "studies"),
        ({"scope": "some"}, "scope"),
        ({"period": "never"}, "period"),
        ({"period": "other"}, "until"),
        ({"period": "other", "until": "2020-01-01"}, "until"),
        ({"period": "other", "until": "2999-01-01"}, "until"),
        ({"period": "other", "until": "soon"}, "until"),
        ({"note": "x" * 401}, "note"),
    ],
)
def test_slips_are_told_at_their_field(maria: Client, cast: Cast, change: dict[str, Any], field: str) -> None:
    answer = maria.post("/sharing/new/", {**_answers(cast.study, **change), "share": "yes"})
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert not Grant.objects.exists()


def test_what_only_the_verb_knows_is_told_on_the_same_page(maria: Client, cast: Cast) -> None:
    answer = maria.post("/sharing/new/", _answers(cast.study, email=cast.maria.email))
    assert answer.status_code == 400
    assert "That is your own address." in words_of(answer)
    assert 'name="email"' in answer.content.decode()


@pytest.mark.parametrize("days", [0, 365])
def test_the_last_day_counts_whole_from_today_for_a_year(maria: Client, cast: Cast, days: int) -> None:
    day = timezone.localdate() + timedelta(days=days)
    maria.post("/sharing/new/", {**_answers(cast.study, period="other", until=str(day)), "share": "yes"})
    assert timezone.localtime(Grant.objects.get().expires_at).strftime("%Y-%m-%d %H:%M") == f"{day} 23:59"


def test_all_that_come_later_is_said_so(maria: Client, cast: Cast) -> None:
    answer = maria.post("/sharing/new/", _answers(cast.study, scope="all_and_later"))
    assert "all your exams and all that come later" in answer.context["sentence"]


@pytest.mark.parametrize(("who", "status"), [("tom", 403), ("lee", 404), ("eve", 404), ("ana", 404)])
def test_nobody_shares_what_is_not_hers(client: Client, cast: Cast, who: str, status: int) -> None:
    client.force_login(getattr(cast, who))
    address = reverse("lend", args=[cast.study.pk])
    assert client.get(address).status_code == status
    assert client.post(address, {**_answers(cast.study), "share": "yes"}).status_code == status
    assert client.post("/sharing/new/", {**_answers(cast.study), "share": "yes"}).status_code == 422
    assert not Grant.objects.exists()


# --- Who can see what


def test_each_grant_is_one_sentence_with_one_click_to_stop_it(maria: Client, cast: Cast) -> None:
    made = _lend(cast)
    page = maria.get("/sharing/")
    assert f'action="/sharing/{made.pk}/stop/"' in page.content.decode()
    assert "lee@example.org may see the pictures of your exam" in words_of(page)
    assert "Not opened yet" in words_of(page)
    answer = maria.post(reverse("revoke", args=[made.pk]))
    assert (answer.status_code, answer["Location"]) == (303, "/sharing/")
    assert not access.lent_to(cast.lee).exists()
    assert "Stopped" in words_of(maria.get("/sharing/"))


def test_a_name_is_shown_only_after_its_owner_has_opened_something(maria: Client, cast: Cast) -> None:
    cast.lee.provider.name, cast.lee.provider.practice = "Dr Lee", "Elm Practice"
    cast.lee.provider.save()
    made = _lend(cast)
    assert "Dr Lee" not in words_of(maria.get("/sharing/"))
    grants.note_opening(made)
    assert "Dr Lee, Elm Practice (lee@example.org)" in words_of(maria.get("/sharing/"))


def test_stop_everything(maria: Client, cast: Cast) -> None:
    _lend(cast)
    _lend(cast, email=OTHER)
    assert maria.post("/sharing/stop-all/").status_code == 303
    assert "Nobody else sees your images" in words_of(maria.get("/sharing/"))


def test_the_last_day_is_moved(maria: Client, cast: Cast) -> None:
    made = _lend(cast)
    day = timezone.localdate() + timedelta(days=9)
    assert maria.post(reverse("extend", args=[made.pk]), {"until": str(day)}).status_code == 303
    made.refresh_from_db()
    assert made.expires_at.date() == day
    assert maria.post(reverse("extend", args=[made.pk]), {"until": "some day"}).status_code == 400
    assert maria.post(reverse("extend", args=[made.pk]), {"until": "2020-01-01"}).status_code == 400


def test_what_is_over_is_folded_away(maria: Client, cast: Cast, clock: Clock) -> None:
    _lend(cast)
    clock.move(days=2)
    page = maria.get("/sharing/")
    assert (page.context["running"], len(page.context["ended"])) == ([], 1)
    assert "Ended" in page.context["ended"][0].ended


@pytest.mark.parametrize("name", ["revoke", "extend"])
def test_anothers_grant_is_not_there(client: Client, cast: Cast, name: str) -> None:
    made = _lend(cast)
    later = {"until": str(timezone.localdate() + timedelta(days=9))}
    for who in (cast.lee, cast.eve, cast.tom):
        client.force_login(who)
        theirs = client.post(reverse(name, args=[made.pk]), later)
        none = client.post(reverse(name, args=[uuid4()]), later)
        assert theirs.status_code == none.status_code == 404
        assert theirs.content == none.content
    assert access.lent_to(cast.lee).exists()


STOPPING = ["/sharing/stop-all/", f"/sharing/{UUID(int=7)}/stop/", f"/sharing/{UUID(int=7)}/extend/"]


@pytest.mark.parametrize("path", STOPPING)
def test_looking_stops_nothing(maria: Client, path: str) -> None:
    assert maria.get(path).status_code == 405
