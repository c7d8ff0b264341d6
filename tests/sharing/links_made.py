"""A link as somebody who was given it has it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.test import Client
from django.utils import timezone

from accounts.models import User
from sharing import links, openings
from sharing.models import Grant, ShareLink
from sharing.openings import Host, Opened
from sharing.viewers import Guest


@dataclass(frozen=True)
class Given:
    """What is written on the paper and told by phone."""

    grant: Grant
    url: str
    code: str
    passcode: str

    @property
    def path(self) -> str:
        """The part of the address that a server sees."""
        return urlsplit(self.url).path

    @property
    def slug(self) -> str:
        """Which link."""
        return self.path.rpartition("/")[2]

    @property
    def secret(self) -> str:
        """The part behind the #."""
        return urlsplit(self.url).fragment

    @property
    def row(self) -> ShareLink:
        """As it stands stored now."""
        return ShareLink.objects.get(slug=self.slug)

    def open(self, passcode: str | None = None, *, within: Guest | None = None, host: Host = None) -> Opened:
        """Open it, by default with its passcode."""
        told = self.passcode if passcode is None else passcode
        session = within.session if within else None
        return openings.open_link(self.slug, self.secret, told, session=session, host=host)

    def guest(self) -> Guest:
        """Somebody who opened it in a browser of her own."""
        return Guest(self.open().session)

    def post(self, client: Client, **changes: str) -> Any:
        """Press "Open" on its page."""
        return client.post(f"{self.path}/open", {"secret": self.secret, "passcode": self.passcode, **changes})


def give(giver: User, **changes: Any) -> Given:
    """Make a link: all that is there today, for a month."""
    asked: dict[str, Any] = {
        "studies": "all",
        "rights": ["view"],
        "expires_at": timezone.now() + timedelta(days=30),
        "way": "page",
        **changes,
    }
    made = links.make(giver, **asked)
    return Given(made.grant, made.url, made.code, made.passcode)
