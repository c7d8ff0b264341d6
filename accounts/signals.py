"""What allauth and Django tell of sign-ins, written down. Connected by `AccountsConfig.ready`.

A sign-in that cannot be written down fails: receivers raise, and the request ends with an error.
"""

from __future__ import annotations

from typing import Any

from allauth.account.signals import email_changed, password_changed, password_reset, password_set
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db import transaction
from django.dispatch import receiver

from accounts import audit
from accounts.audit import Action, Actor
from accounts.models import PatientRecord, User


def _note(action: Action, user: User) -> None:
    with transaction.atomic():
        record_id = PatientRecord.objects.filter(user=user).values_list("pk", flat=True).first()
        audit.record(action, actor=Actor.person(user), record_id=record_id, way="page")


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
