"""Letters about sharing."""

from __future__ import annotations

from django.conf import settings
from django.urls import reverse

from accounts import letters
from accounts.models import User
from sharing.models import Grant


def unlinked(user: User) -> None:
    """Some images left a person's record, because a facility gave its code to somebody else."""
    letters.write(user.email, "sharing/email/unlinked")


def invitation(grant: Grant, secret: str) -> None:
    """Somebody lends images. The secret stands behind the #, where it reaches neither a server's log nor a scanner."""
    link = f"{settings.PUBLIC_URL}{reverse('invitation', args=[grant.pk])}#{secret}"
    letters.write(grant.email, "sharing/email/invitation", {"link": link, "until": grant.expires_at})


def opened(user: User) -> None:
    """Somebody she lends to has looked for the first time."""
    letters.write(user.email, "sharing/email/opened", {"link": settings.PUBLIC_URL + reverse("activity")})


def opened_again(user: User) -> None:
    """Somebody she lends to is back, and she wants to be told each time."""
    letters.write(user.email, "sharing/email/opened_again", {"link": settings.PUBLIC_URL + reverse("activity")})


def link_locked(user: User) -> None:
    """Somebody typed wrong passcodes for a link of hers until it was locked."""
    letters.write(user.email, "sharing/email/link_locked", {"link": settings.PUBLIC_URL + reverse("sharing")})


def more_asked(user: User) -> None:
    """Somebody she lends to would like to see more."""
    letters.write(user.email, "sharing/email/more_asked", {"link": settings.PUBLIC_URL + reverse("sharing")})


def ends_soon(user: User, grant: Grant) -> None:
    """What somebody is lent ends in a few days."""
    context = {"link": settings.PUBLIC_URL + reverse("provider"), "until": grant.expires_at}
    letters.write(user.email, "sharing/email/ends_soon", context)
