"""The server's threads are few, and a slow body holds one for as long as its sender likes. Not all of them."""

from __future__ import annotations

from threading import BoundedSemaphore
from typing import Final

from django.http import HttpRequest, HttpResponseBase

from accounts.errors import Unavailable
from portal.errors import refuse
from portal.security import Answer

MOST_BODIES: Final = 48
"""Of the 64 threads of a server process, those that may be busy with requests that carry a body."""
PATIENCE: Final = 2.0  # seconds: many forms at once are soon done


class Bodies:
    """Keeps some threads for whoever only looks, while others send slowly: no byte, or one a minute."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response
        self._places = BoundedSemaphore(MOST_BODIES)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not has_body(request):
            return self.get_response(request)
        if not self._places.acquire(timeout=PATIENCE):
            return refuse(request, Unavailable(retry_after=10))
        try:
            return self.get_response(request)
        finally:
            self._places.release()


def has_body(request: HttpRequest) -> bool:
    """Whether bytes follow the request's headers (RFC 9112 §6)."""
    return "HTTP_TRANSFER_ENCODING" in request.META or request.META.get("CONTENT_LENGTH") not in (None, "", "0")
