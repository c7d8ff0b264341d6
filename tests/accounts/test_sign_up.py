from __future__ import annotations

import re
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.hashers import make_password
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts import audit, letters
from accounts.audit import Action
from accounts.models import AuditEvent, Letter, PatientRecord, User
from tests.cast import BORN, PASSWORD, Cast

SIGN_UP = {
    "name": "Nora Zebrafish",
    "birth_day": "17",
    "birth_month": "5",
    "birth_year": "1980",
    "email": "Nora@example.org",
    "password1": PASSWORD,
}


def _sign_up(client: Client, **changes: str) -> Any:
    return client.post(reverse("account_signup"), SIGN_UP | changes)


def _code_to(email: str) -> str:
    """The code in the one letter to an address."""
    letter = Letter.objects.get(to=email)
    code = re.search(r"^[A-Z0-9-]{6,}$", letter.text, re.MULTILINE)
    assert code, letter.text
    return code[0]


def test_a_missing_birth_date_is_one_mistake(client: Client, db: None) -> None:
    answer = _sign_up(client, birth_day="", birth_month="", birth_year="")
    assert answer.content.decode().count("This field is required.") == 1


def test_who_comes_with_a_code_is_not_welcomed_back(client: Client, db: None) -> None:
    page = client.get(reverse("claim"), follow=True).content.decode()
    assert "You have a code" in page
    assert "Welcome back" not in page
    assert "Welcome back" in client.get(reverse("account_login")).content.decode()


def test_the_only_address_offers_nothing_that_cannot_be_done(client: Client, cast: Cast) -> None:
    client.force_login(cast.maria)
    assert "Remove it" not in client.get(reverse("account_email")).content.decode()


def test_sign_up_opens_a_record_and_confirms_the_address_by_a_code(client: Client, db: None) -> None:
    answer = _sign_up(client)
    assert (answer.status_code, answer.url) == (302, reverse("account_email_verification_sent"))
    record = PatientRecord.objects.get(user__email="nora@example.org")
    assert (record.name, record.birth_date) == ("Nora Zebrafish", BORN)
    assert AuditEvent.objects.get(action=Action.SIGNED_UP).record_id == record.pk

    assert b"nora@example.org" in client.get(answer.url).content.lower()
    client.post(answer.url, {"code": _code_to("nora@example.org")})
    assert client.get(reverse("account_overview")).status_code == 200
    assert AuditEvent.objects.filter(action=Action.SIGNED_IN, record_id=record.pk).exists()


def test_an_address_that_is_taken_gets_the_same_answer(cast: Cast) -> None:
    new, taken = (_sign_up(Client(), email=email) for email in ("nora@example.org", "maria@example.org"))
    assert (new.status_code, new.url) == (taken.status_code, taken.url)
    to_new, to_taken = Letter.objects.order_by("created_at")
    assert (to_new.to, to_taken.to) == ("nora@example.org", "maria@example.org")
    assert "There is one already" in to_taken.text
    assert AuditEvent.objects.get(action=Action.SIGN_UP_FAILED).record_id == cast.maria.record.pk


def test_an_address_that_is_taken_costs_one_password_hash_too(cast: Cast) -> None:
    with patch("accounts.adapters.make_password", side_effect=make_password) as hashed:
        _sign_up(Client(), email="maria@example.org")
    assert hashed.call_count == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"birth_day": "31", "birth_month": "2"},
        {"birth_year": "80"},
        {"birth_year": "2999"},
        {"birth_month": ""},
        {"birth_day": "x"},
        {"name": ""},
        {"password1": "short"},
    ],
)
def test_sign_up_says_what_is_wrong(client: Client, db: None, changes: dict[str, str]) -> None:
    answer = _sign_up(client, **changes)
    assert answer.status_code == 200
    assert set(answer.context["form"].errors) <= {*changes, "birth_day"}
    assert answer.context["form"].errors
    assert not User.objects.exists()


def test_a_failed_sign_up_leaves_nothing_behind(client: Client, transactional_db: None) -> None:
    with patch.object(audit, "record", side_effect=RuntimeError):
        assert _sign_up(client).status_code == 500
    assert not User.objects.exists()


def test_letters_name_nobody(client: Client, cast: Cast) -> None:
    _sign_up(client, name="Nora")
    client.post(reverse("account_reset_password"), {"email": "maria@example.org"})
    client.post(reverse("account_reset_password"), {"email": "absent@example.org"})
    assert Letter.objects.count() == 3
    for letter in Letter.objects.all():
        assert "@" not in letter.subject
        assert "nora" not in f"{letter.subject} {letter.text}".lower()


def test_a_letters_link_leads_here_whatever_host_was_asked(cast: Cast, settings: Settings) -> None:
    """Whoever asks for a letter to somebody else chooses the Host header."""
    stranger = Client(SERVER_NAME="localhost", SERVER_PORT="6666")
    stranger.post(reverse("account_reset_password"), {"email": "maria@example.org"})
    stranger.post(reverse("account_reset_password"), {"email": "absent@example.org"})
    _sign_up(stranger, email="maria@example.org")
    for letter in Letter.objects.all():
        links = [block.url for block in letters.blocks(letter.text) if block.kind == "link"]
        assert links
        assert [link for link in links if not link.startswith(f"{settings.PUBLIC_URL}/accounts/")] == []


def test_a_second_address_is_confirmed_listed_and_taken_away(client: Client, cast: Cast) -> None:
    address, new = reverse("account_email"), "maria.at.work@example.org"

    def listed() -> list[str]:
        return re.findall(r'name="email" value="([^"]+)"', client.get(address).content.decode())

    client.force_login(cast.maria)
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    client.post(address, {"action_add": "", "email": new})
    assert listed() == ["maria@example.org"], "nobody's address is hers on her say-so"
    client.post(reverse("account_email_verification_sent"), {"code": _code_to(new)})
    assert sorted(listed()) == [new, "maria@example.org"]
    client.post(address, {"action_remove": "", "email": new})
    assert listed() == ["maria@example.org"]
