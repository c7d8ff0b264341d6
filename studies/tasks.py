"""Doorbells: each task is one line, and losing one costs seconds."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from celery import shared_task
from celery.signals import worker_ready
from django.conf import settings

from studies import jobs, pipeline
from studies.store import scrub, tidying


@shared_task(name=pipeline.ADVANCE)
def advance_study(study_id: str) -> None:
    """Work on one study, if any still wants it."""
    pipeline.hear(UUID(study_id))


@shared_task(name="studies.sweep")
def sweep() -> None:
    """Ring again for every study whose bell was lost."""
    pipeline.sweep()


@shared_task(name="studies.tidy")
def tidy() -> None:
    """Remove what nobody will ever ask for again."""
    tidying.tidy()


@shared_task(name="studies.scrub")
def examine_stored() -> None:
    """Read again what was not read for longest."""
    scrub.scrub()


@worker_ready.connect
def take_up(**_: Any) -> None:
    """Go on at once where a killed worker was, instead of waiting for its holds to end."""
    if settings.EMBEDDED:
        jobs.free_all()
        pipeline.sweep()
