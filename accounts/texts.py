"""Text messages to phones, see `accounts.outbox`: handed as JSON to whatever speaks to the phone network.

One address (TEXTS_URL) takes `{"id", "to", "text"}` by POST, with TEXTS_TOKEN as a bearer token: a provider's own API
behind a few lines, or a modem. Without it no texts are written.
"""

from __future__ import annotations

import json
from http.client import HTTPException
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener
from uuid import UUID

from celery import current_app
from django.conf import settings
from django.db import transaction

from accounts.models import Text
from accounts.outbox import WayOut

DELIVER: Final = "accounts.deliver_text"
SECONDS: Final = 10
_AGAIN: Final = (408, 425, 429)


def are_on() -> bool:
    """Whether anybody takes text messages."""
    return bool(settings.TEXTS_URL)


def write(to: str, words: str) -> Text:
    """Put a text into the outbox, in the caller's transaction: it goes out if the deed stands."""
    with transaction.atomic():
        text = Text.objects.create(to=to, words=words)
        transaction.on_commit(lambda: _ring(text.pk), robust=True)  # a broker that is away is only logged
    return text


def _ring(text_id: UUID) -> None:
    current_app.send_task(DELIVER, [str(text_id)], expires=60)


class _NoRedirects(HTTPRedirectHandler):
    """Whoever is told to send a number elsewhere does not."""

    def redirect_request(self, *_args: Any) -> None:
        return None


def _send(text: Text) -> None:
    body = json.dumps({"id": str(text.pk), "to": text.to, "text": text.words}).encode()
    headers = {"Content-Type": "application/json"}
    if settings.TEXTS_TOKEN:
        headers["Authorization"] = f"Bearer {settings.TEXTS_TOKEN}"
    try:
        with build_opener(_NoRedirects).open(Request(settings.TEXTS_URL, body, headers), timeout=SECONDS):  # noqa: S310
            pass  # the address is the operator's own
    except HTTPException as error:
        raise ConnectionError(type(error).__name__) from error


def _is_refused(error: OSError) -> bool:
    return isinstance(error, HTTPError) and 400 <= error.code < 500 and error.code not in (401, 403, *_AGAIN)


OUT: Final = WayOut(Text, _send, _is_refused, _is_refused, emptied={"words": ""})
