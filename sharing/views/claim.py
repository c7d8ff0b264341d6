"""The claim page, for somebody signed in; and what follows where a code does not open."""

from __future__ import annotations

from typing import cast

from allauth.account.adapter import get_adapter
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts.audit import Actor
from accounts.errors import NotFound, TooManyTries
from accounts.models import User
from sharing import cases, claims, contacts, proving, reservations
from sharing.claim_answers import ask, tell_dead, to_images
from sharing.forms import ClaimForm
from sharing.models import Case
from sharing.proving import CodeDead, CodeUsed


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def claim(request: HttpRequest) -> HttpResponse:
    """Enter a code: one POST claims, and answers 303 to what it brought."""
    user, form = cast(User, request.user), ClaimForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return ask(request, form, None)
    asked, address = form.cleaned_data, get_adapter(request).get_client_ip(request)
    try:
        claims.claim(user, asked["code"], asked["birth_date"], address=address, whose=form.whose)
    except CodeUsed as dead:
        return to_images(user) if proving.is_hers(dead.found, user) else tell_dead(request, dead)
    except CodeDead as dead:
        return tell_dead(request, dead)
    except (claims.ClaimRefused, claims.OtherBirthDate, TooManyTries) as refusal:
        return ask(request, form, refusal)
    messages.success(request, _("That worked. What this code opens is now in your record."))
    return to_images(user)


@require_POST
def again(request: HttpRequest) -> HttpResponse:
    """One tap for a new code, in the browser in which the old one was proved a moment ago."""
    dead = reservations.dead_in(request.session)
    if dead is None:
        raise NotFound
    user = request.user if isinstance(request.user, User) else None
    actor = Actor.person(user) if user else Actor.nobody()
    cases.open_case(Case.Kind.CODE, dead.patient, actor=actor, user=user, code=dead)
    contact = contacts.of(dead.patient)
    context = {"facility": dead.patient.facility, "address": contacts.hinted(contact)}
    return render(request, "sharing/code_asked.html", context)
