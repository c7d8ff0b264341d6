"""Doorbells."""

from __future__ import annotations

from celery import shared_task

from sharing import releases


@shared_task(name="sharing.follow_missed")
def follow_missed() -> None:
    """Offer what became ready while nobody listened."""
    releases.follow_missed()
