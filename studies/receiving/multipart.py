"""Read a multipart/related request body as it arrives, part by part, never holding a body in memory.

The parsers at hand buffer (Django reads form-data only, `email` wants the whole message), and a study
is many gigabytes. So this is a scanner over blocks: look for the delimiter with `bytes.find`, hand out
what comes before it, keep back only as many bytes as a delimiter could straddle (RFC 2046 §5.1.1).

What real senders do rules what is accepted: quoted and bare boundaries, boundaries longer than the 70
characters RFC 2046 allows, a preamble or a bare CRLF before the first delimiter, nothing after the
last, parts without any header. Lines must end in CRLF: guessing at bare LF would let two readers of
one body see different parts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from django.utils.translation import gettext_lazy as _

from accounts.errors import PortalError

CRLF = b"\r\n"
DICOM = "application/dicom"

_PARAMETER = re.compile(r';\s*([\w!#$&^.+-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^";]*)')
_BOUNDARY = re.compile(r"[\x20-\x7e]{1,200}")


class WireError(PortalError):
    """A request body that cannot be taken. The words are English: programs read them, and log files."""

    hint = _("Correct the request and send it again.")

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class BadMultipart(WireError):
    """The body is not the multipart message its Content-Type promises."""

    status = 400


class UnsupportedMedia(WireError):
    """The body is of a type that is not taken here."""

    status = 415
    hint = _('Send multipart/related; type="application/dicom".')


@dataclass(frozen=True)
class Limits:
    """How much a sender may ask us to hold or do. Bytes of bodies are for the caller to count."""

    block: int = 256 * 1024
    """The most bytes read, held or handed out at once; more than `head` and any delimiter."""
    head: int = 8 * 1024
    """The most bytes of headers of one part."""
    preamble: int = 64 * 1024
    """The most bytes before the first delimiter."""
    parts: int = 100_000


class Part:
    """One part of a body: its headers, names in lower case, and its bytes, to be read once."""

    def __init__(self, headers: dict[str, str], take: Callable[[], bytes]) -> None:
        self.headers = headers
        self._take = take
        self._open = True

    def blocks(self) -> Iterator[bytes]:
        """Yield the body in blocks; nothing once the next part has been asked for.

        Raises `BadMultipart` when the request ends in the middle of the part: what was yielded
        until then is not the whole object.
        """
        return iter(self._next, b"")

    def drain(self) -> None:
        """Read past what is left of the body."""
        for _block in self.blocks():
            pass

    def _next(self) -> bytes:
        # Past the end the stream stands in the next part: never take from it again.
        block = self._take() if self._open else b""
        self._open = bool(block)
        return block


def media_type(value: str) -> tuple[str, dict[str, str]]:
    """Split a Content-Type into type and parameters, both in lower case but for parameter values.

    Values may be quoted or bare (RFC 9110 §5.6.6); a parameter given twice counts as first given.
    """
    name, semicolon, rest = value.partition(";")
    parameters: dict[str, str] = {}
    for key, raw in _PARAMETER.findall(semicolon + rest):
        parameters.setdefault(key.lower(), _unquote(raw.strip()))
    return name.strip().lower(), parameters


def parts(read: Callable[[int], bytes], content_type: str, limits: Limits | None = None) -> Iterator[Part]:
    """Yield the parts of a STOW-RS body (PS3.18 §10.5.1) as they arrive.

    `read(n)` returns at most n bytes and b"" at the end. A bare `application/dicom` body is one part.
    Asking for the next part drains the one before. Raises `UnsupportedMedia` for any other type and
    `BadMultipart` when the body is not what it says, the last part cut off included.
    """
    limits = limits or Limits()
    kind, parameters = media_type(content_type)
    if kind == DICOM:
        return _single(_Stream(read, limits), content_type)
    if kind != "multipart/related":
        raise UnsupportedMedia("unsupported_media", f"Send multipart/related or {DICOM}, not {kind[:100]!r}.")
    _check_root(parameters.get("type", DICOM))
    return _related(_Stream(read, limits), _delimiter(parameters.get("boundary", "")), limits)


def _unquote(raw: str) -> str:
    if raw.startswith('"'):
        return re.sub(r"\\(.)", r"\1", raw[1:-1])
    return raw


def _check_root(kind: str) -> None:
    # Orthanc puts a transfer syntax inside the quoted type: only the name of the type counts.
    name, _parameters = media_type(kind)
    if name != DICOM:
        raise UnsupportedMedia("unsupported_media", f'Send parts of type="{DICOM}", not {name[:100]!r}.')


def _delimiter(boundary: str) -> bytes:
    if not boundary:
        raise BadMultipart("boundary_missing", "The Content-Type has no boundary; add boundary=… to it.")
    if not _BOUNDARY.fullmatch(boundary):
        raise BadMultipart("boundary_invalid", "The boundary must be 1 to 200 printable ASCII characters.")
    return CRLF + b"--" + boundary.encode("ascii")


def _single(stream: _Stream, content_type: str) -> Iterator[Part]:
    stream.expect(1, BadMultipart("no_parts", "The request body is empty; send a DICOM object."))
    yield Part({"content-type": content_type}, stream.rest)


def _related(stream: _Stream, delimiter: bytes, limits: Limits) -> Iterator[Part]:
    # A body may open with its first delimiter, with no line before it: lend it the line end.
    stream.lend(CRLF)
    _skip_preamble(stream, delimiter, limits)
    count = 0
    while not _at_close(stream):
        count += 1
        if count > limits.parts:
            raise BadMultipart("too_many_parts", f"Send at most {limits.parts} parts in a request.")
        if stream.peek(1) == b"\n":
            raise BadMultipart("bare_line_feed", "Lines end in LF alone. End them in CRLF, as RFC 2046 wants it.")
        part = Part(_headers(stream.head(limits.head)), partial(stream.before, delimiter, _cut_off()))
        yield part
        part.drain()
    if not count:
        raise BadMultipart("no_parts", "The request has no parts; send at least one DICOM object.")


def _skip_preamble(stream: _Stream, delimiter: bytes, limits: Limits) -> None:
    missing = BadMultipart("boundary_not_found", "No line of the body, after a CRLF, starts with the boundary.")
    skipped = 0
    while block := stream.before(delimiter, missing):
        skipped += len(block)
        if skipped > limits.preamble:
            raise missing


def _at_close(stream: _Stream) -> bool:
    return stream.peek(2) == b"--"


def _headers(head: bytes) -> dict[str, str]:
    """Read the header lines between a delimiter and the empty line: RFC 2046 §5.1, RFC 5322 §2.2."""
    padding, *lines = head.decode("latin-1").split("\r\n")
    if padding.strip(" \t"):
        # Text glued to the delimiter: another boundary that merely starts like ours.
        raise BadMultipart("boundary_ambiguous", "A line starts with the boundary but does not end there.")
    headers: dict[str, str] = {}
    for line in _unfold(lines):
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise BadMultipart("part_headers_invalid", "A header line of a part has no name and colon.")
        headers.setdefault(name.strip().lower(), value.strip())
    return headers


def _unfold(lines: list[str]) -> list[str]:
    unfolded: list[str] = []
    for line in lines:
        if line[:1] in (" ", "\t") and unfolded:
            unfolded[-1] += " " + line.strip()
        else:
            unfolded.append(line)
    return unfolded


class _Stream:
    """The body as far as it has been read: at most one block and one delimiter are ever held."""

    def __init__(self, read: Callable[[int], bytes], limits: Limits) -> None:
        self._read = read
        self._block = limits.block
        self._held = b""
        # Moving an index past small parts costs nothing; cutting the block each time would
        # copy it as often as it has parts.
        self._at = 0
        self._searched: bytes | None = None
        self._last = -1

    def lend(self, lead: bytes) -> None:
        """Put bytes before what comes."""
        self._held = lead + self._held[self._at :]
        self._at = 0

    def peek(self, count: int) -> bytes:
        """Return the next `count` bytes without passing them."""
        self.expect(count, _cut_off())
        return self._held[self._at : self._at + count]

    def expect(self, count: int, otherwise: BadMultipart) -> None:
        """Hold at least `count` bytes, or raise `otherwise`."""
        while len(self._held) - self._at < count:
            if not self._fill():
                raise otherwise

    def head(self, limit: int) -> bytes:
        """Return what comes before the next empty line and pass both."""
        blank = CRLF + CRLF
        while (end := self._held.find(blank, self._at, self._at + limit + len(blank))) < 0:
            if len(self._held) - self._at >= limit + len(blank):
                raise BadMultipart("part_headers_too_long", f"Keep the headers of a part under {limit} bytes.")
            self.expect(len(self._held) - self._at + 1, _cut_off())
        head = self._held[self._at : end]
        self._at = end + len(blank)
        return head

    def before(self, mark: bytes, otherwise: BadMultipart) -> bytes:
        """Return a block of what comes before `mark`; once there is no more, pass the mark: b"".

        Raises `otherwise` when the mark never comes.
        """
        while self._last_of(mark) < self._at:
            # The mark may have begun: keep back what could be its start.
            ready = len(self._held) - len(mark) + 1
            if ready > self._at:
                return self._take(ready)
            if not self._fill():
                raise otherwise
        block = self._take(self._held.find(mark, self._at))
        if not block:
            self._at += len(mark)
        return block

    def _last_of(self, mark: bytes) -> int:
        """Where `mark` stands for the last time in what is held; -1 for nowhere.

        CPython searches backwards in half the time, and of most blocks there is no more to know. Once for each block:
        a sender of tiny parts must not make us search it for each.
        """
        if self._searched is not self._held:
            self._searched, self._last = self._held, self._held.rfind(mark)
        return self._last

    def rest(self) -> bytes:
        """Return a block of everything that is left, b"" at the end."""
        if self._at == len(self._held):
            self._fill()
        return self._take(len(self._held))

    def _take(self, end: int) -> bytes:
        taken = self._held[self._at : end]
        self._at = end
        return taken

    def _fill(self) -> bool:
        left = self._held[self._at :]
        block = self._read(self._block - len(left))
        self._held, self._at = left + block, 0
        return bool(block)


def _cut_off() -> BadMultipart:
    return BadMultipart("multipart_truncated", "The request ended before its closing boundary; send it again.")
