from __future__ import annotations

import re
from datetime import timedelta

from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import people, tasks
from accounts.audit import Action
from accounts.hashing import Argon2id
from accounts.models import AuditEvent, Letter, User
from portal import settings
from tests.cast import BORN, PASSWORD, Cast, person


def _sign_in(client: Client, email: str, password: str = PASSWORD) -> int:
    return client.post(reverse("account_login"), {"login": email, "password": password}).status_code


def _events(action: Action) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action=action))


def test_signing_in_and_out_is_written_down(client: Client, cast: Cast) -> None:
    assert _sign_in(client, "maria@example.org") == 302
    client.post(reverse("account_logout"))
    for action in (Action.SIGNED_IN, Action.SIGNED_OUT):
        (event,) = _events(action)
        assert (event.actor_id, event.record_id) == (str(cast.maria.pk), cast.maria.record.pk)


def test_a_failure_is_written_down_without_what_was_typed(client: Client, cast: Cast) -> None:
    assert _sign_in(client, "Maria@example.org", "wrong") == 200
    assert _sign_in(client, "my-secret-typed-in-the-wrong-box@example.org", "wrong") == 200
    known, unknown = _events(Action.SIGN_IN_FAILED)
    assert (known.actor_kind, known.record_id) == ("nobody", cast.maria.record.pk)
    assert (unknown.record_id, unknown.detail, unknown.actor_label) == (None, {}, "")


def test_every_failed_sign_in_looks_the_same(cast: Cast) -> None:
    User.objects.filter(pk=person("ulrik@example.org").pk).update(is_active=False)

    def answer(email: str) -> tuple[int, str, list[tuple[str, str]]]:
        failed = Client().post(reverse("account_login"), {"login": email, "password": "wrong"})
        page = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", failed.content.decode())
        headers = {name: value for name, value in failed.headers.items() if name != "Expires"}  # the second it was said
        return failed.status_code, page.replace(email, ""), sorted(headers.items())

    known, unknown, inactive = map(answer, ("maria@example.org", "nadia@example.org", "ulrik@example.org"))
    assert known == unknown == inactive


def test_passwords_are_kept_by_argon2id() -> None:
    kept = Argon2id().encode("a quiet lake in autumn", "0123456789abcdef")
    assert kept.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert settings.PASSWORD_HASHERS[0] == "accounts.hashing.Argon2id", "the site's own, not the tests'"


def test_a_new_password_ends_other_sessions_and_is_written_down(cast: Cast) -> None:
    here, there = Client(), Client()
    for client in (here, there):
        _sign_in(client, "maria@example.org")
    new = "another quiet lake in spring"
    answer = here.post(
        reverse("account_change_password"), {"oldpassword": PASSWORD, "password1": new, "password2": new}
    )
    assert answer.status_code == 302
    assert here.get(reverse("account_overview")).status_code == 200
    assert there.get(reverse("account_overview")).status_code == 302
    assert len(_events(Action.PASSWORD_CHANGED)) == 1
    assert [letter.subject for letter in Letter.objects.all()] == ["Your password was changed"]


def test_other_sessions_end_at_once(cast: Cast) -> None:
    here, there = Client(), Client()
    for client in (here, there):
        client.force_login(cast.maria)
    assert here.post(reverse("account_overview"), {"end_sessions": "yes"}).status_code == 302
    assert here.get(reverse("account_overview")).status_code == 200
    assert there.get(reverse("account_overview")).status_code == 302
    assert len(_events(Action.SESSIONS_ENDED)) == 1


def test_an_account_page_shows_ones_own_details(client: Client, cast: Cast) -> None:
    people.change_details(cast.maria, name="Maria Example", birth_date=BORN)
    client.force_login(cast.maria)
    page = client.get(reverse("account_overview")).content.decode()
    for shown in ("maria@example.org", "Maria Example", "1980"):
        assert shown in page


def test_details_are_saved_or_refused(client: Client, cast: Cast) -> None:
    client.force_login(cast.eve)
    form = {"name": "Eve", "birth_day": "1", "birth_month": "2", "birth_year": "1990"}
    assert client.post(reverse("account_overview"), form).status_code == 302
    assert client.post(reverse("account_overview"), form | {"birth_day": "40"}).status_code == 422
    record = people.record_of(cast.eve)
    record.refresh_from_db()
    assert (record.name, str(record.birth_date)) == ("Eve", "1990-02-01")


def test_wrong_passwords_stay_counted_on_a_busy_site(cast: Cast) -> None:
    def is_refused(number: int) -> bool:
        failed = Client(REMOTE_ADDR=f"192.0.2.{number}").post(
            reverse("account_login"), {"login": "maria@example.org", "password": "wrong"}
        )
        return "Too many failed login attempts" in failed.content.decode()

    assert [is_refused(number) for number in range(6)] == [*[False] * 5, True]
    for number in range(400):
        cache.set(f"somebody-{number}", "who signed in", 3600)
    assert is_refused(7)


def test_ended_sessions_are_deleted(client: Client, cast: Cast) -> None:
    for email in ("maria@example.org", "eve@example.org"):
        _sign_in(Client(), email)
    past = timezone.now() - timedelta(minutes=1)
    ended = Session.objects.order_by("pk").first()
    Session.objects.filter(pk=ended and ended.pk).update(expire_date=past)
    tasks.forget()
    assert Session.objects.count() == 1
