"""Letters about sharing."""

from __future__ import annotations

from accounts import emails
from accounts.models import User


def unlinked(user: User) -> None:
    """Some images left a person's record, because a facility gave its code to somebody else."""
    emails.write(user, "sharing/email/unlinked")
