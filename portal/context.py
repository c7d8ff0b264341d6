"""What every page knows."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, Any]:
    """`site`: its name, whether it is the demo, and how long a session may idle (seconds)."""
    user = getattr(request, "user", None)
    return {
        "site": {
            "name": "Lightbox",
            "demo": settings.DEMO,
            "signed_in": bool(user and user.is_authenticated),
            "idle_seconds": int(settings.SESSION_IDLE.total_seconds()),
        }
    }
