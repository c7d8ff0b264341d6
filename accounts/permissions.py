"""Who may call an API view. The default is nobody: each view names its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.models import Facility, User

if TYPE_CHECKING:  # views import the default permissions, so these cannot import views
    from rest_framework.views import APIView


class DenyAll(BasePermission):
    """For views that forgot to say."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Never."""
        return False


class IsFacility(BasePermission):
    """A facility, by its key."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Whether FacilityKeyAuthentication has found one."""
        return isinstance(request.auth, Facility)


class IsPerson(BasePermission):
    """Somebody signed in."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Whether the session belongs to an active person."""
        return isinstance(request.user, User) and request.user.is_active
