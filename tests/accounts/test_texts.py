"""Text messages: handed over once, tried again, given up."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pytest_django import Settings

from accounts import texts
from accounts.models import Text
from tests.conftest import Clock

pytestmark = pytest.mark.django_db


class _Phones(BaseHTTPRequestHandler):
    """Somebody who takes text messages, or says otherwise."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.taken.append((self.headers["Authorization"], body))  # type: ignore[attr-defined]
        self.send_response(self.server.answer)  # type: ignore[attr-defined]
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        """Quiet."""


@pytest.fixture
def phones(settings: Settings) -> Iterator[Any]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Phones) as running:
        running.taken, running.answer = [], 202  # type: ignore[attr-defined]
        settings.TEXTS_URL = f"http://127.0.0.1:{running.server_address[1]}/texts"
        settings.TEXTS_TOKEN = "a token"
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def deliver() -> Text:
    text = texts.write("+15551234567", "Lakeside Imaging: New images are ready for you.")
    texts.OUT.deliver(text.pk)
    text.refresh_from_db()
    return text


def test_a_text_is_handed_over_once_and_forgotten(phones: Any) -> None:
    text = deliver()
    texts.OUT.deliver(text.pk)
    ((token, body),) = phones.taken
    assert token == "Bearer a token"
    words = "Lakeside Imaging: New images are ready for you."
    assert body == {"id": str(text.pk), "to": "+15551234567", "text": words}
    assert text.sent_at
    assert text.words == ""


@pytest.mark.parametrize(
    ("answer", "is_given_up"), [(400, True), (404, True), (429, False), (503, False), (302, False)]
)
def test_what_is_refused_for_good_is_given_up_and_the_rest_tried_again(
    phones: Any, answer: int, is_given_up: bool, clock: Clock
) -> None:
    phones.answer = answer
    text = deliver()
    assert len(phones.taken) == 1, "and nobody follows to elsewhere"
    assert text.sent_at is None
    assert (text.failed_at is not None) is is_given_up
    phones.answer = 202
    clock.move(minutes=1)
    texts.OUT.deliver_due()
    text.refresh_from_db()
    assert (text.sent_at is None) is is_given_up


def test_a_wrong_token_loses_no_text(phones: Any) -> None:
    phones.answer = 401
    assert deliver().failed_at is None


def test_while_nobody_is_there_it_waits(settings: Settings) -> None:
    settings.TEXTS_URL = "http://127.0.0.1:9/"
    text = deliver()
    assert (text.sent_at, text.failed_at, text.failure) == (None, None, "URLError")
