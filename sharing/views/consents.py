"""What somebody agreed to, and the way to take it back."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from sharing import consents


@require_safe
def listed(request: HttpRequest) -> HttpResponse:
    """Every consent on records of hers and in her care."""
    return render(request, "sharing/consents.html", {"consents": consents.of(cast(User, request.user))})


@require_POST
def withdraw(request: HttpRequest, consent_id: UUID) -> HttpResponse:
    """Take one back: what comes later stops, what is there stays."""
    consents.withdraw(cast(User, request.user), consent_id)
    messages.success(request, _("Taken back. What you have stays yours; later exams do not come by themselves."))
    return HttpResponseRedirect(reverse("consents"), status=303)
