"""Whoever borrows asks to see more."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.errors import NotAllowed
from sharing import access, grants, guests


@require_POST
def ask_more(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """One click on an exam that is lent: its patient is asked for more. NotAllowed for one that is not lent."""
    viewer = guests.viewer_of(request)
    way = access.way_of(viewer, access.study_for(viewer, study_id))
    if way.grant is None:
        raise NotAllowed
    if grants.ask_more(way.grant, way.actor):
        messages.success(request, _("The patient was asked. What she shares appears here by itself."))
    else:
        messages.info(request, _("The patient was asked today already."))
    return HttpResponseRedirect(reverse("study", args=[study_id]), status=303)
