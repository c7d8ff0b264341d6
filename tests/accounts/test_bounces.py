"""Letters that come back, as mail servers return them."""

from __future__ import annotations

import io
import smtplib
import socketserver
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import call_command
from pytest_django import Settings

from accounts import bounces, letters, outbox
from accounts.models import Letter

pytestmark = pytest.mark.django_db


def returned(
    letter_id: UUID | str, *, action: str = "failed", status: str = "5.1.1", whole: bool = True, report: bool = True
) -> bytes:
    """What a mail server writes to the sender of a letter (RFC 3464 §2)."""
    original = EmailMessage()
    original["Message-ID"], original["Subject"] = f"<{letter_id}@images.example.org>", "New images are ready for you"
    original.set_content("Hello,")
    message = EmailMessage()
    message["From"], message["To"] = "MAILER-DAEMON@example.org", "bounces@images.example.org"
    message["Subject"] = "Undelivered Mail Returned to Sender"
    message.set_content("The mail system does not know this mailbox.")
    message.make_mixed()
    about = f"Reporting-MTA: dns; mx.example.org\n\nFinal-Recipient: rfc822; x@example.org\nAction: {action}\n"
    status_part = message_from_bytes(
        f"Content-Type: message/delivery-status\n\n{about}Status: {status}\n".encode(), policy=policy.default
    )
    message.attach(status_part)
    if whole:
        message.attach(
            message_from_bytes(b"Content-Type: message/rfc822\n\n" + original.as_bytes(), policy=policy.default)
        )
    else:
        headers = f"Content-Type: text/rfc822-headers\n\nMessage-ID: {original['Message-ID']}\nSubject: x\n"
        message.attach(message_from_bytes(headers.encode(), policy=policy.default))
    kind = 'multipart/report; report-type="delivery-status"' if report else "multipart/mixed"
    boundary = "=_a_boundary"
    message.set_boundary(boundary)
    return message.as_bytes().replace(b"multipart/mixed", kind.encode(), 1)


def a_letter() -> Letter:
    letter = letters.write("nobody@example.org", "sharing/email/unlinked")
    letters.deliver(letter.pk)
    return letter


@pytest.mark.parametrize("whole", [True, False])
def test_a_letter_that_came_back_says_so(whole: bool) -> None:
    letter = a_letter()
    assert bounces.take(returned(letter.pk, whole=whole))
    letter.refresh_from_db()
    assert (letter.failure, letter.failed_at is not None) == ("5.1.1", True)
    assert list(letters.undelivered()) == [letter]


def test_whoever_waits_for_it_is_told_once() -> None:
    told: list[tuple[Any, str, str]] = []

    def hear(message_id: UUID, outcome: str, trouble: str, **_: Any) -> None:
        told.append((message_id, outcome, trouble))

    outbox.settled.connect(hear)
    try:
        letter = a_letter()
        assert [bounces.take(returned(letter.pk)) for _ in range(2)] == [True, False]
    finally:
        outbox.settled.disconnect(hear)
    assert told == [(letter.pk, "sent", ""), (letter.pk, "bounced", "5.1.1")]


@pytest.mark.parametrize(
    "changes", [{"action": "delayed", "status": "4.4.1"}, {"action": "delivered"}, {"report": False}]
)
def test_what_is_only_late_or_was_delivered_is_none(changes: dict[str, Any]) -> None:
    letter = a_letter()
    assert not bounces.take(returned(letter.pk, **changes))
    letter.refresh_from_db()
    assert letter.failed_at is None


@pytest.mark.parametrize(
    "received",
    [b"", b"\xff" * 100, b"Subject: I am on holiday\n\nBack on Monday.", returned("no-id"), returned(uuid4())],
)
def test_whatever_else_comes_is_nothing(received: bytes) -> None:
    assert not bounces.take(received)


def test_a_status_that_is_none_is_still_a_failure() -> None:
    letter = a_letter()
    assert bounces.take(returned(letter.pk, status="bad"))
    letter.refresh_from_db()
    assert letter.failure == "5.0.0"


class _Mailbox(socketserver.StreamRequestHandler):
    """The least of an SMTP server (RFC 5321): it takes whatever comes."""

    def handle(self) -> None:
        self.say("220 mx.example.org")
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb.startswith(b"MAIL"):
                self.server.senders.append(line.decode())  # type: ignore[attr-defined]
            if verb == b"DATA":
                self.say("354 go on")
                self.server.received.append(self.body())  # type: ignore[attr-defined]
            if verb == b"QUIT":
                self.say("221 bye")
                return
            self.say("250 ok")

    def body(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        return b"".join(lines)

    def say(self, words: str) -> None:
        self.wfile.write(f"{words}\r\n".encode())


@pytest.fixture
def server() -> Iterator[Any]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Mailbox) as running:
        running.senders, running.received = [], []  # type: ignore[attr-defined]
        running.daemon_threads = True
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_from_the_mail_server_and_back(server: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A letter leaves by SMTP; the server takes it, finds no such mailbox, and writes to the address on the envelope;
    whoever keeps that address pipes what comes to `manage.py bounces`."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = server.server_address
    settings.BOUNCES_TO = "bounces@images.example.org"
    letter = a_letter()
    letter.refresh_from_db()
    assert letter.sent_at
    (sent,) = server.received
    assert "bounces@images.example.org" in server.senders[0].lower()
    said = message_from_bytes(sent, policy=policy.default)
    assert "no-reply@" in said["From"]
    message_id = said["Message-ID"].strip("<>").partition("@")[0]
    with smtplib.SMTP(*server.server_address) as mta:
        mta.sendmail("", ["bounces@images.example.org"], returned(message_id))
    pipe = io.TextIOWrapper(io.BytesIO(server.received[1]))
    monkeypatch.setattr("sys.stdin", pipe)
    answer = io.StringIO()
    call_command("bounces", stdout=answer)
    assert answer.getvalue().startswith("Noted")
    letter.refresh_from_db()
    assert letter.failure == "5.1.1"
