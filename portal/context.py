"""What every page knows."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from accounts.facilities import facility_for_staff
from accounts.models import User
from sharing import guests, lendings


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
            # For the navigation: asked when it is drawn, not before.
            "is_staff": lambda: isinstance(user, User) and facility_for_staff(user) is not None,
            "is_provider": lambda: isinstance(user, User) and lendings.has_any(user),
            "has_left": lambda: guests.has_left(request),
            "is_guest": lambda: guests.session_of(request) is not None,
            "idle_seconds": int(settings.SESSION_IDLE.total_seconds()),
        }
    }
