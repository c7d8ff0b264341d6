"""Letters about sharing."""

from __future__ import annotations

from accounts import letters
from accounts.models import User


def unlinked(user: User) -> None:
    """Some images left a person's record, because a facility gave its code to somebody else."""
    letters.write(user.email, "sharing/email/unlinked")
