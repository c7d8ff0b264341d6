"""The cookie of a share session: one, for every link that a browser has opened."""

from __future__ import annotations

from typing import Final, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from sharing import openings
from sharing.models import ShareSession
from sharing.viewers import Viewer, viewer_for

_KNOWN: Final = "_lightbox_share_session"
BY_ITSELF: Final = "X-Idle"  # a page asks by itself, and nobody need be there


def session_of(request: HttpRequest) -> ShareSession | None:
    """The share session that a request belongs to; asked of the database once a request, and not without a cookie."""
    if not hasattr(request, _KNOWN):
        token = request.COOKIES.get(settings.SHARE_COOKIE_NAME, "")
        is_there = BY_ITSELF not in request.headers
        setattr(request, _KNOWN, openings.session_of(token, is_there=is_there) if token else None)
    return cast("ShareSession | None", getattr(request, _KNOWN))


def has_left(request: HttpRequest) -> bool:
    """Whether a browser opened a link before, and its session has ended since."""
    return settings.SHARE_COOKIE_NAME in request.COOKIES and session_of(request) is None


def viewer_of(request: HttpRequest) -> Viewer:
    """Who is signed in, or has opened a link, or both; SignInNeeded for nobody."""
    return viewer_for(request.user, session_of(request))


def end(request: HttpRequest) -> None:
    """End the share session behind a request, if there is one."""
    if session := session_of(request):
        openings.close(session)
        setattr(request, _KNOWN, None)


def remember(response: HttpResponseBase, token: str) -> None:
    """Give a browser the cookie of its share session. It goes with the browser's window, and the server's clock ends
    it sooner."""
    response.set_cookie(
        settings.SHARE_COOKIE_NAME,
        token,
        path="/",
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def forget(response: HttpResponseBase) -> None:
    """Take the cookie back."""
    response.delete_cookie(settings.SHARE_COOKIE_NAME, path="/", samesite="Lax")
