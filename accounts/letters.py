"""The outbox: letters are rows, written with the deed that they tell of and sent by the worker afterwards.

No mail server can make a deed fail or slow, and none that is away loses a letter. A worker that dies between sending
a letter and saying so sends it again: twice is better than never, and both carry the same Message-ID.

One voice for all of them. A letter is `<template>_subject.txt` and `<template>_message.txt`, which extends
`emails/base.txt`; the HTML is made of the same words. Neither subject nor words nor links name a patient or a study.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from smtplib import SMTPRecipientsRefused
from typing import Any, Final, Literal
from urllib.parse import urlsplit
from uuid import UUID

from celery import current_app
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.template.loader import render_to_string
from django.utils import timezone

from accounts.models import Letter

logger = logging.getLogger("lightbox.letters")

DELIVER: Final = "accounts.deliver_letter"  # the task's name: whoever rings need not import it

HOLD: Final = timedelta(minutes=2)  # longer than a mail server may take (EMAIL_TIMEOUT, a few times over)
FIRST_PAUSE: Final = timedelta(seconds=30)
LONGEST_PAUSE: Final = timedelta(hours=4)
PATIENCE: Final = timedelta(days=3)
KEPT: Final = timedelta(days=30)
SENT_AT_ONCE: Final = 50

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
    """Send whatever is due: letters whose bell was lost, and those to be tried again.

    Stops at the first that the server does not take: while it is away, a worker that waits for it once for each
    letter would do nothing else.
    """
    for letter_id in _due().order_by("due_at").values_list("pk", flat=True)[:SENT_AT_ONCE]:
        if not deliver(letter_id):
            return


def deliver(letter_id: UUID) -> bool:
    """Send one letter; nothing when it is sent, given up, not due, or in somebody else's hands.

    Whether the server is well, as far as this letter tells.
    """
    now = timezone.now()
    if not _due().filter(pk=letter_id).update(due_at=now + HOLD, attempts=F("attempts") + 1):
        return True
    letter = Letter.objects.get(pk=letter_id)
    try:
        _message(letter).send()
    except OSError as error:  # whatever smtplib and the network raise
        _put_off(letter, error)
        return isinstance(error, SMTPRecipientsRefused)
    _settle(letter, sent_at=timezone.now(), failure="")
    return True


def undelivered() -> QuerySet[Letter]:
    """Letters that were tried in vain, those that were given up among them, the oldest first."""
    return Letter.objects.filter(sent_at=None).exclude(failure="").order_by("created_at")


def newest(count: int) -> QuerySet[Letter]:
    """The letters written last, sent or not."""
    return Letter.objects.order_by("-created_at")[:count]


def forget_sent() -> int:
    """Delete letters that were settled long ago. Returns how many went."""
    past = timezone.now() - KEPT
    return Letter.objects.filter(Q(sent_at__lt=past) | Q(failed_at__lt=past)).delete()[0]


def _due() -> QuerySet[Letter]:
    return Letter.objects.filter(sent_at=None, failed_at=None, due_at__lte=timezone.now())


def _message(letter: Letter) -> EmailMultiAlternatives:
    headers = {
        "Message-ID": f"<{letter.pk}@{urlsplit(settings.PUBLIC_URL).hostname}>",
        "Auto-Submitted": "auto-generated",  # RFC 3834: holiday notices stay at home
    }
    message = EmailMultiAlternatives(letter.subject, letter.text, to=[letter.to], headers=headers)
    message.attach_alternative(letter.html, "text/html")
    return message


def _put_off(letter: Letter, error: OSError) -> None:
    """Try again later and later; give up after three days, or at once when there is no such mailbox."""
    failure, now = type(error).__name__, timezone.now()
    due_at = now + min(FIRST_PAUSE * 2 ** min(letter.attempts - 1, 16), LONGEST_PAUSE)
    if _is_final(error) or due_at > letter.created_at + PATIENCE:
        logger.error("letter %s (%s) is given up: %s", letter.pk, letter.template, failure)
        _settle(letter, failed_at=now, failure=failure)
        return
    logger.warning("letter %s (%s) waits: %s", letter.pk, letter.template, failure)
    Letter.objects.filter(pk=letter.pk).update(due_at=due_at, failure=failure)


def _is_final(error: OSError) -> bool:
    """Whether the server said for good that it knows no such address (RFC 5321 §4.2.1: replies 5yz)."""
    return isinstance(error, SMTPRecipientsRefused) and all(code >= 500 for code, _ in error.recipients.values())


def _settle(letter: Letter, **outcome: Any) -> None:
    """Say how it ended, and forget the words."""
    words = {} if settings.DEMO else {"text": "", "html": ""}
    Letter.objects.filter(pk=letter.pk).update(**outcome, **words)
