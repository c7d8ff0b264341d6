"""The session's clock, wound by a tap."""

from __future__ import annotations

import time

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST


@require_POST
def extend_session(request: HttpRequest) -> HttpResponse:
    """'Stay signed in': starts the idle time anew. The 12 hours go on."""
    request.session["seen"] = time.time()
    return HttpResponse(status=204)
