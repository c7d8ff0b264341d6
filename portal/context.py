"""What every page knows."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, Any]:
    """`lightbox`: its name, whether it is the demo, and how long a session may idle (seconds).

    Not `site`: allauth's pages bring one of their own, and a view's context wins.
    """
    user = getattr(request, "user", None)
    return {
        "lightbox": {
            "name": "Lightbox",
            "demo": settings.DEMO,
            "signed_in": bool(user and user.is_authenticated),
            "idle_seconds": int(settings.SESSION_IDLE.total_seconds()),
        }
    }
