"""The queue of record: one row for each study that still wants work, and who holds it.

A broker may lose, repeat or reorder messages; a row in the same transaction as what it announces cannot. A worker
that dies leaves its hold behind, and the hold ends by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from accounts.rows import Columns, change, fetch, insert, locking
from studies.models import Job, Study

# Senders deliver a study in many requests. Of a new one something is shown at once; the rest of the work begins when
# it has been quiet for SETTLE, but the pictures of a slow delivery need not wait for its end.
SETTLE = timedelta(seconds=0.6)
PATIENCE = timedelta(seconds=10)
# Each pass over a study writes its stacks anew. So the more there is, the more is waited for.
SEALED_A_SECOND = 250
"""Pictures that may be taken over for each second that a study waits."""

HOLD = timedelta(seconds=45)  # longer than any single call into the sandbox; renewed before each
ATTEMPTS = 5
TRIED = 4  # jobs of a facility that other workers may snatch away before it is the next one's turn


_JOB = Columns(Job, "study_id", "since", "failure", "dead_at")
_WANTED = f"SELECT {_JOB.of('job')} FROM studies_job job WHERE job.study_id = %s"  # noqa: S608 - our own names
_WANTED_ANEW = "UPDATE studies_job SET due_at = %s, attempts = 0, failure = '', dead_at = NULL WHERE study_id = %s"


class Lost(Exception):
    """The hold ended and somebody else may have the job: what was prepared must not be written."""


class Hold:
    """Leave to work on one study until a moment; who renews it in time keeps it."""

    def __init__(self, study_id: UUID, until: datetime) -> None:
        self.study_id = study_id
        self._until = until

    def renew(self) -> None:
        """Hold for another while, or raise Lost."""
        until = max(timezone.now() + HOLD, self._until + timedelta(microseconds=1))
        if not self._mine().update(held_until=until):
            raise Lost
        self._until = until

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction that only the holder can commit: a worker given up for dead writes nothing.

        Locks the study before the job, as a publication does (see `want`).
        """
        before = self._until
        try:
            with transaction.atomic():
                Study.objects.select_for_update(no_key=True).only("pk").get(pk=self.study_id)
                self.renew()
                yield
        except BaseException:
            self._until = before  # what was rolled back was the renewal too
            raise

    def finish(self) -> None:
        """The study wants nothing more. Call within `writing`."""
        self._mine().delete()

    def give_back(self, *, after: timedelta = timedelta(0)) -> None:
        """Let go, unfinished through nobody's fault; the job is due again when it was, but not before `after`."""
        with transaction.atomic():
            for job in self._mine().select_for_update():
                job.held_until = None
                job.due_at = max(job.due_at, timezone.now() + after)
                job.attempts = max(job.attempts - 1, 0)
                job.save()

    def fail(self, error: Exception) -> None:
        """Let go after an error: the job is due again later and later, and after the last attempt it is buried."""
        with transaction.atomic():
            for job in self._mine().select_for_update():
                job.failure = type(error).__name__  # without its message, which may quote a file
                job.held_until = None
                job.due_at = timezone.now() + timedelta(seconds=2**job.attempts)
                job.dead_at = timezone.now() if job.attempts >= ATTEMPTS else None
                job.save()

    def _mine(self) -> QuerySet[Job]:
        return Job.objects.filter(pk=self.study_id, held_until=self._until)


def want(study: Study, job: Job | None = None) -> timedelta | None:
    """Ask for work on a study, in the transaction of the publication that changed it.

    Return after how long somebody should ring for it; None when a bell that will ring again is under way. Call it
    after the study's own row was written: everybody locks the study first and its job second. A job that was given
    up is taken up again, for the new bytes may be what was missing. `job` is what was just read of it, if anything.
    """
    now = timezone.now()
    due = now + pause(study)
    job = job or _present(study)
    if job and change(_WANTED_ANEW, min(due, job.since + PATIENCE + _sealing(study)), study.pk):
        return due - now if job.failure or job.dead_at else None
    insert([Job(study=study, since=now, due_at=due)])  # whoever holds the study's row keeps anybody else from it
    return due - now


def _present(study: Study) -> Job | None:
    found = fetch(_WANTED + locking("job"), study.pk)
    return _JOB.take(iter(found[0])) if found else None


def pause(study: Study) -> timedelta:
    """How long a study must have been quiet before work on it begins. A new one need not be."""
    if not study.instance_count:
        return timedelta(0)
    return SETTLE + _sealing(study)


def _sealing(study: Study) -> timedelta:
    return timedelta(seconds=study.image_count / SEALED_A_SECOND)


def not_yet(study_id: UUID) -> timedelta | None:
    """How long until the study's job is due; None when it is, or has no need of a bell."""
    now = timezone.now()
    due_at = _free(now).filter(pk=study_id, due_at__gt=now).values_list("due_at", flat=True).first()
    return due_at - now if due_at else None


def take(study_id: UUID, *, at_once: bool = False) -> Hold | None:
    """Hold the study's job, or None: nothing to do, not yet (unless `at_once`), or somebody else is at it.

    Counts as an attempt at once, so that a study which kills its worker cannot do so for ever.
    """
    now = timezone.now()
    until = now + HOLD
    free = _free(now) if at_once else due(now)
    # What is published from now on is a new change: `since` starts anew.
    taken = free.filter(pk=study_id).update(held_until=until, attempts=F("attempts") + 1, since=now)
    return Hold(study_id, until) if taken else None


class Turns:
    """Whose study a worker takes next: that of the facility it served the longest ago, if at all.

    A facility with five thousand studies then delays another's only one by the study that is being worked on.
    """

    def __init__(self) -> None:
        self._served: dict[UUID, int] = {}
        self._numbers = count(1)

    def take(self) -> Hold | None:
        """Hold a job that is due; None when there is none that nobody else was quicker to take."""
        waiting = due(timezone.now())
        facilities = waiting.order_by().values_list("study__facility_id", flat=True).distinct()
        for facility_id in sorted(facilities, key=lambda one: self._served.get(one, 0)):
            for study_id in waiting.filter(study__facility_id=facility_id).values_list("pk", flat=True)[:TRIED]:
                if hold := take(study_id):
                    self._served[facility_id] = next(self._numbers)
                    return hold
        return None


turns = Turns()
"""Those of this process; others take turns by themselves."""


def due(now: datetime) -> QuerySet[Job]:
    """Jobs that a worker may take, the longest due first."""
    return _free(now).filter(due_at__lte=now).order_by("due_at")


def free_all() -> int:
    """End every hold. For the only worker of a site, at its start: whoever held a job is dead.

    Were that wrong, a job would be done twice and kept once (see `Hold.writing`).
    """
    return Job.objects.exclude(held_until=None).update(held_until=None)


def bury(now: datetime) -> int:
    """Give up the jobs whose last attempt ended without a word: the worker died over each of them."""
    silent = Job.objects.filter(dead_at=None, held_until__lte=now, attempts__gte=ATTEMPTS)
    return silent.update(dead_at=now, failure="WorkerDied")


def _free(now: datetime) -> QuerySet[Job]:
    free = Q(held_until=None) | Q(held_until__lte=now)
    return Job.objects.filter(free, dead_at=None, attempts__lt=ATTEMPTS)
