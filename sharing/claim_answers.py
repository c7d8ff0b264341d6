"""What the pages of claiming answer, whether or not somebody is signed in."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from accounts.errors import PortalError, TooManyTries
from accounts.models import User
from sharing import access, claims, reservations
from sharing.forms import ClaimForm
from sharing.proving import CodeDead, CodeReserved


def to_images(user: User) -> HttpResponse:
    """To what is in her record now: the one exam, or all of them."""
    found = access.timeline(access.viewer_for(user))[:2]
    where = reverse("study", args=[found[0].pk]) if len(found) == 1 else reverse("home")
    return HttpResponseRedirect(where, status=303)


def tell_dead(request: HttpRequest, dead: CodeDead) -> HttpResponse:
    """What is the matter with a code that was proved, and what to do about it."""
    reservations.keep_dead(request.session, dead.found)
    context = {
        "dead": dead,
        "facility": dead.found.patient.facility,
        "may_ask": not isinstance(dead, CodeReserved),
    }
    return render(request, "sharing/code_dead.html", context, status=dead.status)


def ask(
    request: HttpRequest, form: ClaimForm, refused: PortalError | None, template: str = "sharing/claim.html"
) -> HttpResponse:
    """The page with the form, and what was wrong."""
    status = refused.status if refused else 422 if form.errors else 200
    context = {"form": form, "refused": refused, "asks_whose": isinstance(refused, claims.OtherBirthDate)}
    response = render(request, template, context, status=status)
    if isinstance(refused, TooManyTries) and refused.retry_after:
        response.headers["Retry-After"] = str(refused.retry_after)
    return response
