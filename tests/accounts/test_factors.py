from __future__ import annotations

import base64
import hmac
import re
import struct
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from cryptography.exceptions import InvalidTag
from django.core.cache import cache
from django.test import Client, override_settings
from django.urls import reverse

from accounts import factors
from accounts.audit import Action, Actor
from accounts.factors import Factors
from accounts.models import AuditEvent, Letter, User
from portal.policies import BEFORE_SECOND_FACTOR, POLICIES, Policy, is_for_programs, routes
from tests.at_once import at_once
from tests.cast import PASSWORD, SEED, Cast, an_app, person
from tests.conftest import Clock

OTHER_MASTER_KEY = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def wall_clock(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The hand-moved clock for libraries too that ask the system's."""
    system = time.time
    monkeypatch.setattr(time, "time", lambda: system() + clock.shift.total_seconds())
    return clock


@pytest.fixture
def newcomer(cast: Cast) -> User:
    """Somebody new at Lakeside's desk, without a second factor."""
    user = person("nils@example.org", staff_of=cast.lakeside)
    Authenticator.objects.filter(user=user).delete()
    return user


def code_of(seed: str, steps: int = 0) -> str:
    """The six digits that an authenticator app shows (RFC 6238), some half minutes from now."""
    count = struct.pack(">Q", int(time.time()) // 30 + steps)
    mac = hmac.digest(base64.b32decode(seed), count, "sha1")
    return f"{int.from_bytes(mac[(at := mac[-1] & 15) : at + 4]) % 2**31 % 10**6:06}"


def _password(client: Client, email: str, password: str = PASSWORD) -> Any:
    return client.post(reverse("account_login"), {"login": email, "password": password})


def _second_step(client: Client, code: str) -> bool:
    client.post(reverse("mfa_authenticate"), {"code": code})
    return "_auth_user_id" in client.session


def _sign_in(email: str, code: str) -> bool:
    client = Client()
    assert _password(client, email).headers["Location"] == reverse("mfa_authenticate")
    return _second_step(client, code)


def _set_up(client: Client) -> str:
    """Set up an authenticator app by the pages; returns its seed."""
    once_more = client.get(reverse("mfa_activate_totp"))
    assert urlsplit(once_more.headers["Location"]).path == reverse("account_reauthenticate")
    client.post(once_more.headers["Location"], {"password": PASSWORD})
    seed: str = client.get(reverse("mfa_activate_totp")).context["form"].secret
    answer = client.post(reverse("mfa_activate_totp"), {"code": code_of(seed)})
    assert answer.headers["Location"] == reverse("mfa_view_recovery_codes")
    return seed


def _addresses() -> list[tuple[str, str]]:
    """(name, an address of that route) of the whole site."""
    samples = {"uuid": "00000000-0000-4000-8000-000000000000", "int": "1", "str": "x", "path": "x"}

    def fill(pattern: str) -> str:
        filled = re.sub(r"<(\w+):\w+>", lambda part: samples[part[1]], pattern)
        return "/" + re.sub(r"\(\?P<\w+>[^)]*\)", "x", filled).replace("^", "").replace("$", "")

    return [(name, fill(pattern)) for name, pattern in routes()]


# --- Who must have one --------------------------------------------------------------------------------


def test_staff_without_a_second_factor_reach_nothing_else(client: Client, newcomer: User) -> None:
    client.force_login(newcomer)
    for name, address in _addresses():
        if name in BEFORE_SECOND_FACTOR or POLICIES[name] is Policy.DEMO:
            continue
        for answer in (client.get(address), client.post(address)):
            if is_for_programs(address):
                assert (answer.status_code, answer.json()["code"]) == (403, "second_factor_needed"), name
            else:
                assert (answer.status_code, answer.headers["Location"]) == (302, reverse("second_factor")), name


def test_what_is_open_before_shows_nobodys_images() -> None:
    assert set(POLICIES) >= BEFORE_SECOND_FACTOR
    own = ("mfa_", "account_", "second_factor", "extend_session", "livez", "readyz")
    assert {name for name in BEFORE_SECOND_FACTOR if not name.startswith(own)} == {
        name for name, policy in POLICIES.items() if policy is Policy.KEY
    }


@pytest.mark.django_db(transaction=True)
def test_staff_set_one_up_and_go_on(client: Client, newcomer: User) -> None:
    elsewhere = Client()
    elsewhere.force_login(newcomer)
    _password(client, newcomer.email)
    assert client.get(reverse("home")).headers["Location"] == reverse("second_factor")
    page = client.get(reverse("second_factor")).content.decode()
    assert reverse("mfa_activate_totp") in page
    assert reverse("mfa_add_webauthn") in page
    _set_up(client)
    codes = client.get(reverse("mfa_view_recovery_codes")).context["unused_codes"]
    assert len(set(codes)) == 10
    assert client.get(reverse("home")).status_code == 200
    assert factors.of(newcomer) == Factors(app=True, passkeys=0, codes_left=10)
    assert not elsewhere.get(reverse("home")).wsgi_request.user.is_authenticated, "a session without it goes on"
    events = AuditEvent.objects.filter(action=Action.FACTOR_ADDED).values_list("detail__factor", flat=True)
    assert set(events) == {"totp", "recovery_codes"}


@pytest.mark.parametrize("kind", ["provider", "staff_of"])
def test_providers_and_staff_must_and_patients_may(cast: Cast, kind: str) -> None:
    user = person("somebody@example.org", **{kind: cast.lakeside if kind == "staff_of" else True})
    assert not factors.missing(user)
    Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).update(type="recovery_codes")
    assert factors.missing(user), "recovery codes alone are none"
    assert not factors.missing(cast.maria)
    with override_settings(STAFF_MFA=False):
        assert not factors.missing(user)


def test_a_patient_sees_what_she_has_set_up(client: Client, cast: Cast) -> None:
    _password(client, cast.maria.email)
    assert b"Protect your account" in client.get(reverse("account_overview")).content
    _set_up(client)
    page = client.get(reverse("account_overview")).content.decode()
    assert "10 recovery codes left" in page
    assert client.get(reverse("second_factor")).headers["Location"] == reverse("mfa_index")
    assert client.get(reverse("mfa_index")).status_code == 200


def test_a_passkey_is_renamed_and_codes_are_made_anew(client: Client, cast: Cast) -> None:
    client.force_login(cast.maria)
    _set_up(client)
    old = client.get(reverse("mfa_view_recovery_codes")).context["unused_codes"]
    assert b"stop working at once" in client.get(reverse("mfa_generate_recovery_codes")).content
    client.post(reverse("mfa_generate_recovery_codes"))
    assert not {*old} & {*client.get(reverse("mfa_view_recovery_codes")).context["unused_codes"]}

    key = Authenticator.objects.create(user=cast.maria, type=Authenticator.Type.WEBAUTHN, data={"name": "Phone"})
    rename = reverse("mfa_edit_webauthn", args=[key.pk])
    assert b"Rename this passkey" in client.get(rename).content
    client.post(rename, {"name": "Old phone"})
    assert Authenticator.objects.get(pk=key.pk).data["name"] == "Old phone"


def test_setting_one_up_is_told_by_letter(client: Client, cast: Cast, django_capture_on_commit_callbacks: Any) -> None:
    _password(client, cast.maria.email)
    with django_capture_on_commit_callbacks(execute=True):
        _set_up(client)
    assert Letter.objects.get(template="mfa/email/totp_activated").to == cast.maria.email


# --- Signing in ---------------------------------------------------------------------------------------


def test_a_password_alone_does_not_sign_in(client: Client, cast: Cast) -> None:
    assert _password(client, cast.tom.email).headers["Location"] == reverse("mfa_authenticate")
    assert client.get(reverse("home")).status_code == 200
    assert "_auth_user_id" not in client.session
    assert client.get(reverse("account_overview")).status_code == 302
    assert client.get(reverse("mfa_authenticate")).status_code == 200
    assert not _second_step(client, "000000")
    assert _second_step(client, code_of(SEED))


@pytest.mark.parametrize("seconds", [0, 5, 40, 75])
def test_a_code_works_once(cast: Cast, wall_clock: Clock, seconds: int) -> None:
    code = code_of(SEED, steps=1)  # the one of the next half minute is good longest
    assert _sign_in("tom@example.org", code)
    wall_clock.move(seconds=seconds)
    cache.clear()  # the mark does not depend on it
    assert not _sign_in("tom@example.org", code)


def test_a_code_of_the_half_minute_before_or_after_is_good_and_no_older_one(cast: Cast) -> None:
    for steps, good in {-3: False, -1: True, 1: True, 3: False}.items():
        assert _sign_in("tom@example.org", code_of(SEED, steps)) is good, steps


def test_the_code_that_set_an_app_up_does_not_sign_in(client: Client, cast: Cast) -> None:
    _password(client, cast.maria.email)
    seed = _set_up(client)
    assert not _sign_in("maria@example.org", code_of(seed))
    assert _sign_in("maria@example.org", code_of(seed, steps=1))


def test_a_code_signs_in_but_does_not_also_confirm(client: Client, cast: Cast) -> None:
    code = code_of(SEED)
    _password(client, "tom@example.org")
    assert _second_step(client, code)
    assert client.post(reverse("mfa_reauthenticate"), {"code": code}).status_code == 200
    assert client.post(reverse("mfa_reauthenticate"), {"code": code_of(SEED, 1)}).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_of_many_uses_of_a_code_at_once_one_signs_in(cast: Cast) -> None:
    clients = [Client() for _ in range(6)]
    for client in clients:
        _password(client, "tom@example.org")
    code = code_of(SEED)
    signed_in = at_once([lambda client=client: _second_step(client, code) for client in clients])  # type: ignore[misc]
    assert signed_in.count(True) == 1, signed_in


def test_a_recovery_code_works_once(client: Client, cast: Cast) -> None:
    _password(client, cast.maria.email)
    _set_up(client)
    code, *others = client.get(reverse("mfa_view_recovery_codes")).context["unused_codes"]
    assert _sign_in("maria@example.org", code)
    assert not _sign_in("maria@example.org", code)
    assert factors.of(cast.maria).codes_left == len(others) == 9


def test_guessing_ends_after_a_hundred_tries_a_day(cast: Cast, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factors, "TRIES", 3)
    client = Client()
    _password(client, "tom@example.org")
    assert not any(_second_step(client, "000000") for _ in range(3))
    cache.clear()  # allauth's own brake lives there
    assert not _second_step(client, code_of(SEED))
    clock.move(hours=25)
    assert _sign_in("tom@example.org", code_of(SEED))


def test_a_wrong_code_is_written_down_and_its_owner_warned_once(client: Client, cast: Cast) -> None:
    _password(client, "tom@example.org")
    for _ in range(2):
        _second_step(client, "000000")
    events = AuditEvent.objects.filter(action=Action.FACTOR_FAILED)
    assert [event.record_id for event in events] == [cast.tom.record.pk] * 2
    assert [letter.to for letter in Letter.objects.all()] == ["tom@example.org"]


def test_a_new_password_by_letter_does_not_skip_the_second_step(client: Client, cast: Cast) -> None:
    client.post(reverse("account_reset_password"), {"email": "tom@example.org"})
    link = re.search(r"https?://\S+", Letter.objects.get().text)
    assert link
    form = client.get(urlsplit(link[0]).path, follow=True)
    new = "a brook in the hills"
    client.post(form.redirect_chain[-1][0], {"password1": new, "password2": new})
    assert "_auth_user_id" not in client.session
    assert _password(Client(), "tom@example.org", new).headers["Location"] == reverse("mfa_authenticate")


# --- What is kept -------------------------------------------------------------------------------------


def test_seeds_are_sealed_under_the_master_key(client: Client, cast: Cast) -> None:
    _password(client, cast.maria.email)
    seed = _set_up(client)
    adapter = get_adapter()
    for kept in Authenticator.objects.filter(user=cast.maria):
        assert seed not in str(kept.data)
    sealed = Authenticator.objects.get(user=cast.maria, type="totp").data["secret"]
    assert adapter.decrypt(sealed) == seed
    assert adapter.encrypt(seed) != adapter.encrypt(seed)
    with override_settings(MASTER_KEY=OTHER_MASTER_KEY), pytest.raises(InvalidTag):
        adapter.decrypt(sealed)
    with pytest.raises(InvalidTag):
        adapter.decrypt(sealed[:-4] + "AAA=")


def test_somebody_who_lost_hers_is_helped_and_told(client: Client, cast: Cast) -> None:
    client.force_login(cast.tom)
    factors.drop(cast.tom, actor=Actor.operator())
    assert factors.of(cast.tom) == Factors(app=False, passkeys=0, codes_left=0)
    assert client.get(reverse("account_overview")).status_code == 302
    assert AuditEvent.objects.get(action=Action.FACTOR_REMOVED).actor_kind == "operator"
    assert Letter.objects.get().template == "account/email/factors_dropped"
    fresh = Client()
    _password(fresh, "tom@example.org")
    assert fresh.get(reverse("home")).headers["Location"] == reverse("second_factor")


def test_removing_an_app_asks_who_it_is_and_is_written_down(client: Client, cast: Cast) -> None:
    an_app(cast.maria)
    client.force_login(cast.maria)
    assert reverse("account_reauthenticate") in client.post(reverse("mfa_deactivate_totp")).headers["Location"]
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    assert client.get(reverse("mfa_deactivate_totp")).status_code == 200
    assert client.post(reverse("mfa_deactivate_totp")).headers["Location"] == reverse("mfa_index")
    assert AuditEvent.objects.get(action=Action.FACTOR_REMOVED).detail == {"factor": "totp"}
    assert Letter.objects.get().template == "mfa/email/totp_deactivated"
