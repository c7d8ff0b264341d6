"""Who can see what, and stopping it."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.errors import BadRequest
from accounts.models import User
from sharing import given, grants, wording
from sharing.forms import EndForm, MoreForm


@require_safe
def sharing(request: HttpRequest) -> HttpResponse:
    """Every grant in one sentence; what has ended folded below."""
    told = given.of(cast(User, request.user))
    context = {
        "running": [(one, EndForm.showing(one.grant)) for one in told if not one.ended],
        "ended": [one for one in told if one.ended],
    }
    return render(request, "sharing/sharing.html", context)


@require_POST
def revoke(request: HttpRequest, grant_id: UUID) -> HttpResponse:
    """Stop one, by one click."""
    grants.revoke(cast(User, request.user), grant_id)
    messages.success(request, _("Stopped. Nothing more can be seen with it."))
    return _back()


@require_POST
def revoke_all(request: HttpRequest) -> HttpResponse:
    """Stop all of them."""
    count = grants.revoke_all(cast(User, request.user))
    told = ngettext("%(count)d sharing stopped.", "All %(count)d sharings stopped.", count) % {"count": count}
    messages.success(request, told)
    return _back()


@require_http_methods(["GET", "HEAD", "POST"])
def widen(request: HttpRequest, grant_id: UUID) -> HttpResponse:
    """Add exams to what is shared already."""
    user = cast(User, request.user)
    told = given.one(user, grant_id)
    form = MoreForm(request.POST if request.method == "POST" else None, grants.addable(user, told.grant))
    if not form.is_valid():
        context = {"one": told, "form": form}
        return render(request, "sharing/more.html", context, status=422 if form.errors else 200)
    grants.widen(user, grant_id, form.cleaned_data["studies"], report=form.cleaned_data["report"])
    messages.success(request, _("Shared. They see it where they saw the rest."))
    return HttpResponseRedirect(reverse("sharing"), status=303)


@require_POST
def extend(request: HttpRequest, grant_id: UUID) -> HttpResponse:
    """Another last day for one."""
    form = EndForm(request.POST)
    if not form.is_valid():
        raise BadRequest(_("That is no day."), hint=_("Go back and choose the last day."))
    end = wording.end_of(form.cleaned_data["until"])
    grants.extend(cast(User, request.user), grant_id, end)
    messages.success(request, _("Shared until %(day)s now.") % {"day": wording.moment(end)})
    return _back()


def _back() -> HttpResponse:
    return HttpResponseRedirect(reverse("sharing"), status=303)
