"""The body of a request as the server hands it over, read once and never held.

Django's request drops chunked bodies without a word (it reads as many bytes as Content-Length says, and there is
none), and DRF's parsers do so everywhere. So this reads the server's own stream.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Final, cast

from django.core.handlers.wsgi import LimitedStream, WSGIRequest
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.errors import BadRequest, PortalError

BLOCK: Final = 256 * 1024
DRAINED: Final = 64 * 2**20
"""The most bytes read of a body that nobody wants, so that its sender comes to read the answer."""
DRAINING: Final = 10.0
"""Seconds for that, at most."""
FIRST_READ: Final = 256
STEP: Final = 32
"""How many times as much is asked for next, of a sender that keeps up."""
WANTED_PACE: Final = 0.25
"""Seconds a read may take before the next one asks for less."""
GRACE: Final = 60.0
"""Seconds of waiting over which a body's pace is judged: a line may be bad for a while."""
LEAST: Final = 60 * 1024
"""Bytes that come in that time, or the body is ended."""


class LengthRequired(PortalError):
    """The server in front of us cannot tell where the body ends."""

    status, code = 411, "length_required"
    message = _("This server cannot read a body without a Content-Length.")
    hint = _("Send a Content-Length.")


class Encoded(PortalError):
    """Bodies are not unpacked here: a few bytes may unpack to a disk full."""

    status, code = 415, "content_encoding"
    message = _("Bodies with a Content-Encoding are not taken.")
    hint = _("Send the body as it is, without compressing it.")


class BrokenOff(BadRequest):
    """The sender went away."""

    code = "broken_off"
    message = _("The request ended before its end.")
    hint = _("Send it again.")


class TooSlow(PortalError):
    """A thread of the server is worth more than such a body."""

    status, code = 408, "too_slow"
    message = _("The request came too slowly: less than 1 KiB a second for a minute.")
    hint = _("Check the line and send it again.")


class Body:
    """A stream of bytes whose end is known, and which must not take for ever.

    A server's `read(n)` may wait until all n bytes are there, and nothing can interrupt it. So little is asked of a
    sender at first and as long as it is slow, and the clock is looked at in between.
    """

    def __init__(self, request: HttpRequest) -> None:
        environ = cast(WSGIRequest, request).environ
        self.expected = _length(environ.get("CONTENT_LENGTH"))
        """Bytes announced; 0 when not known."""
        self.size = 0
        """Bytes read so far."""
        self._most = FIRST_READ
        self._waited = 0.0
        self._came = 0
        self._encoding = request.headers.get("Content-Encoding", "").strip().lower()
        # The server ends the stream itself (Granian, gunicorn), or its length does; without one there is no body.
        self._has_end = bool(environ.get("wsgi.input_terminated") or "HTTP_TRANSFER_ENCODING" not in environ)
        source = environ["wsgi.input"]
        self._source = source if environ.get("wsgi.input_terminated") else LimitedStream(source, self.expected)

    def check(self) -> None:
        """Raises `LengthRequired` or `Encoded` for a body that cannot be read."""
        if not self._has_end:
            raise LengthRequired
        if self._encoding not in ("", "identity"):
            raise Encoded

    def read(self, count: int) -> bytes:
        """Return at most `count` bytes, b"" at the end. Raises `BrokenOff`, `TooSlow`."""
        asked = time.monotonic()
        try:
            block: bytes = self._source.read(min(count, self._most))
        except OSError as error:
            raise BrokenOff from error
        self._keep_pace(len(block), time.monotonic() - asked)
        return block

    def _keep_pace(self, count: int, waited: float) -> None:
        self.size += count
        self._came += count
        self._waited += waited
        self._most = min(BLOCK, self._most * STEP) if waited < WANTED_PACE else max(FIRST_READ, self._most // STEP)
        if self._waited >= GRACE:
            if self._came < LEAST:
                raise TooSlow
            self._waited, self._came = 0.0, 0

    def finish(self) -> None:
        """Pass over what follows the last part (RFC 2046 §5.1.1). Raises `BrokenOff` when bytes that were announced
        did not come."""
        self.drain()
        if self.size < self.expected:
            raise BrokenOff

    def drain(self) -> None:
        """Read on for a while: a connection closed on a talking sender loses our answer."""
        end, until = self.size + DRAINED, time.monotonic() + DRAINING
        with suppress(BrokenOff, TooSlow):
            while self.size < end and time.monotonic() < until and self.read(BLOCK):
                pass


def _length(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 0
