"""What allauth and Django tell of sign-ins, written down. Connected by `AccountsConfig.ready`.

A sign-in that cannot be written down fails: receivers raise, and the request ends with an error.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from allauth.account.signals import email_changed, password_changed, password_reset, password_set
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import (
    authentication_failed,
    authenticator_added,
    authenticator_removed,
    authenticator_reset,
)
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from accounts import audit, factors, letters, people
from accounts.audit import Action, Actor
from accounts.models import PatientRecord, User

ONE_LETTER = timedelta(days=1)


def _note(action: Action, user: User, **detail: Any) -> None:
    with transaction.atomic():
        record_id = PatientRecord.objects.filter(user=user).values_list("pk", flat=True).first()
        audit.record(action, actor=Actor.person(user), record_id=record_id, way="page", **detail)


@receiver(user_logged_in, dispatch_uid="audit")
def note_sign_in(user: User, **_: Any) -> None:
    """Somebody signed in."""
    _note(Action.SIGNED_IN, user)


@receiver(user_logged_out, dispatch_uid="audit")
def note_sign_out(user: User | None, **_: Any) -> None:
    """Somebody signed out, or the clock did it for her; nobody when the session had none."""
    if user is not None:
        _note(Action.SIGNED_OUT, user)


@receiver(user_login_failed, dispatch_uid="audit")
def note_failure(credentials: dict[str, Any], **_: Any) -> None:
    """A wrong password. The address typed is not kept, for people type passwords there; a known one is linked.

    Known or unknown, it costs one look-up and one event, so that the time does not tell which.
    """
    email = str(credentials.get("email") or "").strip().lower()
    with transaction.atomic():
        record_id = PatientRecord.objects.filter(user__email=email).values_list("pk", flat=True).first()
        audit.record(Action.SIGN_IN_FAILED, actor=Actor.nobody(), record_id=record_id, way="page")


@receiver([password_changed, password_reset, password_set], dispatch_uid="audit")
def note_password(user: User, **_: Any) -> None:
    """A new password, by whichever way."""
    _note(Action.PASSWORD_CHANGED, user)


@receiver(email_changed, dispatch_uid="audit")
def note_email(user: User, **_: Any) -> None:
    """Another address to sign in with."""
    _note(Action.EMAIL_CHANGED, user)


@receiver(authenticator_added, dispatch_uid="audit")
def note_factor(request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    """A second factor. Sessions that began without it end, save the one that set it up."""
    _note(Action.FACTOR_ADDED, user, factor=authenticator.type)
    if authenticator.type in factors.FACTORS:
        people.end_sessions(user)
        update_session_auth_hash(request, user)


@receiver(authenticator_reset, dispatch_uid="audit")
def note_new_codes(user: User, authenticator: Authenticator, **_: Any) -> None:
    """New recovery codes; the old ones are void."""
    _note(Action.FACTOR_ADDED, user, factor=authenticator.type)


@receiver(authenticator_removed, dispatch_uid="audit")
def note_factor_removed(user: User, authenticator: Authenticator, **_: Any) -> None:
    """A second factor less."""
    _note(Action.FACTOR_REMOVED, user, factor=authenticator.type)


@receiver(authentication_failed, dispatch_uid="audit")
def note_wrong_code(user: User, authenticator: Authenticator, reauthentication: bool, **_: Any) -> None:
    """A wrong code. Whoever came that far while signing in knows the password, so its owner hears of it once a day."""
    _note(Action.FACTOR_FAILED, user, factor=authenticator.type)
    with transaction.atomic():
        if not reauthentication and audit.once(f"second step failed: {user.pk}", ONE_LETTER):
            letters.write(user.email, "account/email/second_step_failed", {"timestamp": timezone.now()})
