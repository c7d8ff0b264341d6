"""The contact that a facility has on file hears of every claim and of every code made anew, with a way to say no.

Behind the # of the letter's link stands a signed token. A page without identity turns it into one tap, and only a POST
acts, for mail scanners follow links: see `sharing.wrong_person`.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.core import signing
from django.utils.translation import gettext_lazy as _

from accounts.errors import PortalError
from sharing import emails, notices
from sharing.models import ClaimCode, Link
from sharing.notices import Kind

SALT: Final = "sharing.not-me"
GOOD_FOR: Final = 90 * 24 * 3600  # seconds


class TokenRefused(PortalError):
    """One answer for every token that stops nothing: unknown, forged, too old."""

    status, code = 404, "not_me_refused"
    message = _("This link does not open, or it is too old.")
    hint = _("Call the place that took the images: the letter names it. They can stop everything at once.")


def tell_of_claim(link: Link) -> None:
    """Images went to an account. In the caller's transaction, as below."""
    notices.tell_contact(link.patient, Kind.CLAIMED, _token("link", link.pk))


def tell_of_code(code: ClaimCode) -> None:
    """A code was made for somebody who had one before."""
    notices.tell_contact(code.patient, Kind.CODE, _token("code", code.pk))


def link_about(code: ClaimCode) -> str:
    """Where somebody says that she did not ask for a code; for the letter that brings it."""
    return emails.not_me_link(_token("code", code.pk))


def read(token: str) -> tuple[str, UUID]:
    """What a letter told of: "link" or "code", and which. TokenRefused for what is no token of ours."""
    try:
        kind, pk = signing.loads(token, salt=SALT, max_age=GOOD_FOR)
    except signing.BadSignature as error:
        raise TokenRefused from error
    return kind, UUID(pk)


def _token(kind: str, pk: UUID) -> str:
    return signing.dumps([kind, pk.hex], salt=SALT)
