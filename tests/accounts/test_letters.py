from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from smtplib import SMTPRecipientsRefused, SMTPServerDisconnected
from typing import Any
from unittest.mock import patch

import allauth
import pytest
from django.conf import settings
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.template.loader import get_template
from django.test import Client, override_settings
from django.urls import reverse

from accounts import letters, outbox
from accounts.letters import Block
from accounts.models import Letter
from tests.at_once import at_once
from tests.conftest import Clock

TEMPLATES = Path(settings.BASE_DIR) / "templates"
THEIRS = Path(allauth.__file__).parent / "templates"  # what allauth brings, ours go before
NEVER_SENT = {"account/email/base", "account/email/login_code", "account/email/password_reset_code"}
FOUND = [
    *TEMPLATES.glob("*/email/*_message.txt"),
    *(path for app in ("account", "mfa") for path in (THEIRS / app / "email").glob("*_message.txt")),
]
LETTERS = sorted({"/".join(path.parts[-3:]).removesuffix("_message.txt") for path in FOUND} - NEVER_SENT)
LINKS = ("password_reset_url", "signup_url", "url")
IDENTITY = ("ZEBRAFISH", "nora@example.org", "192.0.2.7", "Firefox")


def _written() -> Letter:
    return letters.write("nora@example.org", "sharing/email/unlinked")


def _failing(error: Exception) -> Any:
    return patch.object(EmailMultiAlternatives, "send", side_effect=error)


# --- What letters say ---------------------------------------------------------------------------------


@pytest.mark.parametrize("template", LETTERS)
def test_every_letter_has_one_voice_and_names_nobody(db: None, template: str) -> None:
    """Whatever context allauth or a caller gives along, nothing of a person reaches subject, text, HTML or links."""
    context = dict.fromkeys(LINKS, "https://images.example.org/there") | {
        "user": "ZEBRAFISH",
        "name": "ZEBRAFISH",
        "email": "nora@example.org",
        "from_email": "nora@example.org",
        "to_email": "nora@example.org",
        "deleted_email": "nora@example.org",
        "ip": "192.0.2.7",
        "user_agent": "Firefox",
        "code": "ABCD-EFGH",
    }
    letter = letters.write("nora@example.org", template, context)
    assert letter.subject == letter.subject.strip() != ""
    assert letter.text.startswith("Hello,")
    assert "never asks for your password" in letter.text
    for said in (letter.subject, letter.text, letter.html):
        assert not [word for word in IDENTITY if word in said]
    assert "{" not in letter.subject + letter.text
    assert "\n\n\n" not in letter.text


@pytest.mark.parametrize("template", LETTERS)
def test_no_subject_is_filled_in(template: str) -> None:
    subject = get_template(f"{template}_subject.txt")
    assert "{{" not in subject.template.source  # type: ignore[attr-defined]


def test_a_text_is_read_as_paragraphs_links_and_codes() -> None:
    text = "Hello,\n\nType this:\n\nABCD-EFGH\n\nChoose a new\npassword:\nhttps://a.example/b#c\n\nhttps://a.example/\n"
    assert letters.blocks(text) == [
        Block("text", "Hello,"),
        Block("text", "Type this:"),
        Block("code", "ABCD-EFGH"),
        Block("link", "Choose a new password", "https://a.example/b#c"),
        Block("link", "", "https://a.example/"),
    ]


def test_the_html_says_the_same_words_and_escapes_them(db: None) -> None:
    letter = letters.write(
        "n@example.org", "account/email/password_reset_key", {"password_reset_url": 'https://a/"<i>'}
    )
    assert 'https://a/"<i>' in letter.text
    assert "<i>" not in letter.html
    assert '<a class="button" href="https://a/&quot;&lt;i&gt;">Choose a new password</a>' in letter.html
    assert not re.findall(r"(?:src|href)=\"(?!https://a/)", letter.html), "a letter loads nothing"


# --- How they leave -----------------------------------------------------------------------------------


def test_a_letter_goes_out_once_and_is_forgotten(db: None) -> None:
    letter = _written()
    letters.deliver(letter.pk)
    letters.deliver(letter.pk)
    letters.deliver_due()
    (message,) = mail.outbox
    assert isinstance(message, EmailMultiAlternatives)
    assert (message.to, message.subject, message.body) == ([letter.to], letter.subject, letter.text)
    assert [tuple(part) for part in message.alternatives] == [(letter.html, "text/html")]
    assert message.extra_headers["Message-ID"] == f"<{letter.pk}@127.0.0.1>"
    letter.refresh_from_db()
    assert letter.sent_at
    assert (letter.text, letter.html) == ("", "")


