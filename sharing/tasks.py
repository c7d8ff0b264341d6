"""Doorbells."""

from __future__ import annotations

from celery import shared_task

from sharing import disagreements, grants, notices, releases


@shared_task(name="sharing.follow_missed")
def follow_missed() -> None:
    """Offer what became ready while nobody listened."""
    releases.follow_missed()


@shared_task(name="sharing.tell")
def tell() -> None:
    """Tell patients of what has opened and of reports that came."""
    notices.tell_due()


@shared_task(name="sharing.note_missed")
def note_missed() -> None:
    """Find the reports whose news got lost, and the exams of somebody else that nobody was asked about."""
    releases.reconsider_missed()
    notices.note_missed()
    disagreements.hold_missed()


@shared_task(name="sharing.remind")
def remind() -> None:
    """Write to those to whom something is lent that ends soon."""
    grants.remind()
