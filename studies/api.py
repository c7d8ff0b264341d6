"""STOW-RS: facilities publish studies (PS3.18 §10.5). A facility key opens it and nothing else; no cookie counts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.utils import translation
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt

from accounts.authentication import CHALLENGE, bearer_token
from accounts.errors import BadRequest, NotAllowed, PortalError, SignInNeeded
from accounts.facilities import facility_for_key
from accounts.models import Facility
from studies import intake, multipart
from studies.arrivals import OUT_OF_RESOURCES
from studies.body import Body
from studies.intake import Outcome, Receipt
from studies.multipart import BadMultipart, UnsupportedMedia

MEDIA_TYPE = "application/dicom+json"
_UID = re.compile(r"[0-9.]{1,64}")

Attributes = dict[str, dict[str, Any]]
"""A data set in the DICOM JSON model (PS3.18 §F.2)."""


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


class UnreadableBody(BadRequest):
    """The body is not the multipart message it should be."""

    def __init__(self, error: BadMultipart) -> None:
        super().__init__(error.sentence, hint=_("Correct the request and send it again."))
        self.code = error.code


class OtherMedia(PortalError):
    """The body is of a type that is not taken."""

    status, code = 415, "unsupported_media"
    hint = _('Send multipart/related; type="application/dicom".')


class InstanceTooLarge(PortalError):
    """A single instance beyond the limit."""

    status, code = 413, "too_large"
    message = _("The instance is larger than this portal takes.")
    hint = _("Ask the operator whether the limit can be raised.")


@csrf_exempt
def store(request: HttpRequest, study_uid: str | None = None) -> HttpResponse:
    """Store the instances in the request's body, which is read as a stream; with a UID, only that study's.

    200 all stored; 202 some failed or are quarantined; 409 none stored; the body names each (PS3.18 §10.5.3).
    """
    if request.method != "POST":
        return _read_side(request)
    body = Body(request)
    try:
        with translation.override("en"):  # programs read this, and header lines are ASCII
            facility = _facility(request)
            _check(request, body, study_uid)
            parts = _parts(body, request.headers.get("Content-Type", ""))
            with _wire_errors():
                receipt = intake.publish(facility, parts, study_uid=study_uid, expected=body.expected)
            return _answer(receipt)
    finally:
        body.drain()


def _read_side(request: HttpRequest) -> HttpResponse:
    if not request.user.is_authenticated:
        raise KeyOnlyPublishes
    return HttpResponseNotAllowed(["POST"])


def _facility(request: HttpRequest) -> Facility:
    token = bearer_token(request.headers.get("Authorization", ""))
    if token is None and request.user.is_authenticated:
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
    if study_uid is not None and not _UID.fullmatch(study_uid):
        raise BadRequest(_("The address names no Study Instance UID."))
    kind, _parameters = multipart.media_type(request.headers.get("Content-Type", ""))
    if kind == multipart.DICOM and body.expected > settings.MAX_INSTANCE_BYTES:
        raise InstanceTooLarge


def _parts(body: Body, content_type: str) -> Iterator[Iterator[bytes]]:
    """Go through the instances in the body."""
    for part in multipart.parts(body.read, content_type):
        yield part.blocks()
    body.finish()


@contextmanager
def _wire_errors() -> Iterator[None]:
    """Turn what is wrong with the body into refusals."""
    try:
        yield
    except BadMultipart as error:
        raise UnreadableBody(error) from error
    except UnsupportedMedia as error:
        raise OtherMedia(error.sentence) from error


def _answer(receipt: Receipt) -> HttpResponse:
    response = JsonResponse(_response_module(receipt), status=_status(receipt), content_type=MEDIA_TYPE)
    if sentences := _sentences(receipt):
        response.headers["Warning"] = f'299 lightbox "{sentences}"'
    return response


def _status(receipt: Receipt) -> int:
    if receipt.taken:
        return 202 if receipt.failed or receipt.quarantined else 200
    reasons = {outcome.reason for outcome in receipt.failed}
    return 413 if reasons == {OUT_OF_RESOURCES} else 409


def _sentences(receipt: Receipt) -> str:
    """Each different sentence once: people read logs, not reason codes."""
    said = (outcome.sentence for outcome in receipt.failed + receipt.quarantined)
    return " ".join(dict.fromkeys(said))


def _response_module(receipt: Receipt) -> Attributes:
    """The Store Instances Response Module (PS3.18 §10.5.3, §I.2)."""
    module: Attributes = {}
    studies = {outcome.named.study_uid for outcome in receipt.stored + receipt.repeated}
    if len(studies) == 1:
        module["00081190"] = _value("UR", _retrieve_url(*studies))
    if receipt.taken:
        module["00081199"] = _value("SQ", *map(_referenced, receipt.taken))
    if receipt.failed:
        module["00081198"] = _value("SQ", *map(_failed, receipt.failed))
    return module


def _referenced(outcome: Outcome) -> Attributes:
    named = outcome.named
    url = _retrieve_url(named.study_uid, named.series_uid, named.sop_uid)
    if outcome.reason:  # quarantined: nobody can retrieve it
        return {**_instance(outcome), "00081190": _value("UR", ""), "00081196": _value("US", outcome.reason)}
    return {**_instance(outcome), "00081190": _value("UR", url)}


def _failed(outcome: Outcome) -> Attributes:
    return {**_instance(outcome), "00081197": _value("US", outcome.reason)}


def _instance(outcome: Outcome) -> Attributes:
    return {
        "00081150": _value("UI", outcome.named.sop_class_uid),
        "00081155": _value("UI", outcome.named.sop_uid),
    }


def _value(vr: str, *values: Any) -> dict[str, Any]:
    """An element; one without a value has none, not an empty one (PS3.18 §F.2.5)."""
    said = [value for value in values if value != ""]
    return {"vr": vr, "Value": said} if said else {"vr": vr}


def _retrieve_url(study_uid: str, series_uid: str = "", sop_uid: str = "") -> str:
    url = f"{settings.PUBLIC_URL}/dicom-web/studies/{study_uid}"
    return f"{url}/series/{series_uid}/instances/{sop_uid}" if sop_uid else url