@override_settings(DEMO=True)
def test_the_demo_keeps_what_its_letter_box_shows(client: Client, db: None) -> None:
    letter = _written()
    letters.deliver_due()
    letter.refresh_from_db()
    assert letter.sent_at
    page = client.get(reverse("demo_mail")).content.decode()
    assert letter.subject in page
    assert "another account has used it" in page
    assert ">See your images</a>" in page


def test_a_deed_undone_sends_nothing(transactional_db: None) -> None:
    with patch.object(letters, "ring") as ring, transaction.atomic():
        _written()
        transaction.set_rollback(True)
    assert not ring.called
    assert not Letter.objects.exists()


def test_the_worker_hears_of_a_letter_by_its_id_alone(db: None, django_capture_on_commit_callbacks: Any) -> None:
    with patch("accounts.letters.current_app.send_task") as sent, django_capture_on_commit_callbacks(execute=True):
        letter = _written()
    assert sent.call_args.args == ("accounts.deliver_letter", [str(letter.pk)])


def test_a_broker_that_is_away_fails_no_deed(db: None, django_capture_on_commit_callbacks: Any) -> None:
    away = patch("accounts.letters.current_app.send_task", side_effect=OSError)
    with away, django_capture_on_commit_callbacks(execute=True):
        _written()
    letters.deliver_due()
    assert len(mail.outbox) == 1


def test_a_letter_is_tried_later_and_later_and_given_up_after_three_days(db: None, clock: Clock) -> None:
    letter, tries = _written(), 0
    with _failing(SMTPServerDisconnected()) as send:
        while not Letter.objects.get(pk=letter.pk).failed_at:
            letters.deliver_due()
            tries += 1
            pause = Letter.objects.get(pk=letter.pk).due_at - clock.now()
            assert pause <= outbox.LONGEST_PAUSE
            clock.shift += max(pause, timedelta(seconds=1))
            assert tries < 100
    assert 20 < send.call_count == tries
    letter.refresh_from_db()
    assert letter.failure == "SMTPServerDisconnected"
    assert timedelta(days=2, hours=16) < clock.shift < timedelta(days=3, hours=4)
    assert list(letters.undelivered()) == [letter]
    letters.deliver_due()
    assert not mail.outbox


def test_a_letter_tried_in_vain_goes_out_when_the_server_is_back(db: None, clock: Clock) -> None:
    _written()
    with _failing(ConnectionRefusedError()):
        letters.deliver_due()
    letters.deliver_due()
    assert not mail.outbox
    clock.move(seconds=31)
    letters.deliver_due()
    assert len(mail.outbox) == 1
    assert not letters.undelivered()


def test_one_letter_finds_out_that_the_server_is_away(db: None) -> None:
    for _ in range(3):
        _written()
    with _failing(TimeoutError()) as send:
        letters.deliver_due()
    assert send.call_count == 1
    letters.deliver_due()
    assert len(mail.outbox) == 2


@pytest.mark.parametrize(("code", "given_up"), [(550, True), (450, False)])
def test_an_address_that_does_not_exist_is_given_up_at_once(db: None, code: int, given_up: bool) -> None:
    letter = _written()
    with _failing(SMTPRecipientsRefused({letter.to: (code, b"no such mailbox")})):
        letters.deliver_due()
    letter.refresh_from_db()
    assert bool(letter.failed_at) is given_up


def test_a_worker_that_dies_leaves_its_letter_to_the_next(db: None, clock: Clock) -> None:
    letter = _written()
    with _failing(SystemExit()), pytest.raises(SystemExit):  # type: ignore[arg-type]
        letters.deliver(letter.pk)
    letters.deliver_due()
    assert not mail.outbox
    clock.move(minutes=3)
    letters.deliver_due()
    assert len(mail.outbox) == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_sends(transactional_db: None) -> None:
    letter = _written()
    with patch.object(EmailMultiAlternatives, "send") as send:
        at_once([lambda: letters.deliver(letter.pk)] * 8)
    assert send.call_count == 1


def test_settled_letters_are_deleted_after_a_while(db: None, clock: Clock) -> None:
    _written()
    letters.deliver_due()
    clock.move(days=29)
    waiting = _written()
    assert letters.OUT.forget_settled() == 0
    clock.move(days=2)
    assert letters.OUT.forget_settled() == 1
    assert list(Letter.objects.all()) == [waiting]
