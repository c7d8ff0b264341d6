"""The way in for somebody to whom images are lent: a page without identity, opened by a POST of the secret."""

from __future__ import annotations

import time
from typing import Final
from uuid import UUID

from allauth.account.utils import complete_signup
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.models import User
from sharing import grants
from sharing.forms import AcceptForm
from sharing.grants import InvitationRefused
from sharing.models import Grant

OPENED: Final = "invitation"  # where a session keeps what was opened in it, and when
HALF_AN_HOUR: Final = 30 * 60


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, grant_id: UUID) -> HttpResponse:
    """GET shows the same page for every id and looks nothing up: mail scanners follow links. POST opens."""
    if request.method != "POST":
        return render(request, "sharing/invitation.html", {"grant_id": grant_id})
    invited = grants.open_invitation(grant_id, request.POST.get("token", "").strip())
    if isinstance(request.user, User):
        return _to_somebody_signed_in(request, request.user, invited)
    if grants.has_account(invited):
        messages.info(request, _("Please sign in with the address that the letter went to."))
        return redirect_to_login(reverse("provider"))
    request.session[OPENED] = {"grant": str(invited.pk), "at": time.time()}
    return HttpResponseRedirect(reverse("invitation_account"), status=303)


def _to_somebody_signed_in(request: HttpRequest, user: User, invited: Grant) -> HttpResponse:
    if not grants.is_for(invited, user):
        told = _("This invitation went to another address than yours. Sign out, then open it again.")
        messages.warning(request, told)
    return HttpResponseRedirect(reverse("provider"), status=303)


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def invitation_account(request: HttpRequest) -> HttpResponse:
    """An account for whoever has opened an invitation in this session: her letter proves the address."""
    invited = _opened(request)
    form = AcceptForm(request.POST if request.method == "POST" else None, invited.email)
    if not form.is_valid():
        context = {"form": form, "email": invited.email}
        return render(request, "sharing/invitation_account.html", context, status=422 if form.errors else 200)
    answers = form.cleaned_data
    user = grants.accept(invited, answers["password"], name=answers["name"], practice=answers["practice"])
    del request.session[OPENED]
    answer: HttpResponse = complete_signup(request, user, None, reverse("provider"))
    return answer


def _opened(request: HttpRequest) -> Grant:
    """What was opened here half an hour ago at most, and still opens."""
    kept = request.session.get(OPENED)
    if kept is None or time.time() - kept["at"] > HALF_AN_HOUR:
        raise InvitationRefused
    return grants.invited(UUID(kept["grant"]))
