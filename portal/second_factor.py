"""The second factor's place in the site: seeds sealed under the master key, and the door that asks for it."""

from __future__ import annotations

import base64
from functools import lru_cache
from secrets import token_bytes
from typing import Any, Final

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext

from accounts import factors
from accounts.models import User
from portal.errors import as_json
from portal.policies import BEFORE_SECOND_FACTOR, MACHINE_PATHS
from portal.security import Answer, route_name
from studies import sealing

NONCE_SIZE: Final = 12
ABOUT: Final = b"second factor seed, version 1"


class SealedSeeds(DefaultMFAAdapter):  # type: ignore[misc]  # allauth ships no types
    """allauth's second factor as Lightbox keeps it: who reads the database cannot make codes."""

    def encrypt(self, text: str) -> str:
        """A seed, sealed: base64 of nonce and ciphertext (AES-256-GCM)."""
        nonce = token_bytes(NONCE_SIZE)
        return base64.b64encode(nonce + _cipher(settings.MASTER_KEY).encrypt(nonce, text.encode(), ABOUT)).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """The seed. Raises `InvalidTag` when it was changed, or sealed under another master key."""
        sealed = base64.b64decode(encrypted_text)
        return _cipher(settings.MASTER_KEY).decrypt(sealed[:NONCE_SIZE], sealed[NONCE_SIZE:], ABOUT).decode()

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


@lru_cache(maxsize=2)
def _cipher(master: str) -> AESGCM:
    return AESGCM(sealing.derive(sealing.read_master_key(master), "mfa-seeds"))


class SecondFactor:
    """Leads staff and providers without a second factor to where they set one up, whatever they ask for."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not isinstance(request.user, User) or route_name(request) in BEFORE_SECOND_FACTOR:
            return self.get_response(request)
        if not factors.missing(request.user):
            return self.get_response(request)
        if request.path_info.startswith(MACHINE_PATHS):
            return as_json(factors.SecondFactorNeeded())
        return redirect("second_factor")
