"""The server's threads are few, and a slow body holds one for as long as its sender likes. Not all of them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition
from typing import Final

from allauth.account.adapter import get_adapter
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase

from accounts.authentication import bearer_token
from accounts.errors import Unavailable
from accounts.throttle import network_of
from portal.errors import refuse
from portal.security import Answer

MOST_BODIES: Final = 48
"""Of the 64 threads of a server process, those that may be busy with requests that carry a body."""
MOST_OF_A_KEY: Final = 24
"""Of these, those of one facility: its hundred senders leave room to everybody else's."""
MOST_OF_AN_ADDRESS: Final = 36
"""And those from one address, whatever keys it shows: nobody has asked yet whether they are any."""
PATIENCE: Final = 2.0  # seconds: many forms at once are soon done


class Bodies:
    """Keeps some threads for whoever only looks, while others send slowly: no byte, or one a minute."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response
        self._places = Places()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not has_body(request):
            return self.get_response(request)
        with self._places.one_for(_senders(request)) as is_free:
            return self.get_response(request) if is_free else refuse(request, Unavailable(retry_after=10))


class Places:
    """So many places, and so many of them for each sender."""

    def __init__(self) -> None:
        self._taken = 0
        self._by_sender: Counter[str] = Counter()
        self._changed = Condition()

    @contextmanager
    def one_for(self, senders: dict[str, int]) -> Iterator[bool]:
        """Hold a place; False when there is none.

        Who has used up a share (the most of each name) is told at once: waiting would hold another thread.
        """
        if not self._enter(senders):
            yield False
            return
        try:
            yield True
        finally:
            self._leave(senders)

    def _enter(self, senders: dict[str, int]) -> bool:
        with self._changed:
            if self._is_greedy(senders) or not self._changed.wait_for(self._has_room, PATIENCE):
                return False
            if self._is_greedy(senders):  # by now
                return False
            self._taken += 1
            self._by_sender.update(senders.keys())
            return True

    def _leave(self, senders: dict[str, int]) -> None:
        with self._changed:
            self._taken -= 1
            self._by_sender.subtract(senders.keys())
            self._by_sender = +self._by_sender  # forgets whoever is gone
            self._changed.notify_all()

    def _has_room(self) -> bool:
        return self._taken < MOST_BODIES

    def _is_greedy(self, senders: dict[str, int]) -> bool:
        return any(self._by_sender[name] >= most for name, most in senders.items())


def has_body(request: HttpRequest) -> bool:
    """Whether bytes follow the request's headers (RFC 9112 §6)."""
    return "HTTP_TRANSFER_ENCODING" in request.META or request.META.get("CONTENT_LENGTH") not in (None, "", "0")


def _senders(request: HttpRequest) -> dict[str, int]:
    """By what names a request's sender is known, and how many places each may hold."""
    senders = {_address(request): MOST_OF_AN_ADDRESS}
    if token := bearer_token(request.headers.get("Authorization", "")):
        senders[hashlib.sha256(token.encode()).hexdigest()] = MOST_OF_A_KEY
    return senders


def _address(request: HttpRequest) -> str:
    """Where a request comes from; one name for all whose proxies do not say."""
    try:
        return network_of(get_adapter(request).get_client_ip(request))
    except (PermissionDenied, ValueError):
        return ""
