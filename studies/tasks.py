"""Doorbells: each task is one line, and losing one costs seconds."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from studies import pipeline, tidying


@shared_task(name=pipeline.ADVANCE)
def advance_study(study_id: str) -> None:
    """Work on one study, if it still wants any."""
    pipeline.advance(UUID(study_id))


@shared_task(name="studies.sweep")
def sweep() -> None:
    """Ring again for every study whose bell was lost."""
    pipeline.sweep()


@shared_task(name="studies.tidy")
def tidy() -> None:
    """Remove what nobody will ever ask for again."""
    tidying.tidy()
