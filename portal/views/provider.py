"""What patients lend to the person signed in."""

from __future__ import annotations

from typing import Final, cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.models import User
from sharing import lendings

LONGEST_SEARCH: Final = 100  # letters


@require_safe
def provider(request: HttpRequest) -> HttpResponse:
    """Patient by patient, the unseen first; written down for each of them. `?q=` finds words of name and exam."""
    text = request.GET.get("q", "")[:LONGEST_SEARCH].strip()
    context = {"lendings": lendings.show(cast(User, request.user), text), "text": text}
    return render(request, "portal/provider.html", context)
