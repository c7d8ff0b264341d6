"""Doorbells."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task
from django.contrib.sessions.backends.cached_db import SessionStore

from accounts import gateways, letters, texts, throttle


@shared_task(name=letters.DELIVER)
def deliver_letter(letter_id: str) -> None:
    """Send one letter."""
    letters.deliver(UUID(letter_id))


@shared_task(name=texts.DELIVER)
def deliver_text(text_id: str) -> None:
    """Send one text message."""
    texts.OUT.deliver(UUID(text_id))


@shared_task(name="accounts.deliver_letters")
def deliver_letters() -> None:
    """Send the letters and texts whose bell was lost, and try again those that failed."""
    letters.deliver_due()
    texts.OUT.deliver_due()


@shared_task(name="accounts.forget")
def forget() -> None:
    """Drop counters whose window is over, messages that were sent long ago, gateways long gone, and ended sessions."""
    throttle.forget_passed()
    letters.OUT.forget_settled()
    texts.OUT.forget_settled()
    gateways.forget()
    SessionStore.clear_expired()
