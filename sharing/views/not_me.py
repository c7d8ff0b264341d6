"""“This was not me”: where the letters about claims and new codes lead."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from sharing import wrong_person


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def not_me(request: HttpRequest) -> HttpResponse:
    """GET shows the same page to everybody and looks nothing up: mail scanners follow links. POST stops it."""
    is_post = request.method == "POST"
    if is_post:
        wrong_person.stop(request.POST.get("token", "").strip())
    return render(request, "sharing/not_me.html", {"stopped": is_post})
