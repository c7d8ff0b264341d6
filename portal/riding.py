"""The fast lane of the one door: what comes by the hundred goes along on a leave given less than a second ago.

The first picture comes through Django like every request: who asks is known, `delivery.admit` gives leave and writes
the look down, and the view boards a ride. For the rest of that second the same cookie, on the same host, asking the
same way below the same study, is answered here, before Django, by what the ride holds. A right that ends is therefore
dead within that second, in every process, and a page full of pictures is one look and not four hundred.

What a ride cannot give at once (a file that must be decoded, a number that is not there) goes the long way, which says
so in words.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Protocol

from django.db import connection
from django.http import HttpRequest

from accounts.errors import PortalError
from studies.store.sealing import Tampered

if TYPE_CHECKING:  # the server loads this before Django is ready for models
    from portal.delivery import Pass

RIDE_SECONDS: Final = 0.9
RENEW_SECONDS: Final = 0.45  # after which one request asks anew, while the others ride on
LARGEST: Final = 4 * 2**20  # bytes: more than that is a stream, whose right is asked for again as it runs
_ASKED: Final = re.compile(
    r"(?P<study>.*/studies/[^/]+)/series/(?P<series>[^/]+)/"
    r"(?:(?P<metadata>metadata)|instances/(?P<sop>[^/]+)/(?P<frames>frames)/(?P<frame>\d{1,9})"
    r"|(?P<size>preview|thumbnail)/(?P<index>\d{1,9})/)"
)
# What makes two requests the same but for what they ask for.
_LIKE: Final = (
    *("HTTP_COOKIE", "HTTP_HOST", "HTTP_X_FORWARDED_PROTO", "HTTP_AUTHORIZATION"),
    *("HTTP_ACCEPT", "HTTP_ACCEPT_ENCODING", "HTTP_ACCEPT_LANGUAGE", "QUERY_STRING"),
)
_OF_ONE: Final = frozenset({"content-type", "content-length", "content-encoding", "set-cookie"})

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]
Key = tuple[str, ...]

access_log = logging.getLogger("lightbox.access")


@dataclass(frozen=True)
class Given:
    """A whole answer: its body, its media type, and how it is packed ("gzip" or "")."""

    content: bytes
    media_type: str
    encoding: str = ""


class Rider(Protocol):
    """What one viewer may go on asking for."""

    leave: Pass

    def give(self, series: str, instance: str, number: int) -> Given | None:
        """The answer to one more request, from what is known already; None where only the view can tell."""


def now() -> float:
    """The clock of rides, in seconds."""
    return monotonic()


@dataclass
class Ride:
    """A rider on her way: since when, under which name she stands in the log, and what every answer to her says."""

    began: float
    rider: Rider
    route: str
    headers: list[tuple[str, str]] | None = field(default=None, repr=False)
    _renewal: Lock = field(default_factory=Lock, repr=False)

    def goes(self, at: float) -> bool:
        """Whether more may go along."""
        return self.headers is not None and at < self.began + RIDE_SECONDS

    def is_to_be_renewed(self, at: float) -> bool:
        """Whether this request should ask anew, so that the next ones find a fresh ride: True once."""
        return at >= self.began + RENEW_SECONDS and self._renewal.acquire(blocking=False)


_rides: dict[Key, Ride] = {}


def board(request: HttpRequest, rider: Rider) -> Rider | None:
    """Let a rider, who was given leave for this very request, go on from here; return who went before her, if any.

    Call it once the session behind the request is known to be her viewer's.
    """
    asked, at = _ASKED.fullmatch(request.path_info), now()
    if asked is None:
        return None
    key, match = _key(request.META, asked), request.resolver_match
    before = _rides.pop(key, None)
    for over in [key for key, one in list(_rides.items()) if at >= one.began + RIDE_SECONDS]:
        _rides.pop(over, None)
    _rides[key] = Ride(at, rider, (match.url_name or "") if match else "", before.headers if before else None)
    return before.rider if before and before.rider.leave.viewer.key == rider.leave.viewer.key else None


class Riding:
    """WSGI, around Django: answers who is on a ride, and hands everybody else on."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """PEP 3333."""
        asked = _ASKED.fullmatch(environ.get("PATH_INFO", "")) if environ["REQUEST_METHOD"] == "GET" else None
        if asked is None:
            return self._application(environ, start_response)
        began, key = now(), _key(environ, asked)
        ride = _rides.get(key)
        given = _given(ride, asked) if ride and ride.goes(began) and not ride.is_to_be_renewed(began) else None
        if ride is None or given is None:
            return self._application(environ, _noting(key, start_response))
        start_response("200 OK", [*(ride.headers or ()), *_headers(given)])
        access_log.info("%s %s %d ms", ride.route, 200, (now() - began) * 1000)
        return [given.content]


def _given(ride: Ride, asked: re.Match[str]) -> Given | None:
    number = int(asked["frame"] or asked["index"] or 0)
    try:
        given = ride.rider.give(asked["series"], asked["sop"] or "", number)
    except (PortalError, Tampered):
        return None  # the long way meets it too, and says so in words
    finally:
        if not connection.in_atomic_block:  # seldom is the database asked, and then Django does not see the end of it
            connection.close_if_unusable_or_obsolete()
    return given if given and len(given.content) <= LARGEST else None


def _headers(given: Given) -> list[tuple[str, str]]:
    packed = [("Content-Encoding", given.encoding)] if given.encoding else []
    return [("Content-Type", given.media_type), ("Content-Length", str(len(given.content))), *packed]


def _noting(key: Key, start_response: StartResponse) -> StartResponse:
    """Keep the headers of the answer for those that ride behind it, for Django says them and nobody else; end the ride
    with one that refuses."""

    def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
        if not status.startswith("200 "):
            _rides.pop(key, None)
        elif ride := _rides.get(key):
            ride.headers = [(name, value) for name, value in headers if name.lower() not in _OF_ONE]
        return start_response(status, headers, *error)

    return start


def _key(environ: Environ, asked: re.Match[str]) -> Key:
    kind = asked["metadata"] or asked["frames"] or asked["size"]
    return (asked["study"], kind, *(environ.get(name, "") for name in _LIKE))
