"""Refusals become a page for people or JSON for programs, in one place."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable
from typing import Any

from django.core.exceptions import BadRequest as DjangoBadRequest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from accounts.errors import BadRequest, NotAllowed, NotFound, PortalError, SignInNeeded, Unavailable, Words
from portal.policies import is_for_programs

logger = logging.getLogger("lightbox.errors")

# What Django raises over a request that nobody can read. It answers 400 itself, but for a view that reads late.
UNREADABLE = (DjangoBadRequest, SuspiciousOperation, MultiPartParserError, UnreadablePostError)

# A database that is away, starting anew or too busy. The same request goes through when it is back.
DATABASE_AWAY = (OperationalError, InterfaceError)
BACK_WITHIN = 10  # seconds


class Broken(PortalError):
    """Something failed on our side."""

    status, code = 500, "broken"
    message = _("Something went wrong on our side.")
    hint = _("Nothing is lost. Please try again in a minute.")


class StaleForm(PortalError):
    """A form whose CSRF token does not fit: mostly a page left open for long."""

    status, code = 403, "stale_form"
    message = _("This page was open for too long, so we did not send your form.")
    hint = _("Go back, reload the page and try again.")


class Invalid(BadRequest):
    """Some values in a request to the API are wrong; its answer names them under `errors`."""

    code = "invalid"
    message = _("Some values are wrong.")
    hint = _("Correct what “errors” names and send it again.")


# What to do about DRF's own refusals, by status.
HINTS: dict[int, Words] = {
    401: SignInNeeded.hint,
    403: NotAllowed.hint,
    405: _("Use a method that the Allow header names."),
    406: _("Ask for application/json."),
    415: _("Send application/json; a report may also come as multipart/form-data."),
}


def as_json(refusal: PortalError) -> JsonResponse:
    """The refusal for a program."""
    return JsonResponse(_body(refusal), status=refusal.status, headers=_headers(refusal))


def as_page(request: HttpRequest | None, refusal: PortalError) -> HttpResponse:
    """The refusal for a person: the same bytes for the same refusal, whatever lay behind the address.

    Without a request it asks nobody who is there: what a page says while the database is away.
    """
    context = {"message": refusal.message, "hint": refusal.hint, "status": refusal.status}
    page = render_to_string("errors/refusal.html", context, request)
    return HttpResponse(page, status=refusal.status, headers=_headers(refusal))


def refuse(request: HttpRequest, refusal: PortalError) -> HttpResponse:
    """The refusal in the form that this request's sender reads."""
    if is_for_programs(request.path_info):
        return as_json(refusal)
    return as_page(request, refusal)


def fail(request: HttpRequest, error: BaseException | None) -> HttpResponse:
    """What failed on our side, as its sender is told: whether to come again by itself, and when."""
    refusal = Unavailable(retry_after=BACK_WITHIN) if isinstance(error, DATABASE_AWAY) else Broken()
    return as_json(refusal) if is_for_programs(request.path_info) else as_page(None, refusal)


class Refusals:
    """Turns a PortalError that leaves a view into its answer, and writes down what was not expected."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse:
        if isinstance(error, PortalError):
            if error.status >= Broken.status:
                self._write_down(request, error)  # our fault or our limits: an operator wants to know where
            return refuse(request, error)
        if isinstance(error, Http404):
            return refuse(request, NotFound())
        if isinstance(error, PermissionDenied):
            return refuse(request, NotAllowed())
        if isinstance(error, UNREADABLE):
            return refuse(request, BadRequest())
        self._write_down(request, error)
        return fail(request, error)

    @staticmethod
    def _write_down(request: HttpRequest, error: Exception) -> None:
        """Kind and place, without the message: that may quote what a person typed or a file contained."""
        match = request.resolver_match
        places = "".join(traceback.format_tb(error.__traceback__))
        name = match.url_name if match else "unknown"
        logger.error("%s in route %s\n%s", type(error).__name__, name, places)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's 404: an address that does not exist."""
    return refuse(request, NotFound())


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's 400."""
    return refuse(request, BadRequest())


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's 403."""
    return refuse(request, NotAllowed())


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's 500, when even a middleware failed."""
    return fail(request, sys.exception())


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form without a fitting token."""
    return refuse(request, StaleForm())


def api_refusal(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: our refusals and DRF's own in one shape."""
    if isinstance(error, PortalError):
        return Response(_body(error), status=error.status, headers=_headers(error))
    response = exception_handler(error, context)
    if response is not None:
        response.data = _drf_body(error, response)
    return response


def _body(refusal: PortalError) -> dict[str, Any]:
    return {"code": refusal.code, "message": str(refusal.message), "hint": str(refusal.hint)}


def _drf_body(error: Exception, response: Response) -> dict[str, Any]:
    if isinstance(error, exceptions.ValidationError):
        return {**_body(Invalid()), "errors": response.data}
    hint = HINTS.get(response.status_code, BadRequest.hint)
    if isinstance(error, exceptions.APIException):
        return {"code": error.get_codes(), "message": str(error.detail), "hint": str(hint)}
    return _body(NotFound() if isinstance(error, Http404) else NotAllowed())  # Django's own, which DRF translates


def _headers(error: PortalError) -> dict[str, str]:
    """What the refusal says in its headers: when to try again, how to sign in."""
    headers = dict(getattr(error, "headers", {}))
    if retry_after := getattr(error, "retry_after", None):
        headers["Retry-After"] = str(int(retry_after))
    return headers
