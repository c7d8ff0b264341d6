"""How programs say who they are: a facility by its key, a person by her session."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.facilities import facility_for_key
from accounts.models import Facility

CHALLENGE = 'Bearer realm="Lightbox"'


class FacilityKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer lbx_…`; `request.auth` is the Facility. Cookies play no part, hence no CSRF check."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Facility] | None:
        """Nobody in person, and the facility; None without a bearer token; 401 for a token that is no key."""
        token = bearer_token(request.headers.get("Authorization", ""))
        if token is None:
            return None
        facility = facility_for_key(token)
        if facility is None:
            raise AuthenticationFailed("This key is not valid. Ask the operator for a new one.")
        return AnonymousUser(), facility

    def authenticate_header(self, request: Request) -> str:
        """What to send instead; without it DRF would answer 403 for a missing key."""
        return CHALLENGE


class PersonAuthentication(SessionAuthentication):
    """The session cookie with its CSRF check, answering 401 rather than DRF's 403 when there is none."""

    def authenticate_header(self, request: Request) -> str:
        """Names no scheme that a browser would open a password box for."""
        return "Session"


def bearer_token(header: str) -> str | None:
    """The token of an `Authorization: Bearer` header (RFC 6750 §2.1), or None for anything else."""
    scheme, _space, token = header.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
