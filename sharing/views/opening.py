"""The way in by a link or by the code on a sheet: pages without identity that look nothing up; a POST opens."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from allauth.account.adapter import get_adapter
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.errors import PortalError, TooManyTries
from accounts.models import User
from sharing import guests, lendings, openings
from sharing.forms import CodeForm
from sharing.openings import Host, LinkUnknown, Opened, PasscodeNeeded, PasscodeWrong
from sharing.viewers import Person, Staff, viewer_for

View = Callable[..., HttpResponse]


def _tells_no_referrer(view: View) -> View:
    """What stands in the address of these pages reaches no other site, nor the next page of ours."""

    @wraps(view)
    def ask(request: HttpRequest, *args: str, **kwargs: str) -> HttpResponse:
        response = view(request, *args, **kwargs)
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    return ask


@_tells_no_referrer
@require_http_methods(["GET", "HEAD"])
def share_link(request: HttpRequest, slug: str) -> HttpResponse:
    """The same page for every link, existing or not: what follows links by itself finds nothing here."""
    return render(request, "sharing/link.html", {"slug": slug})


@_tells_no_referrer
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def share_open(request: HttpRequest, slug: str) -> HttpResponse:
    """Open with the secret, and the passcode if there is one. Whoever merely comes here goes back to the page."""
    if request.method != "POST":
        return HttpResponseRedirect(reverse("share_link", args=[slug]))
    secret, passcode = request.POST.get("secret", "").strip(), request.POST.get("passcode", "")
    try:
        opened = openings.open_link(slug, secret, passcode, session=guests.session_of(request), host=_host_of(request))
    except (PasscodeNeeded, PasscodeWrong) as refused:
        context = {"slug": slug, "secret": secret, "refused": refused}
        return render(request, "sharing/link.html", context, status=refused.status)
    return _enter(opened)


@_tells_no_referrer
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def share_code(request: HttpRequest) -> HttpResponse:
    """The code from a sheet of paper, for whoever cannot scan the square on it."""
    form = CodeForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return _ask_code(request, form)
    try:
        opened = openings.open_code(
            form.cleaned_data["code"],
            form.cleaned_data["passcode"],
            session=guests.session_of(request),
            host=_host_of(request),
            address=get_adapter(request).get_client_ip(request),
        )
    except (LinkUnknown, PasscodeNeeded, PasscodeWrong, TooManyTries) as refused:
        return _ask_code(request, form, refused)
    return _enter(opened)


def _ask_code(request: HttpRequest, form: CodeForm, refused: PortalError | None = None) -> HttpResponse:
    status = refused.status if refused else 422 if form.errors else 200
    response = render(request, "sharing/link_code.html", {"form": form, "refused": refused}, status=status)
    if isinstance(refused, TooManyTries) and refused.retry_after:
        response.headers["Retry-After"] = str(refused.retry_after)
    return response


def _enter(opened: Opened) -> HttpResponse:
    """To the exam, where the link lends one, else to the list."""
    only = lendings.only_study(opened.session, opened.grant)
    where = reverse("study", args=[only]) if only else reverse("shared")
    response = HttpResponseRedirect(where, status=303)
    if opened.token:
        guests.remember(response, opened.token)
    return response


def _host_of(request: HttpRequest) -> Host:
    """Whoever is signed in here as well."""
    if not isinstance(request.user, User):
        return None
    viewer = viewer_for(request.user)
    return viewer if isinstance(viewer, Person | Staff) else None
