"""The short way for publications: whoever shows a facility key needs no session, no language and no page.

Senders that put one instance into each request come by a thousand times a study. What stands above `Publishing` in
`MIDDLEWARE` holds for them too: access log, headers, https, the limit on slow bodies. What stands below is about
people, and a key is nobody in person: whose cookie comes along does not matter.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import Resolver404, ResolverMatch, resolve
from django.utils import translation

from accounts.authentication import bearer_token
from portal.errors import Refusals
from portal.security import Answer
from studies import api

ROUTES: Final = frozenset({"stow", "stow_study"})
ABOVE: Final = "/dicom-web/studies"


class Publishing:
    """Hands a POST with a bearer token straight to its view; everything else goes the long way."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response
        self._refusals = Refusals(get_response)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        match = _publication(request)
        if match is None:
            return self.get_response(request)
        request.get_host()  # raises for a host that is not ours, as CommonMiddleware does for everybody else
        request.resolver_match, request.user = match, AnonymousUser()
        response = self._store(request, match)
        response.headers.setdefault("Content-Length", str(len(response.content)))
        return response

    def _store(self, request: HttpRequest, match: ResolverMatch) -> HttpResponse:
        try:
            return api.store(request, **match.kwargs)
        except Exception as error:
            with translation.override("en"):  # programs read this
                return self._refusals.process_exception(request, error)


def _publication(request: HttpRequest) -> ResolverMatch | None:
    if request.method != "POST" or not request.path_info.startswith(ABOVE):
        return None
    if not bearer_token(request.headers.get("Authorization", "")):
        return None
    match = _match(request.path_info)
    return match if match and match.view_name in ROUTES else None


@lru_cache(maxsize=256)
def _match(path: str) -> ResolverMatch | None:
    try:
        return resolve(path)
    except Resolver404:
        return None
