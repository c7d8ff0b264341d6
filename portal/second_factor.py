"""The second factor's place in the site: seeds sealed under the master key, and the door that asks for it."""

from __future__ import annotations

import base64
from secrets import token_bytes
from typing import Any, Final

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext

from accounts import factors
from accounts.models import User
from portal.errors import as_json
from portal.policies import BEFORE_SECOND_FACTOR, is_for_programs
from portal.security import Answer, route_name
from studies.store import masterkeys

NONCE_SIZE: Final = 12
ABOUT: Final = b"second factor seed, version 1"
PURPOSE: Final = "mfa-seeds"
SEEDS: Final = ("secret", "seed")  # of an app, of recovery codes: where allauth keeps what `encrypt` gave it
SEED_LIST: Final = "migrated_codes"


class SealedSeeds(DefaultMFAAdapter):  # type: ignore[misc]  # allauth ships no types
    """allauth's second factor as Lightbox keeps it: who reads the database cannot make codes."""

    def encrypt(self, text: str) -> str:
        """A seed, sealed: base64 of nonce and ciphertext (AES-256-GCM)."""
        nonce = token_bytes(NONCE_SIZE)
        sealed = AESGCM(masterkeys.current(PURPOSE)).encrypt(nonce, text.encode(), ABOUT)
        return base64.b64encode(nonce + sealed).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """The seed. Raises `InvalidTag` when it was changed, or sealed under another master key."""
        opened = (_open(encrypted_text, key) for key in masterkeys.accepted(PURPOSE))
        text = next((text for text in opened if text is not None), None)
        if text is None:
            raise InvalidTag
        return text

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:
        """What a new passkey is called until its owner finds something better."""
        count = Authenticator.objects.filter(user=user, type=type).count()
        return gettext("Passkey %(number)s") % {"number": count + 1} if count else gettext("My passkey")

    def get_public_key_credential_user_entity(self, user: User) -> dict[str, Any]:
        """Whose passkey it is, as the browser's list shows it."""
        entity: dict[str, Any] = super().get_public_key_credential_user_entity(user)
        return {**entity, "display_name": user.email}

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Where it works: this host."""
        return {**super().get_public_key_credential_rp_entity(), "name": "Lightbox"}


def seal_seeds_anew(secrets: dict[str, Any]) -> dict[str, Any]:
    """An authenticator's data with every seed sealed under the present master key; the same when they are already.

    Raises `InvalidTag` for a seed that no known key opens.
    """
    anew: dict[str, Any] = {name: _anew(secrets[name]) for name in SEEDS if isinstance(secrets.get(name), str)}
    if isinstance(codes := secrets.get(SEED_LIST), list):
        anew[SEED_LIST] = [_anew(code) for code in codes]
    return {**secrets, **anew}


def _anew(sealed: str) -> str:
    is_present = _open(sealed, masterkeys.current(PURPOSE)) is not None
    return sealed if is_present else SealedSeeds().encrypt(SealedSeeds().decrypt(sealed))


def _open(encrypted: str, key: bytes) -> str | None:
    sealed = base64.b64decode(encrypted)
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_SIZE], sealed[NONCE_SIZE:], ABOUT).decode()
    except InvalidTag:
        return None


class SecondFactor:
    """Leads staff and providers without a second factor to where they set one up, whatever they ask for."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not isinstance(request.user, User) or route_name(request) in BEFORE_SECOND_FACTOR:
            return self.get_response(request)
        if not factors.missing(request.user):
            return self.get_response(request)
        if is_for_programs(request.path_info):
            return as_json(factors.SecondFactorNeeded())
        return redirect("second_factor")
