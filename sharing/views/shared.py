"""A share session's own page: what its links lend, who is looking, and the way out."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.errors import NotFound
from sharing import guests, lendings, openings
from sharing.forms import WhoForm
from sharing.models import ShareSession


@require_safe
def shared(request: HttpRequest) -> HttpResponse:
    """What was opened by link in this browser; each exam in the list is written down."""
    session = _session(request)
    said = {"name": session.name, "practice": session.practice, "npi": session.npi}
    return _show(request, session, WhoForm(initial=said))


@require_POST
def introduce(request: HttpRequest) -> HttpResponse:
    """Say who is looking."""
    session, form = _session(request), WhoForm(request.POST)
    if not form.is_valid():
        return _show(request, session, form, status=422)
    openings.introduce(session, **form.cleaned_data)
    messages.success(request, _("Thank you. The person who shares reads it beside what you look at."))
    return HttpResponseRedirect(reverse("shared"), status=303)


@require_POST
def share_done(request: HttpRequest) -> HttpResponse:
    """Close in this browser whatever was opened by link. Twice changes nothing."""
    session = guests.session_of(request)
    if session is not None:
        openings.close(session)
    messages.success(request, _("Closed. To look again, open the link once more."))
    response = HttpResponseRedirect(reverse("home"), status=303)
    guests.forget(response)
    return response


def _session(request: HttpRequest) -> ShareSession:
    session = guests.session_of(request)
    if session is None:
        raise NotFound
    return session


def _show(request: HttpRequest, session: ShareSession, form: WhoForm, **answer: Any) -> HttpResponse:
    context = {"lendings": lendings.show(session), "form": form, "declared": session.declared}
    return render(request, "sharing/shared.html", context, **answer)
