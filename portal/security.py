"""What every request passes before a view: access log, headers, the session's clock, default-deny."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware
from django.urls import Resolver404, resolve

from accounts import audit
from accounts.errors import NotFound, SignInNeeded
from accounts.facilities import facility_for_staff
from accounts.models import User
from portal import denials
from portal.errors import as_json, as_page
from portal.ohif import installed
from portal.policies import Policy, is_for_programs, policy_for
from sharing import guests

Answer = Callable[[HttpRequest], HttpResponseBase]
access_log = logging.getLogger("lightbox.access")

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; font-src 'self'; "
    "connect-src 'self'; frame-src 'self'; manifest-src 'self'; frame-ancestors 'none'; form-action 'self'; "
    "base-uri 'none'; object-src 'none'"
)
PERMISSIONS_POLICY = (
    "accelerometer=(), camera=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), payment=(), usb=()"
)


def route_name(request: HttpRequest) -> str | None:
    """The name, namespace included, of the route a request leads to, before any view has seen it."""
    try:
        return resolve(request.path_info).view_name
    except Resolver404:
        return None


class AccessLog:
    """One line a request: route, status and time. Never the path, the query or the person."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.monotonic()
        audit.request_id.set(uuid.uuid4().hex)
        response = self.get_response(request)
        match = request.resolver_match
        is_static = request.path_info.startswith((settings.STATIC_URL, installed.PLACE))
        name = "static" if is_static else (match.url_name or "unnamed") if match else "unknown"
        access_log.info("%s %s %d ms", name, response.status_code, (time.monotonic() - began) * 1000)
        denials.note(request, response.status_code)
        return response


class SecurityHeaders:
    """Headers for every answer. A view that needs another policy sets its own, and it stays."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.headers.setdefault("X-Robots-Tag", "noindex, nofollow")
        # Static files bring their own Cache-Control; whatever else is ours may show a person's affairs.
        response.headers.setdefault("Cache-Control", "no-store")
        return response


class Csrf(CsrfViewMiddleware):
    """Django's protection of forms, also for pages that tell no referrer: their own forms come with `Origin: null`.

    Then the browser's word about where the form stood counts instead (Fetch Metadata, `Sec-Fetch-Site`), which no
    script can set; without TLS browsers give none, and Django does as for those that send no Origin. The token in the
    form is asked for in any case.
    """

    def _origin_verified(self, request: HttpRequest) -> bool:
        if request.META["HTTP_ORIGIN"] == "null":
            return request.headers.get("Sec-Fetch-Site") == "same-origin" or not request.is_secure()
        verified: bool = super()._origin_verified(request)  # type: ignore[misc]
        return verified


class SessionClock:
    """Sessions end after 15 idle minutes and after 12 hours, by the server's clock."""

    RESOLUTION = 20  # seconds between writes of the last activity

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and SESSION_KEY in request.session:
            self._wind(request)
        return self.get_response(request)

    def _wind(self, request: HttpRequest) -> None:
        now, session = time.time(), request.session
        began, seen = session.setdefault("began", now), session.setdefault("seen", now)
        idle = now - seen > settings.SESSION_IDLE.total_seconds()
        if idle or now - began > settings.SESSION_LIFETIME.total_seconds():
            session.flush()
            request.user = AnonymousUser()
            guests.end(request)  # whoever sits there now has opened nothing
        elif now - seen > self.RESOLUTION and guests.BY_ITSELF not in request.headers:
            session["seen"] = now


class DefaultDeny:
    """Enforces portal.policies. Without a session every page asks to sign in, whether it exists or not."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        policy = policy_for(route_name(request))
        if policy is Policy.DEMO:
            policy = Policy.PUBLIC if settings.DEMO else Policy.PERSON
            if not settings.DEMO and request.user.is_authenticated:
                return as_page(request, NotFound())
        if not request.user.is_authenticated and self._asks_who(policy, request):
            return self._sign_in_first(request)
        if policy is Policy.STAFF and not self._is_staff(request.user):
            return as_page(request, NotFound())
        return self.get_response(request)

    @staticmethod
    def _asks_who(policy: Policy, request: HttpRequest) -> bool:
        """Whether a visitor who is not signed in must sign in first."""
        if policy is Policy.VIEWER:
            return guests.session_of(request) is None
        return policy in (Policy.PERSON, Policy.STAFF)

    @staticmethod
    def _is_staff(user: User | AnonymousUser) -> bool:
        return isinstance(user, User) and facility_for_staff(user) is not None

    @staticmethod
    def _sign_in_first(request: HttpRequest) -> HttpResponse:
        if is_for_programs(request.path_info):
            response: HttpResponse = as_json(SignInNeeded())
            response.headers["WWW-Authenticate"] = "Bearer"
            return response
        return redirect_to_login(request.get_full_path())
