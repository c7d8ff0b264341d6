"""The demo's letter box: the mail that the embedded site would send, on a page that exists in the demo only."""

from __future__ import annotations

import email
import email.policy
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

LETTERS_SHOWN = 20
SEPARATOR = b"-" * 79 + b"\n"  # django.core.mail.backends.filebased ends each letter with it


@dataclass(frozen=True)
class Letter:
    """One letter."""

    to: str
    subject: str
    at: datetime
    body: str


def mail(request: HttpRequest) -> HttpResponse:
    """The newest letters."""
    files = sorted(Path(settings.MAIL_DIR).glob("*.log"), key=lambda path: path.stat().st_mtime, reverse=True)
    letters = [letter for path in files[:LETTERS_SHOWN] for letter in reversed(_letters(path))]
    return render(request, "portal/demo_mail.html", {"letters": letters[:LETTERS_SHOWN]})


def _letters(path: Path) -> list[Letter]:
    at = datetime.fromtimestamp(path.stat().st_mtime, tz=UTC)
    chunks = [chunk for chunk in path.read_bytes().split(SEPARATOR) if chunk.strip()]
    return [_letter(chunk, at) for chunk in chunks]


def _letter(raw: bytes, at: datetime) -> Letter:
    message = email.message_from_bytes(raw, EmailMessage, policy=email.policy.default)
    body = message.get_body(("plain",))
    return Letter(
        to=str(message["To"] or ""),
        subject=str(message["Subject"] or ""),
        at=at,
        body=body.get_content() if body else "",
    )
