"""Answers packed by gzip, for browsers that say they unpack it (RFC 9110 §12.5.3).

Only what holds no secret beside words that somebody else may choose: the length of such an answer would tell of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from isal import igzip

LEVEL: Final = 1  # of samples the next eight gain a fiftieth and take six times as long
PIECE: Final = 256 * 2**10


def packed(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    """The answer, with its body packed where the browser takes that."""
    answer.content, encoding = gzipped(request, answer.content)
    describe(answer, encoding)
    return answer


def gzipped(request: HttpRequest, content: bytes) -> tuple[bytes, str]:
    """The content, packed where the browser takes that, and how: "gzip" or ""."""
    if not takes_gzip(request.headers.get("Accept-Encoding", "")):
        return content, ""
    return igzip.compress(content, LEVEL, mtime=0), "gzip"


def describe(answer: HttpResponseBase, encoding: str) -> None:
    """Say in the answer's headers how its body is packed, and on what that depended."""
    answer.headers["Vary"] = "Accept-Encoding"
    if encoding:
        answer.headers["Content-Encoding"] = encoding


def takes_gzip(said: str) -> bool:
    """Whether an Accept-Encoding names gzip, and not with a weight of nothing."""
    for one in said.split(","):
        name, _, weight = one.partition(";")
        if name.strip().lower() == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def pieces(content: bytes) -> Iterator[bytes]:
    """A body in pieces, between which its right can end."""
    for start in range(0, len(content), PIECE):
        yield content[start : start + PIECE]
