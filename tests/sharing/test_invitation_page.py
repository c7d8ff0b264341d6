from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Letter, User
from sharing import access, grants
from sharing.models import Grant
from tests.cast import PASSWORD, Cast
from tests.conftest import Clock

NEW = "new.doctor@example.org"
ACCOUNT = {"name": "Dr Ada New", "practice": "Elm Practice", "password": PASSWORD}


def _lend(cast: Cast, email: str = NEW) -> tuple[str, str]:
    """The invitation's address and secret, as the letter has them."""
    end = timezone.now() + timedelta(days=7)
    grants.grant(cast.maria, studies="all", email=email, rights=["view"], expires_at=end, way="page")
    letter = Letter.objects.get(to=email, template="sharing/email/invitation")
    (link,) = [line for line in letter.text.splitlines() if line.startswith("http")]
    parts = urlsplit(link)
    return parts.path, parts.fragment


def _plain(answer: Any) -> str:
    """A page without what differs each time anyway."""
    return re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"|[0-9a-f-]{36}', "", answer.content.decode())


def test_looking_opens_nothing_and_tells_nothing(client: Client, cast: Cast, django_assert_num_queries: Any) -> None:
    path, secret = _lend(cast)
    with django_assert_num_queries(0):
        pages = [client.get(path), client.get(reverse("invitation", args=[uuid4()])), client.get(f"{path}?{secret}")]
    for _ in range(20):
        client.head(path)
    assert len({(page.status_code, _plain(page)) for page in pages}) == 1
    assert not {"maria", "Lakeside", NEW} & set(re.findall(r"[\w.@]+", _plain(pages[0])))
    assert Grant.objects.get().provider is None
    assert not User.objects.filter(email=NEW).exists()


def test_the_addressee_makes_an_account_and_sees_what_is_lent(client: Client, cast: Cast) -> None:
    path, secret = _lend(cast)
    opened = client.post(path, {"token": secret})
    assert (opened.status_code, opened["Location"]) == (303, reverse("invitation_account"))
    assert NEW in client.get(opened["Location"]).content.decode()
    made = client.post(opened["Location"], ACCOUNT)
    assert (made.status_code, made["Location"]) == (302, reverse("provider"))
    user = User.objects.get(email=NEW)
    assert client.session["_auth_user_id"] == str(user.pk)
    assert (user.provider.name, user.provider.practice) == ("Dr Ada New", "Elm Practice")
    assert list(access.lent_to(user)) == [cast.study]


def test_her_address_needs_no_second_proof(client: Client, cast: Cast) -> None:
    path, secret = _lend(cast)
    client.post(path, {"token": secret})
    client.post(reverse("invitation_account"), ACCOUNT)
    assert set(Letter.objects.values_list("template", flat=True)) == {"sharing/email/invitation"}


@pytest.mark.parametrize("change", [{"password": "short"}, {"password": NEW}, {"name": ""}])
def test_slips_are_told(client: Client, cast: Cast, change: dict[str, str]) -> None:
    path, secret = _lend(cast)
    client.post(path, {"token": secret})
    answer = client.post(reverse("invitation_account"), {**ACCOUNT, **change})
    assert answer.status_code == 422
    assert set(answer.context["form"].errors) == set(change)
    assert not User.objects.filter(email=NEW).exists()


def test_who_has_an_account_signs_in(client: Client, cast: Cast) -> None:
    path, secret = _lend(cast, cast.lee.email)
    answer = client.post(path, {"token": secret})
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/?next=/provider/")
    assert client.get(reverse("invitation_account")).status_code == 404


def test_who_is_signed_in_goes_on(client: Client, cast: Cast) -> None:
    path, secret = _lend(cast, cast.eve.email)
    client.force_login(cast.eve)
    answer = client.post(path, {"token": secret}, follow=True)
    assert answer.redirect_chain == [("/provider/", 303)]
    assert [lending.record for lending in answer.context["lendings"]] == [cast.maria.record]


def test_somebody_else_who_is_signed_in_gets_nothing(client: Client, cast: Cast) -> None:
    path, secret = _lend(cast)
    client.force_login(cast.eve)
    answer = client.post(path, {"token": secret}, follow=True)
    assert "went to another address" in answer.content.decode()
    assert not access.lent_to(cast.eve).exists()
    assert Grant.objects.get().provider is None


def test_every_invitation_that_does_not_open_is_the_same_page(client: Client, cast: Cast, clock: Clock) -> None:
    path, secret = _lend(cast)
    refusals = [
        client.post(path, {"token": "wrong"}),
        client.post(path, {}),
        client.post(reverse("invitation", args=[uuid4()]), {"token": secret}),
    ]
    grants.revoke(cast.maria, Grant.objects.get().pk)
    refusals.append(client.post(path, {"token": secret}))
    assert {(one.status_code, one.content) for one in refusals} == {(404, refusals[0].content)}


def test_an_opened_invitation_waits_half_an_hour(client: Client, cast: Cast) -> None:
    path, secret = _lend(cast)
    client.post(path, {"token": secret})
    session = client.session
    session["invitation"] = {**session["invitation"], "at": session["invitation"]["at"] - 1801}
    session.save()
    assert client.post(reverse("invitation_account"), ACCOUNT).status_code == 404
    assert not User.objects.filter(email=NEW).exists()


def test_an_invitation_stopped_meanwhile_makes_no_account(client: Client, cast: Cast) -> None:
    path, secret = _lend(cast)
    client.post(path, {"token": secret})
    grants.revoke(cast.maria, Grant.objects.get().pk)
    assert client.post(reverse("invitation_account"), ACCOUNT).status_code == 404
    assert not User.objects.filter(email=NEW).exists()


def test_the_page_works_without_script(client: Client, cast: Cast) -> None:
    path, _ = _lend(cast)
    assert re.search(r'<label for="token">[^<]+</label>', client.get(path).content.decode())
