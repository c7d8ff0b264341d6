"""The patient's API, as the interface promises it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from accounts import audit
from accounts.audit import Action, Actor
from sharing import access, grants
from sharing.models import Grant, ShareLink
from tests.cast import Cast

GRANTS = "/api/v1/grants/"


@pytest.fixture
def maria(client: Client, cast: Cast) -> Client:
    client.force_login(cast.maria)
    return client


def _ask(cast: Cast, **changes: Any) -> dict[str, Any]:
    return {
        "studies": [str(cast.study.pk)],
        "to": {"kind": "email", "email": "lee@example.org"},
        "rights": ["view", "report"],
        "expires_at": (timezone.now() + timedelta(days=7)).isoformat(),
        "passcode": False,
        **changes,
    }


def _post(client: Client, body: Any) -> Any:
    return client.post(GRANTS, body, content_type="application/json")


def test_a_grant_is_made_listed_and_stopped(maria: Client, cast: Cast) -> None:
    asked = _ask(cast)
    made = _post(maria, asked)
    assert made.status_code == 201
    assert set(made.json()) == {"id", "expires_at"}
    assert datetime.fromisoformat(made.json()["expires_at"]) == datetime.fromisoformat(asked["expires_at"])
    (listed,) = maria.get(GRANTS).json()
    assert listed["id"] == made.json()["id"]
    assert (listed["to"], listed["studies"], listed["rights"], listed["active"]) == (
        asked["to"],
        asked["studies"],
        asked["rights"],
        True,
    )
    assert list(access.lent_to(cast.lee)) == [cast.study]
    stopped = maria.delete(f"{GRANTS}{listed['id']}/")
    assert (stopped.status_code, stopped.content) == (204, b"")
    assert not access.lent_to(cast.lee).exists()
    assert maria.get(GRANTS).json()[0]["active"] is False
    assert maria.delete(f"{GRANTS}{listed['id']}/").status_code == 204


@pytest.mark.parametrize("studies", ["all", "all_and_later"])
def test_all_studies_are_a_word(maria: Client, cast: Cast, studies: str) -> None:
    assert _post(maria, _ask(cast, studies=studies)).status_code == 201
    assert Grant.objects.get().scope == studies
    listed = maria.get(GRANTS).json()[0]["studies"]
    assert listed == ("all_and_later" if studies == "all_and_later" else [str(cast.study.pk)])


@pytest.mark.parametrize("wanted", [True, False])
def test_whoever_wants_to_be_told_each_time_says_so(maria: Client, cast: Cast, wanted: bool) -> None:
    assert _post(maria, _ask(cast, tell_each=wanted)).status_code == 201
    (listed,) = maria.get(GRANTS).json()
    assert listed["tell_each"] is wanted


def test_a_link_and_its_passcode_are_answered_this_once(maria: Client, cast: Cast) -> None:
    made = _post(maria, _ask(cast, to={"kind": "link", "whom": "Dr Lee"}, passcode=True))
    assert made.status_code == 201
    shown = made.json()
    assert set(shown) == {"id", "url", "code", "passcode", "expires_at"}
    (listed,) = maria.get(GRANTS).json()
    assert (listed["id"], listed["to"], listed["active"]) == (shown["id"], {"kind": "link", "whom": "Dr Lee"}, True)
    assert not [one for one in ("url", "code", "passcode") if one in listed]
    place, _, secret = shown["url"].partition("#")
    opened = Client().post(f"{place}/open", {"secret": secret, "passcode": shown["passcode"]})
    assert (opened.status_code, opened["Location"]) == (303, f"/studies/{cast.study.pk}/")


@pytest.mark.parametrize(
    ("asked", "has_passcode"), [({"passcode": False}, False), ({"passcode": True}, True), ({}, True)]
)
def test_a_link_has_a_passcode_unless_told_otherwise(
    maria: Client, cast: Cast, asked: dict[str, bool], has_passcode: bool
) -> None:
    body = _ask(cast, to={"kind": "link"})
    del body["passcode"]
    assert ("passcode" in _post(maria, {**body, **asked}).json()) is has_passcode


def test_a_link_may_open_a_few_times_only(maria: Client, cast: Cast) -> None:
    assert _post(maria, _ask(cast, to={"kind": "link"}, most_openings=2)).status_code == 201
    assert ShareLink.objects.get().most_openings == 2


@pytest.mark.parametrize(
    "change",
    [
        {"studies": []},
        {"studies": "some"},
        {"studies": ["nonsense"]},
        {"studies": [7]},
        {"studies": None},
        {"to": {"kind": "email"}},
        {"to": {"kind": "email", "email": "no address"}},
        {"to": {"kind": "pigeon", "email": "lee@example.org"}},
        {"to": "lee@example.org"},
        {"rights": []},
        {"rights": ["report"]},
        {"rights": ["view", "lend"]},
        {"rights": "view"},
        {"expires_at": None},
        {"expires_at": "soon"},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "2999-01-01T00:00:00Z"},
        {"passcode": True},
        {"most_openings": 2},
        {"to": {"kind": "link", "email": "lee@example.org"}},
        {"to": {"kind": "link", "whom": "x" * 201}},
        {"to": {"kind": "link"}, "most_openings": 0},
        {"note": "x" * 401},
    ],
)
def test_what_cannot_be_is_a_400_that_says_why(maria: Client, cast: Cast, change: dict[str, Any]) -> None:
    answer = _post(maria, _ask(cast, **change))
    assert answer.status_code == 400
    assert {"code", "message"} <= set(answer.json())
    assert not Grant.objects.exists()


@pytest.mark.parametrize("body", ["[]", '"all"', "null", "{}", "{"])
def test_a_body_of_another_shape_is_a_400(maria: Client, body: str) -> None:
    assert maria.post(GRANTS, body, content_type="application/json").status_code == 400


def test_anothers_study_is_not_there_and_what_is_only_seen_is_refused(client: Client, cast: Cast) -> None:
    for who, status in [(cast.eve, 404), (cast.lee, 404), (cast.tom, 403)]:
        client.force_login(who)
        assert _post(client, _ask(cast, to={"kind": "email", "email": "x@example.org"})).status_code == status
    assert not Grant.objects.exists()


def test_anothers_grant_is_not_there(client: Client, cast: Cast) -> None:
    end = timezone.now() + timedelta(days=1)
    made = grants.grant(cast.maria, studies="all", email=cast.lee.email, rights=["view"], expires_at=end, way="api")
    for who in (cast.eve, cast.lee, cast.tom):
        client.force_login(who)
        assert client.get(GRANTS).json() == []
        theirs, none = client.delete(f"{GRANTS}{made.pk}/"), client.delete(f"{GRANTS}{uuid4()}/")
        assert theirs.status_code == none.status_code == 404
        assert theirs.content == none.content


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_do_nothing(maria: Client, method: str) -> None:
    assert getattr(maria, method)(GRANTS).status_code == 405


def test_without_a_token_of_the_form_nothing_is_granted(cast: Cast) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(cast.maria)
    assert _post(strict, _ask(cast)).status_code == 403
    assert not Grant.objects.exists()


def test_the_activity_says_who_how_and_what(maria: Client, cast: Cast) -> None:
    about: dict[str, Any] = {"study_id": cast.study.pk, "record_id": cast.maria.record.pk}
    audit.record(Action.DOWNLOADED, actor=Actor.staff(cast.tom, cast.lakeside), way="page", relation="staff", **about)
    first = maria.get("/api/v1/activity/", {"study": str(cast.study.pk)}).json()[0]
    assert datetime.fromisoformat(first.pop("at"))
    assert first == {
        "who": "Staff of Lakeside Imaging",
        "how": "as staff of the facility, on this site",
        "what": "downloaded the study",
        "study": str(cast.study.pk),
    }
    assert maria.get("/api/v1/activity/").json()[0] == maria.get(f"/api/v1/activity/?study={cast.study.pk}").json()[0]


def test_the_activity_of_what_is_not_ones_own(client: Client, cast: Cast) -> None:
    for who, status in [(cast.maria, 200), (cast.tom, 403), (cast.eve, 404)]:
        client.force_login(who)
        assert client.get("/api/v1/activity/", {"study": str(cast.study.pk)}).status_code == status
    assert client.get("/api/v1/activity/", {"study": "nonsense"}).status_code == 400
    assert client.get("/api/v1/activity/").json() == []


@pytest.mark.parametrize("body", ["[" * 100_000, '{"to": {"kind": "\\ud800"}}', "\ufffe"])
def test_a_body_that_nobody_can_read_is_a_bad_request(maria: Client, body: str) -> None:
    assert _post(maria, body).status_code == 400
