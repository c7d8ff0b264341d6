"""Lending by link: an address with a secret behind the #, the same as a QR code and as a short code for paper.

Whoever has it may look, so a passcode goes with it by another way. What is stored opens nothing.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Unpack
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.errors import BadRequest, Conflict
from accounts.models import User
from sharing import codes, drafts, grants
from sharing.drafts import Asked
from sharing.models import Grant, ShareLink

PASSCODE_DIGITS: Final = 6
ASKS_PASSCODE: Final = "p"
"""How a secret begins that has a passcode: the page can ask for it at once, and needs to look nothing up."""
MOST_OPENINGS: Final = 1000


class MadeAlready(Conflict):
    """A form was sent twice: its link exists, and nobody can show it again."""

    code = "link_made_already"
    message = _("This link was made already. It is shown only once.")
    hint = _("If you did not keep it, stop it under “Sharing” and make a new one.")


@dataclass(frozen=True)
class Made:
    """A new link, with what is shown this once only. `passcode` is empty where none is needed."""

    grant: Grant
    url: str
    code: str
    passcode: str


def make(
    giver: User,
    *,
    way: str,
    key: UUID | None = None,
    passcode: bool = True,
    most_openings: int | None = None,
    **asked: Unpack[Asked],
) -> Made:
    """Lend to whoever has the link. See `drafts.draft` for what is refused; MadeAlready for the same `key` again."""
    check_openings(most_openings)
    if grants.made_already(giver, key):
        raise MadeAlready
    drawn = drafts.draft(giver, **asked)
    link, secret, code, number = _link(passcode=passcode, most_openings=most_openings)

    def tie(made: Grant) -> None:
        link.grant = made
        link.save(force_insert=True)

    made = grants.store(drawn, tie, way=way, key=key)
    return Made(made, f"{address_of(link.slug)}#{secret}", code, number)


def check_openings(most: int | None) -> None:
    """BadRequest for a largest number of openings that cannot be."""
    if most is not None and not 1 <= most <= MOST_OPENINGS:
        raise BadRequest(
            _("A link opens 1 to %(most)d times.") % {"most": MOST_OPENINGS},
            hint=_("Choose such a number, or none for as often as they like."),
        )


def address_of(slug: str) -> str:
    """The page of a link, without its secret."""
    return f"{settings.PUBLIC_URL}{reverse('share_link', args=[slug])}"


def fits(link: ShareLink, passcode: str) -> bool:
    """Whether this is the link's passcode; spaces do not matter."""
    return hmac.compare_digest(_passcode_digest(link.slug, "".join(passcode.split())), bytes(link.passcode_digest))


def _link(*, passcode: bool, most_openings: int | None) -> tuple[ShareLink, str, str, str]:
    """A link that is not tied to a grant yet, its secret, its code and its passcode."""
    secret = (ASKS_PASSCODE if passcode else "") + _without_marker(secrets.token_urlsafe(32))
    code = codes.make()
    number = f"{secrets.randbelow(10**PASSCODE_DIGITS):0{PASSCODE_DIGITS}d}" if passcode else ""
    slug, symbols = secrets.token_urlsafe(16), codes.tidy(code)
    link = ShareLink(
        slug=slug,
        digest=grants.digest(secret),
        code_selector=codes.selector(symbols),
        code_digest=codes.digest(symbols),
        passcode_digest=_passcode_digest(slug, number) if passcode else b"",
        most_openings=most_openings,
    )
    return link, secret, code, number


def _without_marker(secret: str) -> str:
    return f"-{secret}" if secret.startswith(ASKS_PASSCODE) else secret


def _passcode_digest(slug: str, passcode: str) -> bytes:
    """Six digits are soon found by whoever steals the table; without the link's secret they lead nowhere."""
    return sha256(f"{slug}:{passcode}".encode()).digest()
