"""The bodies of several parts (PS3.18 §8.6.1.2): exact to the CRLF, for clients take them apart by bytes."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.http import StreamingHttpResponse
from django.utils.translation import gettext_lazy as _

from accounts.errors import PortalError
from portal import delivery, packing
from portal.dicomweb.forms import Form
from portal.riding import Given


class NotInThere(PortalError):
    """A range begins behind the last byte."""

    status, code = 416, "range_not_satisfiable"
    message = _("There are not so many bytes.")
    hint = _("Ask for a range that begins within them, or for the whole.")


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


def ranged(leave: delivery.Pass, content: bytes, media_type: str, said: str) -> StreamingHttpResponse:
    """Bytes, or the one range of them that was asked for (RFC 9110 §14.2); of several ranges all there is."""
    asked = _range(said, len(content))
    first, after = asked or (0, len(content))
    answer = delivery.answer(leave, packing.pieces(content[first:after]), media_type, length=after - first)
    answer.headers["Accept-Ranges"] = "bytes"
    if asked:
        answer.status_code = 206
        answer.headers["Content-Range"] = f"bytes {first}-{after - 1}/{len(content)}"
    return answer


def _range(said: str, length: int) -> tuple[int, int] | None:
    """Start and end of the range that a header means; None for one that is not understood. Raises NotInThere."""
    meant = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", said.strip(), re.ASCII)
    if not meant or meant[0] == "bytes=-" or (meant[1] and meant[2] and int(meant[1]) > int(meant[2])):
        return None
    if meant[1]:
        first, after = int(meant[1]), min(int(meant[2]) + 1 if meant[2] else length, length)
    else:
        first, after = max(length - int(meant[2]), 0), length
    if first >= after:
        raise NotInThere
    return first, after


def given(form: Form, pieces: list[bytes]) -> Given:
    """One frame for who rides, in its form; put together once, for that is most of its price."""
    if form.is_alone:
        return Given(b"".join(pieces), form.content_type)
    boundary = secrets.token_hex(16)
    part = Part(form.media_type, form.syntax, sum(map(len, pieces)), pieces)
    return Given(b"".join(_written([part], boundary)), _type(form.media_type, boundary))


def _type(media_type: str, boundary: str) -> str:
    return f'multipart/related; type="{media_type}"; boundary={boundary}'


def _written(parts: Iterable[Part], boundary: str) -> Iterator[bytes]:
    for part in parts:
        head = f"--{boundary}\r\nContent-Type: {part.content_type}\r\nContent-Length: {part.length}\r\n\r\n"
        yield head.encode("ascii")
        yield from part.blocks
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode("ascii")
