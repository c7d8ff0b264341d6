"""What leaves by itself: rows, written with the deed that they tell of and sent by the worker afterwards.

No server outside can make a deed fail or slow, and none that is away loses a message. A worker that dies between
sending one and saying so sends it again: twice is better than never. `accounts.letters` and `accounts.texts` are the
two ways out.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.dispatch import Signal
from django.utils import timezone

from accounts.models import Outgoing

logger = logging.getLogger("lightbox.outbox")

HOLD: Final = timedelta(minutes=2)  # longer than a server may take (its time-out, a few times over)
FIRST_PAUSE: Final = timedelta(seconds=30)
LONGEST_PAUSE: Final = timedelta(hours=4)
PATIENCE: Final = timedelta(days=3)
KEPT: Final = timedelta(days=30)
SENT_AT_ONCE: Final = 50

SENT, FAILED, BOUNCED = "sent", "failed", "bounced"

settled = Signal()
"""Sent with `message_id` (UUID), `outcome` (SENT, FAILED or BOUNCED) and `trouble` when a message has left or never
will; BOUNCED may come long after SENT."""

M = TypeVar("M", bound=Outgoing)


@dataclass(frozen=True)
class WayOut(Generic[M]):
    """How the rows of one table leave."""

    rows: type[M]
    send: Callable[[M], None]
    """Hand one message to the server; OSError when that fails."""
    is_refused: Callable[[OSError], bool]
    """Whether the server spoke of this message alone, and is well otherwise."""
    is_final: Callable[[OSError], bool]
    """Whether to send it again would be of no use."""
    emptied: Mapping[str, str] = field(default_factory=dict)
    """What is forgotten of a row once it is settled."""

    def deliver_due(self) -> None:
        """Send whatever is due: what had its bell lost, and what is to be tried again.

        Stops at the first that the server does not take: while it is away, a worker that waits for it once for each
        message would do nothing else.
        """
        for message_id in self._due().order_by("due_at").values_list("pk", flat=True)[:SENT_AT_ONCE]:
            if not self.deliver(message_id):
                return

    def deliver(self, message_id: UUID) -> bool:
        """Send one message; nothing when it is sent, given up, not due, or in somebody else's hands.

        Whether the server is well, as far as this message tells.
        """
        now = timezone.now()
        if not self._due().filter(pk=message_id).update(due_at=now + HOLD, attempts=F("attempts") + 1):
            return True
        message = self.rows._default_manager.get(pk=message_id)
        try:
            self.send(message)
        except OSError as error:  # whatever smtplib, urllib and the network raise
            self._put_off(message, error)
            return self.is_refused(error)
        self._settle(message, SENT, sent_at=timezone.now(), failure="")
        return True

    def bounce(self, message_id: UUID, trouble: str) -> bool:
        """Note that a message came back; whether there was one that had not yet."""
        came_back = self.rows._default_manager.filter(pk=message_id, failed_at=None)
        message = came_back.first()
        if message is None:
            return False
        self._settle(message, BOUNCED, trouble, failed_at=timezone.now(), failure=trouble[:80])
        return True

    def forget_settled(self) -> int:
        """Delete rows that were settled long ago. Returns how many went."""
        past = timezone.now() - KEPT
        return self.rows._default_manager.filter(Q(sent_at__lt=past) | Q(failed_at__lt=past)).delete()[0]

    def _due(self) -> QuerySet[M]:
        return self.rows._default_manager.filter(sent_at=None, failed_at=None, due_at__lte=timezone.now())

    def _put_off(self, message: M, error: OSError) -> None:
        """Try again later and later; give up after three days, or at once when it will never be taken."""
        failure, now = type(error).__name__, timezone.now()
        due_at = now + min(FIRST_PAUSE * 2 ** min(message.attempts - 1, 16), LONGEST_PAUSE)
        if self.is_final(error) or due_at > message.created_at + PATIENCE:
            logger.error("%s is given up: %s", message, failure)
            self._settle(message, FAILED, failure, failed_at=now, failure=failure)
            return
        logger.warning("%s waits: %s", message, failure)
        self.rows._default_manager.filter(pk=message.pk).update(due_at=due_at, failure=failure)

    def _settle(self, message: M, outcome: str, trouble: str = "", **said: Any) -> None:
        """Say how it ended, and forget the words."""
        words = {} if settings.DEMO else self.emptied
        self.rows._default_manager.filter(pk=message.pk).update(**said, **words)
        settled.send(sender=self.rows, message_id=message.pk, outcome=outcome, trouble=trouble)
