"""What a sender is answered: the Store Instances Response Module, its status and its sentences (PS3.18 §10.5.3)."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.http import HttpResponse, JsonResponse

from accounts.errors import PortalError
from studies.intake import Outcome, Receipt
from studies.receiving.arrivals import OUT_OF_RESOURCES

MEDIA_TYPE: Final = "application/dicom+json"

Attributes = dict[str, dict[str, Any]]
"""A data set in the DICOM JSON model (PS3.18 §F.2)."""


def answer(receipt: Receipt) -> HttpResponse:
    """Say what became of each instance of a request, and in words why not all of it is as it was sent.

    Always JSON: who asks for XML (dcm4che) reads the status and logs the rest.
    """
    response = JsonResponse(_module(receipt), status=_status(receipt), content_type=MEDIA_TYPE)
    if sentences := _sentences(receipt):
        response.headers["Warning"] = f'299 lightbox "{_header_text(sentences)}"'
    if retry_after := getattr(receipt.ended, "retry_after", None):
        response.headers["Retry-After"] = str(retry_after)
    return response


def _status(receipt: Receipt) -> int:
    if receipt.ended:
        return receipt.ended.status
    if receipt.taken:
        return 202 if receipt.failed or receipt.quarantined else 200
    reasons = {outcome.reason for outcome in receipt.failed}
    return 413 if reasons == {OUT_OF_RESOURCES} else 409


def _sentences(receipt: Receipt) -> str:
    """Each different sentence once: people read logs, not reason codes."""
    said = [outcome.sentence for outcome in receipt.failed + receipt.quarantined]
    if receipt.ended:
        said.insert(0, _rest_is_missing(receipt.ended))
    return " ".join(dict.fromkeys(said))


def _rest_is_missing(error: PortalError) -> str:
    return f"The instances listed are stored, the rest of the request is not. {error.message} {error.hint}"


def _header_text(words: str) -> str:
    """Words inside a quoted string of a header, which is ASCII (RFC 9110 §5.6.4)."""
    return words.replace("\\", "/").replace('"', "'").encode("ascii", "replace").decode()


def _module(receipt: Receipt) -> Attributes:
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
