"""A person's account: her address, her details, her password and second step, her other sessions."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts import factors, people
from accounts.forms import DetailsForm
from accounts.models import User


@require_http_methods(["GET", "HEAD", "POST"])
def overview(request: HttpRequest) -> HttpResponse:
    """My account. Its two forms say by the name of their button what they ask for."""
    user = cast(User, request.user)
    if "end_sessions" in request.POST:
        return _end_sessions(request, user)
    form = DetailsForm(request.POST) if request.method == "POST" else DetailsForm.showing(people.record_of(user))
    if form.is_bound and form.is_valid():
        people.change_details(user, name=form.cleaned_data["name"], birth_date=form.cleaned_data["birth_date"])
        messages.success(request, _("Your details are saved."))
        return redirect("account_overview")
    context = {"form": form, "factors": factors.of(user)}
    return render(request, "account/overview.html", context, status=422 if form.errors else 200)


@require_safe
def second_factor(request: HttpRequest) -> HttpResponse:
    """Why an account like this one needs a second step, and the two ways to set it up."""
    if not factors.missing(cast(User, request.user)):
        return redirect("mfa_index")
    return render(request, "account/second_factor.html")


def _end_sessions(request: HttpRequest, user: User) -> HttpResponse:
    people.end_sessions(user)
    update_session_auth_hash(request, user)  # keeps this one
    messages.success(request, _("You are signed out everywhere else."))
    return redirect("account_overview")
