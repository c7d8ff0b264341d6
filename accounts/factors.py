"""The second factor: who must have one, what a person has, and codes that work once.

Everybody may set up an authenticator app or a passkey. Whoever sees other people's images by profession must, and is
led there before any page that shows one. A factor counts for a session only because no older session outlives it:
setting one up ends them all (`accounts.signals`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, Final

from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.webauthn.forms import AddWebAuthnForm
from django import forms
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import audit, letters, people, prepared, throttle
from accounts.audit import Action, Actor
from accounts.errors import PortalError, TooManyTries
from accounts.models import User

FACTORS: Final = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)  # recovery codes only replace one
TRIES: Final = 100  # a day: three codes are good at a time, so guessing succeeds once in 3,300 days
SPENT: Final = timedelta(minutes=5)  # longer than a code is good: 30 s, and 30 s on either side


class SecondFactorNeeded(PortalError):
    """Somebody whose profession asks for a second factor has none yet."""

    status, code = 403, "second_factor_needed"
    message = _("Your account needs a second step before it opens other people's images.")
    hint = _("Sign in on the web site and follow the page that asks for it.")


@dataclass(frozen=True)
class Factors:
    """What a person has set up."""

    app: bool
    passkeys: int
    codes_left: int


def missing(user: User) -> bool:
    """Whether this person must have a second factor and has none. One query; asked at every request."""
    if not settings.STAFF_MFA:
        return False
    return _missing(connection.vendor).is_answered(user=user.pk)


@cache
def _missing(vendor: str) -> prepared.Question:
    def build(ids: prepared.Ids) -> QuerySet[User]:
        professionals = User.objects.filter(Q(memberships__isnull=False) | Q(provider__isnull=False), pk=ids["user"])
        return professionals.exclude(authenticator__type__in=FACTORS)

    return prepared.question(build, ("user",))


def of(user: User) -> Factors:
    """What this person has set up."""
    found = list(Authenticator.objects.filter(user=user))
    types = [one.type for one in found]
    codes = [one.wrap().get_unused_codes() for one in found if one.type == Authenticator.Type.RECOVERY_CODES]
    return Factors(
        app=Authenticator.Type.TOTP in types,
        passkeys=types.count(Authenticator.Type.WEBAUTHN),
        codes_left=sum(map(len, codes)),
    )


def drop(user: User, *, actor: Actor) -> None:
    """Take every factor away from somebody who lost hers and has proved otherwise who she is.

    Ends her sessions and writes to her, so that a helpful operator who was deceived is found out.
    """
    with transaction.atomic():
        Authenticator.objects.filter(user=user).delete()
        people.end_sessions(user)
        audit.record(Action.FACTOR_REMOVED, actor=actor, record_id=people.record_of(user).pk, account=str(user.pk))
        letters.write(user.email, "account/email/factors_dropped", {"timestamp": timezone.now()})


# --- allauth's forms, each code good once -------------------------------------------------------------


class _OneTimeCode:
    """Mixed into a form with a `code`: bounds guessing, and spends each code for good.

    allauth remembers a used code in the cache, for 30 seconds. This mark stands in the database, shared by all
    workers, for as long as the code could be used again (RFC 6238 §5.2).
    """

    user: User
    fields: dict[str, forms.Field]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].widget.attrs = {"autocomplete": "one-time-code", "inputmode": "numeric"}

    def clean_code(self) -> str:
        self._hit("second factor", str(self.user.pk), "too_many_login_attempts", cap=TRIES, within=timedelta(days=1))
        code: str = super().clean_code()  # type: ignore[misc]  # the form's own
        digits = re.sub(r"\D", "", code)
        self._hit("spent code", f"{self.user.pk} {digits}", "incorrect_code", cap=1, within=SPENT)
        return code

    @staticmethod
    def _hit(purpose: str, subject: str, error: str, *, cap: int, within: timedelta) -> None:
        try:
            throttle.hit(purpose, subject, cap=cap, within=within)
        except TooManyTries:
            raise get_adapter().validation_error(error) from None


class SecondStepForm(_OneTimeCode, AuthenticateForm):  # type: ignore[misc]  # allauth ships no types
    """The second step of signing in."""


class OnceMoreForm(_OneTimeCode, ReauthenticateForm):  # type: ignore[misc]
    """A code once more, before something that matters is changed."""


class AppForm(_OneTimeCode, ActivateTOTPForm):  # type: ignore[misc]
    """The first code of an authenticator app."""


class PasskeyForm(AddWebAuthnForm):  # type: ignore[misc]
    """A new passkey or security key."""

    name = forms.CharField(label=_("What do you call it?"), max_length=60, required=False)
    passwordless = forms.BooleanField(
        label=_("Let it sign me in alone, without my password"),
        help_text=_("It then asks for your fingerprint, your face or its PIN each time."),
        required=False,
        initial=True,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields(["name", "passwordless"])
