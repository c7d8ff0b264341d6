"""What patients lend to the person signed in."""

from __future__ import annotations

from typing import cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.models import User
from sharing import lendings


@require_safe
def provider(request: HttpRequest) -> HttpResponse:
    """Patient by patient, the unseen first; written down for each of them."""
    return render(request, "portal/provider.html", {"lendings": lendings.show(cast(User, request.user))})
