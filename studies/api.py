"""STOW-RS: facilities publish studies (PS3.18 §10.5). A facility key opens it and nothing else; no cookie counts."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt

from accounts.authentication import CHALLENGE, bearer_token
from accounts.errors import BadRequest, NotAllowed, PortalError, SignInNeeded
from accounts.facilities import facility_for_key
from accounts.models import Facility
from studies import intake
from studies.receiving import multipart
from studies.receiving.body import Body
from studies.receiving.responses import answer
from studies.receiving.whole import as_announced, to_its_pixels
from studies.values import is_uid


class KeyNeeded(SignInNeeded):
    """No facility key, or a wrong one."""

    message = _("A facility key is needed to publish.")
    hint = _("Send it as Authorization: Bearer; ask the operator for one.")
    headers = {"WWW-Authenticate": CHALLENGE}


class WrongKey(KeyNeeded):
    """A key that is none, or one that was revoked."""

    message = _("This key is not valid.")
    hint = _("Ask the operator for a new one.")


class KeyOnlyPublishes(KeyNeeded):
    """Somebody wants to read, and shows no session."""

    message = _("Reading needs a session; a facility key publishes only.")
    hint = _("Sign in to read, or POST to publish with Authorization: Bearer.")


class InstanceTooLarge(PortalError):
    """A single instance beyond the limit."""

    status, code = 413, "too_large"
    message = _("The instance is larger than this portal takes.")
    hint = _("Ask the operator whether the limit can be raised.")


@csrf_exempt
def store(request: HttpRequest, study_uid: str | None = None, *, is_guest: bool = False) -> HttpResponse:
    """Store the instances in the request's body, which is read as a stream; with a UID, only that study's.

    200 all stored; 202 some failed or are quarantined; 409 none stored; the body names each (PS3.18 §10.5.3).
    """
    body = Body(request)
    try:
        with translation.override("en"):  # programs read this, and header lines are ASCII
            facility = _facility(request, is_guest=is_guest)
            _check(request, body, study_uid)
            parts = _parts(body, request.headers.get("Content-Type", ""))
            return answer(intake.publish(facility, parts, study_uid=study_uid, expected=body.expected))
    finally:
        body.drain()


def _facility(request: HttpRequest, *, is_guest: bool) -> Facility:
    token = bearer_token(request.headers.get("Authorization", ""))
    if token is None and (is_guest or request.user.is_authenticated):
        raise NotAllowed(_("Only facilities publish images."))
    if not token:
        raise KeyNeeded
    facility = facility_for_key(token)
    if facility is None:
        raise WrongKey
    return facility


def _check(request: HttpRequest, body: Body, study_uid: str | None) -> None:
    """Refuse what can be refused before anything is read."""
    body.check()
    if study_uid is not None and not is_uid(study_uid):
        raise BadRequest(_("The address names no Study Instance UID."))
    kind, _parameters = multipart.media_type(request.headers.get("Content-Type", ""))
    if kind == multipart.DICOM and body.expected > settings.MAX_INSTANCE_BYTES:
        raise InstanceTooLarge


def _parts(body: Body, content_type: str) -> Iterator[Iterator[bytes]]:
    """Go through the instances in the body."""
    kind, _parameters = multipart.media_type(content_type)
    has_no_end = kind == multipart.DICOM and not body.expected
    for part in multipart.parts(body.read, content_type):
        yield to_its_pixels(part) if has_no_end else as_announced(part)
    body.finish()
