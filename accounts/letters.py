"""Letters by e-mail, see `accounts.outbox`. One that is sent twice carries the same Message-ID both times.

One voice for all of them. A letter is `<template>_subject.txt` and `<template>_message.txt`, which extends
`emails/base.txt`; the HTML is made of the same words. Neither subject nor words nor links name a patient or a study.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from smtplib import SMTPRecipientsRefused
from typing import Any, Final, Literal
from urllib.parse import urlsplit
from uuid import UUID

from celery import current_app
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models import QuerySet
from django.template.loader import render_to_string

from accounts.models import Letter
from accounts.outbox import WayOut

DELIVER: Final = "accounts.deliver_letter"  # the task's name: whoever rings need not import it

_CODE = re.compile(r"[A-Z0-9]+(-[A-Z0-9]+)*")


@dataclass(frozen=True)
class Block:
    """A part of a letter: a paragraph, a link with its label in `text`, or a code to type."""

    kind: Literal["text", "link", "code"]
    text: str
    url: str = ""


def write(to: str, template: str, context: Mapping[str, Any] | None = None) -> Letter:
    """Put a letter into the outbox, in the caller's transaction: it goes out if the deed stands.

    `template` is the common beginning of its two files, such as "sharing/email/invitation". They also get
    `site_name` and `site_url`.
    """
    values = {"site_name": "Lightbox", "site_url": settings.PUBLIC_URL, **(context or {})}
    subject = " ".join(render_to_string(f"{template}_subject.txt", values).split())
    text = re.sub(r"\n\s*\n", "\n\n", render_to_string(f"{template}_message.txt", values).strip()) + "\n"
    html = render_to_string("emails/base.html", {**values, "subject": subject, "blocks": blocks(text)})
    with transaction.atomic():
        letter = Letter.objects.create(to=to, template=template, subject=subject, text=text, html=html)
        transaction.on_commit(lambda: ring(letter.pk), robust=True)  # a broker that is away is only logged
    return letter


def blocks(text: str) -> list[Block]:
    """A letter's text by its parts, which blank lines separate.

    Lines that end with an address are a link: "Choose a new password:" over an address becomes a button that says
    so. A line of capitals and digits alone is a code.
    """
    return [_block(part.split("\n")) for part in re.split(r"\n\s*\n", text.strip())]


def _block(lines: list[str]) -> Block:
    if lines[-1].startswith(("https://", "http://")):
        return Block("link", " ".join(lines[:-1]).rstrip(": "), lines[-1].strip())
    words = " ".join(lines)
    return Block("code" if _CODE.fullmatch(words) else "text", words)


def ring(letter_id: UUID) -> None:
    """Tell the worker of a letter; worth nothing more than the seconds until `deliver_due` finds it."""
    current_app.send_task(DELIVER, [str(letter_id)], expires=60)


def deliver_due() -> None:
    """Send whatever is due: letters whose bell was lost, and those to be tried again."""
    OUT.deliver_due()


def deliver(letter_id: UUID) -> bool:
    """Send one letter, see `WayOut.deliver`."""
    return OUT.deliver(letter_id)


def undelivered() -> QuerySet[Letter]:
    """Letters that were tried in vain, those that were given up or came back among them, the oldest first."""
    return Letter.objects.exclude(failure="").order_by("created_at")


def newest(count: int) -> QuerySet[Letter]:
    """The letters written last, sent or not."""
    return Letter.objects.order_by("-created_at")[:count]


def _message(letter: Letter) -> EmailMultiAlternatives:
    headers = {
        "Message-ID": f"<{letter.pk}@{urlsplit(settings.PUBLIC_URL).hostname}>",
        "Auto-Submitted": "auto-generated",  # RFC 3834: holiday notices stay at home
    }
    envelope = settings.BOUNCES_TO or None  # whoever cannot deliver it writes there, and not to nobody
    if envelope:
        headers["From"] = settings.DEFAULT_FROM_EMAIL
    message = EmailMultiAlternatives(letter.subject, letter.text, envelope, to=[letter.to], headers=headers)
    message.attach_alternative(letter.html, "text/html")
    return message


def _is_refused(error: OSError) -> bool:
    """Whether the mail server speaks of this address alone."""
    return isinstance(error, SMTPRecipientsRefused)


def _is_final(error: OSError) -> bool:
    """Whether the server said for good that it knows no such address (RFC 5321 §4.2.1: replies 5yz)."""
    return isinstance(error, SMTPRecipientsRefused) and all(code >= 500 for code, _ in error.recipients.values())


def _send(letter: Letter) -> None:
    _message(letter).send()


OUT: Final = WayOut(Letter, _send, _is_refused, _is_final, emptied={"text": "", "html": ""})
