"""The demo's letter box: the site's outbox, on a page that exists in the demo only."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts import letters

LETTERS_SHOWN = 20


@require_safe
def mail(request: HttpRequest) -> HttpResponse:
    """The newest letters, each with the parts that its HTML is made of."""
    newest = [(letter, letters.blocks(letter.text)) for letter in letters.newest(LETTERS_SHOWN)]
    return render(request, "portal/demo_mail.html", {"letters": newest})
