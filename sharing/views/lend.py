"""Lending: three decisions on one page, read back as one sentence before anything is stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.errors import BadRequest, TooManyTries
from accounts.models import User
from sharing import access, drafts, given, grants, guests, links, wording
from sharing.access import Right
from sharing.forms import LendForm
from sharing.qr import qr
from studies import burned_in, catalog
from studies.catalog import SeriesView

Refusal = BadRequest | TooManyTries


@require_http_methods(["GET", "HEAD", "POST"])
def lend(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Share one study, or more with it."""
    viewer = guests.viewer_of(request)
    study = access.study_for(viewer, study_id, Right.LEND)
    return _steps(request, [study.pk], catalog.series_of(study))


@require_http_methods(["GET", "HEAD", "POST"])
def lend_new(request: HttpRequest) -> HttpResponse:
    """Share what is chosen on the page."""
    return _steps(request, [])


def _steps(request: HttpRequest, chosen: list[UUID], series: Sequence[SeriesView] = ()) -> HttpResponse:
    """Ask, read back, share. The second step carries the answers along, so nothing is stored before the third."""
    user = cast(User, request.user)
    lendable = list(access.newest_first(access.kept_by(user, Right.LEND)))
    form = LendForm(request.POST if request.method == "POST" else None, lendable, chosen, series)
    if not form.is_valid() or "change" in request.POST:
        return _ask(request, form)
    try:
        return _share(request, user, form) if "share" in request.POST else _read_back(request, user, form)
    except (BadRequest, TooManyTries) as refused:
        return _ask(request, form, refused)


def _ask(request: HttpRequest, form: LendForm, refused: Refusal | None = None) -> HttpResponse:
    context = {"form": form, "refused": refused, "known": given.known_to(cast(User, request.user))}
    status = refused.status if refused else 422 if form.errors else 200
    return render(request, "sharing/lend.html", context, status=status)


def _read_back(request: HttpRequest, user: User, form: LendForm) -> HttpResponse:
    drawn = drafts.draft(user, **form.wanted)
    context: dict[str, Any] = {
        "sentence": wording.sentence(drawn.grant, drawn.studies, given.who_of(drawn.grant), drawn.series),
        "exams": [wording.exam(study) for study in drawn.studies],
        "draft": drawn.grant,
        "passcode": form.is_by_link and form.cleaned_data["passcode"],
        "most_openings": form.is_by_link and form.cleaned_data["most_openings"],
        "burned_in": burned_in.may_be_in(drawn.studies),
        "answers": form.answers,
    }
    return render(request, "sharing/lend_confirm.html", context)


def _share(request: HttpRequest, user: User, form: LendForm) -> HttpResponse:
    key = form.cleaned_data["key"]
    if form.is_by_link:
        return _show_link(request, links.make(user, **form.wanted, **form.of_link, way="page", key=key))
    made = grants.grant(user, **form.wanted, way="page", key=key)
    messages.success(request, _("Shared. A letter with the way in goes to %(email)s.") % {"email": made.email})
    return HttpResponseRedirect(reverse("sharing"), status=303)


def _show_link(request: HttpRequest, made: links.Made) -> HttpResponse:
    """The link, its code and its passcode: on this page, this once, and nowhere else."""
    view = given.GrantView.of(made.grant, given.items_of(made.grant), is_live=True)
    context = {
        "made": made,
        "sentence": view.sentence,
        "qr": qr(made.url),
        "address": urlsplit(f"{settings.PUBLIC_URL}{reverse('share_code')}"),
    }
    return render(request, "sharing/link_made.html", context)
