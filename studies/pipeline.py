"""From stored bytes to pictures: the table of states, and the one way through it.

    stored -- index --> indexed -- render --> ready

Each step reads what the one before wrote, and what it finds done it leaves alone, so it can be run again at any
time. Moving on is a conditional update: a study that was changed meanwhile stays where its publication put it.
The job's row goes last of all, when those above have been told. A worker killed anywhere leaves it behind.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from datetime import timedelta
from typing import Final
from uuid import UUID

from celery import current_app
from django.db import OperationalError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from studies import jobs
from studies.facts import index
from studies.jobs import Hold
from studies.models import Study
from studies.signals import study_ready
from studies.stacks import render
from studies.storage import StorageUnavailable

logger = logging.getLogger("lightbox.pipeline")

Step = Callable[[Study, Hold], None]
State = Study.State
STEPS: Final[dict[str, tuple[Step, State]]] = {
    State.STORED: (index, State.INDEXED),
    State.INDEXED: (render, State.READY),
}

ADVANCE: Final = "studies.advance"  # the task's name: whoever rings need not import it

# Errors of the surroundings. They pass, and no study is given up for them.
PASSING: Final = (StorageUnavailable, OperationalError)
PASSING_PAUSE: Final = timedelta(seconds=10)

RUNG_AT_ONCE: Final = 50


def ring(study_id: UUID, *, after: timedelta = jobs.SETTLE) -> None:
    """Ring the bell for a study once the transaction is committed. A broker that is away is only logged."""
    seconds = after.total_seconds()

    def send() -> None:
        current_app.send_task(ADVANCE, [str(study_id)], countdown=seconds, expires=seconds + 60)

    transaction.on_commit(send, robust=True)


def sweep() -> None:
    """Ring again for studies that are due: their message was lost, or their worker died."""
    now = timezone.now()
    if buried := jobs.bury(now):
        logger.error("%d studies were given up: their worker died at each attempt", buried)
    for job in jobs.due(now)[:RUNG_AT_ONCE]:
        ring(job.pk, after=timedelta(0))


def advance(study_id: UUID, *, at_once: bool = False) -> None:
    """Bring a study as far as it gets; nothing when it wants nothing, not yet, or somebody else is at it.

    `at_once` does not wait for the sender to pause.
    """
    hold = jobs.take(study_id, at_once=at_once)
    if hold is None:
        return
    try:
        _walk(hold)
    except jobs.Lost:
        logger.warning("study %s: another worker has it", study_id)
    except PASSING as error:
        logger.warning("study %s waits: %s", study_id, type(error).__name__)
        hold.give_back(after=PASSING_PAUSE)
    except Exception as error:
        # Kind and place alone: a message may quote a header.
        places = "".join(traceback.format_tb(error.__traceback__))
        logger.error("study %s failed: %s\n%s", study_id, type(error).__name__, places)
        hold.fail(error)


def _walk(hold: Hold) -> None:
    study = Study.objects.select_related("facility", "patient").get(pk=hold.study_id)
    moved = True
    while moved and (step := STEPS.get(study.state)):
        work, after = step
        work(study, hold)
        moved = _move(study, after, hold)
    if moved:
        study_ready.send(Study, study_id=study.pk)
        moved = _end(study, hold)
    if not moved:  # there is more to do, once the sender pauses
        hold.give_back()
        ring(study.pk)


def _move(study: Study, after: State, hold: Hold) -> bool:
    """Take the study to its next state; False when a publication came in between."""
    news = {"state": after, "ready_at": timezone.now()} if after == State.READY else {"state": after}
    with hold.writing():
        moved = _unchanged(study).update(**news)
    study.state = after
    return bool(moved)


def _end(study: Study, hold: Hold) -> bool:
    """End the job, unless a publication came in between."""
    with hold.writing():
        ended = _unchanged(study).exists()
        if ended:
            hold.finish()
    return ended


def _unchanged(study: Study) -> QuerySet[Study]:
    return Study.objects.filter(pk=study.pk, state=study.state, version=study.version)
