"""The seam to django-allauth: what sign-up makes besides a user, and what letters hold."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.forms import BaseForm
from django.http import HttpRequest

from accounts import audit, letters
from accounts.audit import Action, Actor
from accounts.models import PatientRecord, User


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Lightbox's account rules."""

    def save_user(self, request: HttpRequest, user: User, form: BaseForm, commit: bool = True) -> User:
        """The person, her record and the event of her sign-up: all three or none."""
        with transaction.atomic():
            saved: User = super().save_user(request, user, form, commit=True)
            record = PatientRecord.objects.create(
                user=saved, name=form.cleaned_data["name"], birth_date=form.cleaned_data["birth_date"]
            )
            audit.record(Action.SIGNED_UP, actor=Actor.person(saved), record_id=record.pk, way="page")
        return saved

    def send_account_already_exists_mail(self, email: str) -> None:
        """The letter to somebody who signs up a second time.

        A new account costs a password hash and a few writes. Without the same here the faster answer would tell
        strangers who has an account (`python -m bench.timing` compares both).
        """
        make_password(secrets.token_urlsafe(16))
        with transaction.atomic():
            record_id = PatientRecord.objects.filter(user__email=email.lower()).values_list("pk", flat=True).first()
            audit.record(Action.SIGN_UP_FAILED, actor=Actor.nobody(), record_id=record_id, way="page")
        super().send_account_already_exists_mail(email)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Into the outbox: allauth's letters leave as ours do."""
        letters.write(email, template_prefix, {name: _at_home(name, value) for name, value in context.items()})

    def add_message(
        self, request: HttpRequest, level: int, message_template: str | None = None, *args: Any, **kwargs: Any
    ) -> None:
        """Say nothing on sign-in and sign-out: the page that follows says it better."""
        if message_template not in ("account/messages/logged_in.txt", "account/messages/logged_out.txt"):
            super().add_message(request, level, message_template, *args, **kwargs)


def _at_home(name: str, value: Any) -> Any:
    """A link of allauth's under the site's own address.

    allauth takes the host from the request, and whoever asks for a letter to somebody else chooses that: the secret
    in the link would go to another server.
    """
    if not name.endswith("_url") or not isinstance(value, str):
        return value
    return settings.PUBLIC_URL + urlsplit(value)._replace(scheme="", netloc="").geturl()
