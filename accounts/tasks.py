"""Doorbells."""

from __future__ import annotations

from celery import shared_task

from accounts import throttle


@shared_task(name="accounts.forget_tries")
def forget_tries() -> None:
    """Drop counters whose window is over."""
    throttle.forget_passed()
