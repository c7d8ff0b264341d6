"""The claim page."""

from __future__ import annotations

from typing import cast

from allauth.account.adapter import get_adapter
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.errors import PortalError, TooManyTries
from accounts.models import User
from sharing import access, claims
from sharing.forms import ClaimForm


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def claim(request: HttpRequest) -> HttpResponse:
    """Enter a code: one POST claims, and answers 303 to what it brought."""
    form = ClaimForm(request.POST if request.method == "POST" else None)
    refused: PortalError | None = None
    if form.is_valid():
        try:
            return _claimed(request, form)
        except (claims.ClaimRefused, claims.OtherBirthDate, TooManyTries) as refusal:
            refused = refusal
    return _ask(request, form, refused)


def _claimed(request: HttpRequest, form: ClaimForm) -> HttpResponse:
    user, address = cast(User, request.user), get_adapter(request).get_client_ip(request)
    claims.claim(user, form.cleaned_data["code"], form.cleaned_data["birth_date"], address=address)
    messages.success(request, _("That worked. What this code opens is now in your record."))
    found = access.timeline(access.viewer_for(user))[:2]
    where = reverse("study", args=[found[0].pk]) if len(found) == 1 else reverse("home")
    return HttpResponseRedirect(where, status=303)


def _ask(request: HttpRequest, form: ClaimForm, refused: PortalError | None) -> HttpResponse:
    status = refused.status if refused else 422 if form.errors else 200
    response = render(request, "sharing/claim.html", {"form": form, "refused": refused}, status=status)
    if isinstance(refused, TooManyTries) and refused.retry_after:
        response.headers["Retry-After"] = str(refused.retry_after)
    return response
