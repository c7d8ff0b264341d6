"""The body of a request as the server hands it over, read once and never held.

Django's request drops chunked bodies without a word (it reads as many bytes as Content-Length says, and there is
none), and DRF's parsers do so everywhere. So this reads the server's own stream.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final, cast

from django.core.handlers.wsgi import LimitedStream, WSGIRequest
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.errors import BadRequest, PortalError

BLOCK: Final = 256 * 1024
DRAINED: Final = 64 * 2**20
"""The most bytes read of a body that nobody wants, so that its sender comes to read the answer."""


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


class Body:
    """A stream of bytes whose end is known."""

    def __init__(self, request: HttpRequest) -> None:
        environ = cast(WSGIRequest, request).environ
        self.expected = _length(environ.get("CONTENT_LENGTH"))
        """Bytes announced; 0 when not known."""
        self.size = 0
        """Bytes read so far."""
        self._encoding = request.headers.get("Content-Encoding", "").strip().lower()
        # The server ends the stream itself (Granian, gunicorn), or the number of its bytes must be known.
        is_chunked = "HTTP_TRANSFER_ENCODING" in environ
        self._has_end = bool(environ.get("wsgi.input_terminated") or (self.expected and not is_chunked))
        source = environ["wsgi.input"]
        self._source = source if environ.get("wsgi.input_terminated") else LimitedStream(source, self.expected)

    def check(self) -> None:
        """Raises `LengthRequired` or `Encoded` for a body that cannot be read."""
        if not self._has_end:
            raise LengthRequired
        if self._encoding not in ("", "identity"):
            raise Encoded

    def read(self, count: int) -> bytes:
        """Return at most `count` bytes, b"" at the end. Raises `BrokenOff`."""
        try:
            block: bytes = self._source.read(count)
        except OSError as error:
            raise BrokenOff from error
        self.size += len(block)
        return block

    def finish(self) -> None:
        """Raises `BrokenOff` when fewer bytes came than were announced."""
        if self.size < self.expected:
            raise BrokenOff

    def drain(self) -> None:
        """Read on for a while: a connection closed on a talking sender loses our answer."""
        end = self.size + DRAINED
        with suppress(BrokenOff):
            while self.size < end and self.read(BLOCK):
                pass


def _length(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 0
