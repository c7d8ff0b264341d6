"""From stored bytes to pictures: the table of states, and the one way through it.

    stored -- index --> indexed -- render --> ready

Of a study that nobody has seen yet, something is shown before that: see `_look_first`.

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

from studies import jobs, sidecars
from studies.facts import FIRST, index, index_first
from studies.jobs import Hold
from studies.models import Study
from studies.signals import study_ready, study_shown
from studies.stacks import render, render_first
from studies.store.disk import StorageUnavailable

logger = logging.getLogger("lightbox.pipeline")


def show(study: Study, hold: Hold) -> None:
    """Make what people look at, and then what their programs ask for."""
    render(study, hold)
    sidecars.keep(study, hold)


Step = Callable[[Study, Hold], None]
State = Study.State
STEPS: Final[dict[str, tuple[Step, State]]] = {
    State.STORED: (index, State.INDEXED),
    State.INDEXED: (show, State.READY),
}

ADVANCE: Final = "studies.advance"  # the task's name: whoever rings need not import it

# Errors of the surroundings. They pass, and no study is given up for them.
PASSING: Final = (StorageUnavailable, OperationalError)
PASSING_PAUSE: Final = timedelta(seconds=10)

RUNG_AT_ONCE: Final = 50


NOW: Final = timedelta(0)


def ring(study_id: UUID, *, after: timedelta = NOW) -> None:
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
        ring(job.pk)


def hear(study_id: UUID) -> None:
    """Answer a bell: work on the study whose turn it is, which need not be the one that it was rung for.

    Each job that is due has a bell of its own, so whoever is passed over is served by another's. One that is not
    due yet has its bell hung up again: a thousand requests for one study ring once.
    """
    if wait := jobs.not_yet(study_id):
        ring(study_id, after=wait)
    elif hold := jobs.turns.take():
        _work(hold)


def advance(study_id: UUID, *, at_once: bool = False) -> None:
    """Bring a study as far as it gets; nothing when it wants nothing, not yet, or somebody else is at it.

    `at_once` does not wait for the sender to pause.
    """
    if hold := jobs.take(study_id, at_once=at_once):
        _work(hold, at_once=at_once)


def _work(hold: Hold, *, at_once: bool = False) -> None:
    study_id = hold.study_id
    try:
        study = Study.objects.select_related("facility", "patient").get(pk=study_id)
        if at_once or not _waits_after_first_look(study, hold):
            _walk(study, hold)
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


def _waits_after_first_look(study: Study, hold: Hold) -> bool:
    """Show something of a new study; then let it go until its sender pauses, unless that is so already."""
    is_new = study.state == State.STORED and not study.instance_count
    if is_new and (_coming(study) or study.instances.count() > FIRST):
        _look_first(study, hold)
    wait = _coming(study) if is_new else None
    if wait:
        hold.give_back(after=wait)
        ring(study.pk, after=wait)
    return bool(wait)


def _look_first(study: Study, hold: Hold) -> None:
    """Read what has come first and show one picture of each series: the rest of a large study may take minutes."""
    index_first(study, hold)
    render_first(study, hold)
    study.refresh_from_db()
    if study.image_count:
        study_shown.send(Study, study_id=study.pk)


def _coming(study: Study) -> timedelta | None:
    """How long until the sender has been quiet for long enough; None when it has."""
    wait = study.changed_at + jobs.SETTLE - timezone.now()
    return wait if wait > NOW else None


def _walk(study: Study, hold: Hold) -> None:
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
        ring(study.pk, after=jobs.not_yet(study.pk) or NOW)


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
