"""Claim first, account second: for somebody who has a code in her hand and no account yet."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Final

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.email_verification_by_code import EmailVerificationProcess
from allauth.core.exceptions import ImmediateHttpResponse
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts import people, throttle
from accounts.errors import Conflict, TooManyTries
from accounts.models import User
from sharing import claims, reservations
from sharing.claim_answers import ask, tell_dead, to_images
from sharing.forms import ClaimForm, StartForm
from sharing.proving import CodeDead
from sharing.reservations import Reserved

ACCOUNTS_A_CODE: Final = 5  # tries an hour, for each tells whether an address has an account


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def start(request: HttpRequest) -> HttpResponse:
    """Prove a code; it is kept for this browser while its owner makes an account or signs in."""
    if isinstance(request.user, User):
        return redirect("claim")
    form = ClaimForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return ask(request, form, None, "sharing/start.html")
    asked, address = form.cleaned_data, get_adapter(request).get_client_ip(request)
    try:
        reservations.reserve(request.session, asked["code"], asked["birth_date"], address=address)
    except CodeDead as dead:
        return tell_dead(request, dead)
    except (claims.ClaimRefused, TooManyTries) as refusal:
        return ask(request, form, refusal, "sharing/start.html")
    return HttpResponseRedirect(reverse("start_account"), status=303)


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    """“Lakeside Imaging has exams for you”: an account, or a sign-in, spends the code and shows them."""
    held = reservations.held_in(request.session)
    if held is None:
        return redirect("start")
    if isinstance(request.user, User):
        return _spend(request, request.user)
    form = StartForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            return _opened(request, held, form)
        except Conflict:
            form.add_error("email", _("This address has an account. Sign in below, and the images are added to it."))
    context = {"form": form, "facility_name": held.facility_name}
    return render(request, "sharing/start_account.html", context, status=422 if form.errors else 200)


def _opened(request: HttpRequest, held: Reserved, form: StartForm) -> HttpResponse:
    """A new account, signed in here and nowhere else until its address is proved, and the images in it."""
    asked = form.cleaned_data
    throttle.hit("accounts for a code", str(held.code.pk), cap=ACCOUNTS_A_CODE, within=timedelta(hours=1))
    born = None if asked["initials"] else held.birth_date
    user = people.sign_up(asked["email"], asked["password"], name=asked["name"], birth_date=born)
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    answer = _spend(request, user, asked["initials"])
    with suppress(ImmediateHttpResponse):  # a code went to that address a moment ago, and another can be asked for
        EmailVerificationProcess.initiate(request=request, user=user, email=user.email)
    return answer


def _spend(request: HttpRequest, user: User, whose: str = "") -> HttpResponse:
    try:
        reservations.spend(request.session, user, whose or request.POST.get("whose", ""))
    except claims.OtherBirthDate as refusal:
        return render(request, "sharing/start_whose.html", {"refused": refusal}, status=refusal.status)
    except CodeDead as dead:
        return tell_dead(request, dead)
    messages.success(request, _("That worked. What this code opens is now in your record."))
    return to_images(user)
