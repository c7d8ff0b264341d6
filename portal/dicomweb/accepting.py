"""Which of several forms a client can read (PS3.18 §8.7.4): the Accept header as clients really write it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.errors import PortalError

ANY: Final = "*/*"
MULTIPART: Final = "multipart/related"
STORED: Final = "*"
"""The transfer syntax of who takes what is stored."""

_ENTRY: Final = re.compile(r'(?:[^",]|"[^"]*")+')
_PARAMETER: Final = re.compile(r';\s*([\w-]+)\s*=\s*("[^"]*"|[^;]*)')
_TYPE: Final = re.compile(r"[\w!#$&^.+*-]+/[\w!#$&^.+*-]+|\*")


class NotAcceptable(PortalError):
    """Nothing of what is here can be read by who asks."""

    status, code = 406, "not_acceptable"
    message = _("None of the media types that were asked for exists of this.")
    hint = _("Ask for one of: {types}.")

    def __init__(self, *types: str) -> None:
        super().__init__(hint=str(self.hint).format(types=", ".join(types)))


@dataclass(frozen=True)
class Wanted:
    """One entry: the type of the parts or of the whole, in which outer form, in which transfer syntax ("": unsaid)."""

    media_type: str
    multipart: bool | None  # None: either
    syntax: str
    q: float

    def takes(self, media_type: str) -> bool:
        """Whether a media type is among those that it means."""
        kind = media_type.partition("/")[0]
        return self.media_type in (ANY, media_type, f"{kind}/*")


def wanted(request: HttpRequest) -> list[Wanted]:
    """What the client can read, best first; `?accept=` before the header. What nobody can parse is left out."""
    said = request.GET.getlist("accept") or [request.headers.get("Accept") or ANY]
    entries = [entry for text in said for entry in _entries(text)]
    return sorted(entries, key=lambda entry: -entry.q)


def _entries(text: str) -> Iterator[Wanted]:
    for entry in _ENTRY.findall(text):
        kind = _TYPE.match(entry.strip())
        if not kind:
            continue
        parameters = {name.lower(): value.strip().strip('"') for name, value in _PARAMETER.findall(entry)}
        made = _wanted(kind[0].lower(), parameters)
        if made.q > 0:
            yield made


def _wanted(outer: str, parameters: dict[str, str]) -> Wanted:
    outer = ANY if outer == "*" else outer
    is_multipart = outer == MULTIPART
    inner = parameters.get("type", ANY).lower() if is_multipart else outer
    multipart = True if is_multipart else None if inner == ANY else False
    return Wanted(inner, multipart, parameters.get("transfer-syntax", ""), _quality(parameters.get("q", "1")))


def _quality(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 1.0


def choose(request: HttpRequest, *media_types: str) -> str:
    """The first of some whole (single-part) media types that the client reads. Raises NotAcceptable."""
    for entry in wanted(request):
        if entry.multipart:
            continue
        for media_type in media_types:
            if entry.takes(media_type):
                return media_type
    raise NotAcceptable(*media_types)
