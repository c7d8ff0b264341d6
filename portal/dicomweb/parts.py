"""The bodies of several parts (PS3.18 §8.6.1.2): exact to the CRLF, for clients take them apart by bytes."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.http import StreamingHttpResponse

from portal import delivery
from portal.dicomweb.forms import Form
from portal.riding import Given


@dataclass(frozen=True)
class Part:
    """One part: its media type with its transfer syntax, which stands unquoted, and its bytes."""

    media_type: str
    syntax: str
    length: int
    blocks: Iterable[bytes]

    @property
    def content_type(self) -> str:
        """As it stands in the part's header."""
        return f"{self.media_type}; transfer-syntax={self.syntax}" if self.syntax else self.media_type


def related(leave: delivery.Pass, parts: Iterable[Part], media_type: str) -> StreamingHttpResponse:
    """An answer of several parts of one type."""
    boundary = secrets.token_hex(16)
    return delivery.answer(leave, _written(parts, boundary), _type(media_type, boundary))


def alone(leave: delivery.Pass, part: Part, filename: str = "") -> StreamingHttpResponse:
    """An answer of one part, without its frame."""
    return delivery.answer(leave, part.blocks, part.content_type, length=part.length, filename=filename)


def given(form: Form, content: bytes) -> Given:
    """One frame for who rides, in its form."""
    if form.is_alone:
        return Given(content, form.content_type)
    boundary = secrets.token_hex(16)
    written = _written([Part(form.media_type, form.syntax, len(content), [content])], boundary)
    return Given(b"".join(written), _type(form.media_type, boundary))


def _type(media_type: str, boundary: str) -> str:
    return f'multipart/related; type="{media_type}"; boundary={boundary}'


def _written(parts: Iterable[Part], boundary: str) -> Iterator[bytes]:
    for part in parts:
        head = f"--{boundary}\r\nContent-Type: {part.content_type}\r\nContent-Length: {part.length}\r\n\r\n"
        yield head.encode("ascii")
        yield from part.blocks
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode("ascii")
