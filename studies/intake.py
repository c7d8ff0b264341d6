"""Publish: what a facility sends becomes rows here and nowhere else.

Bytes are sealed and hashed while they come. One transaction records the instances and all that follows from them; it
is committed when their bytes are durable, and only then is the sender told. Killed before the commit, nothing has
happened: objects without a row are swept, and the sender sends again, which is always safe.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from django.db import IntegrityError, OperationalError, connection, transaction

from accounts.errors import PortalError, Unavailable
from accounts.models import Facility
from studies.receiving import known
from studies.receiving.arrivals import Arriving, Batch, Named, NotTaken
from studies.receiving.ledger import Ledger, Reason, mark
from studies.receiving.room import Allowance, Limit

TRIES: Final = 5
"""How often a batch is recorded anew when another request was quicker."""
COERCED: Final = 0xB000
"""The one warning there is: kept, but not as sent. Quarantine is that."""


@dataclass(frozen=True)
class Outcome:
    """What became of one instance. `reason` is 0, or a failure or warning reason; `sentence` explains it."""

    named: Named
    reason: int = 0
    sentence: str = ""


@dataclass
class Receipt:
    """What became of everything in one request: each instance is in one of four lists, in the order it came."""

    stored: list[Outcome] = field(default_factory=list)
    repeated: list[Outcome] = field(default_factory=list)
    quarantined: list[Outcome] = field(default_factory=list)
    failed: list[Outcome] = field(default_factory=list)
    ended: PortalError | None = None
    """Why the rest of the request was not taken, when something was."""

    @property
    def taken(self) -> list[Outcome]:
        """Everything that is safe with us, shown or not."""
        return self.stored + self.repeated + self.quarantined


def publish(
    facility: Facility,
    parts: Iterable[Iterable[bytes]],
    *,
    study_uid: str | None = None,
    expected: int = 0,
) -> Receipt:
    """Take in the instances in `parts`, each a stream of blocks of a DICOM file (PS3.10).

    `study_uid` refuses instances of other studies; `expected` is the size of everything, when known. Large
    requests are recorded in several transactions, each complete in itself. Raises `Limit`, `Unavailable` and
    whatever reading `parts` raises, unless something was recorded before: that stays, the receipt lists it and
    says in `ended` why the rest is not. Sending again is safe.
    """
    allowance = Allowance(facility, expected)
    receipt = Receipt()
    source = iter(parts)
    more = True
    while more:
        _let_go_of_connection()
        try:
            more = _take_batch(facility, source, study_uid, allowance, receipt)
        except PortalError as error:
            receipt.ended, more = error, False
    if receipt.ended and not receipt.taken:
        raise receipt.ended
    return receipt


def _take_batch(
    facility: Facility, source: Iterator[Iterable[bytes]], study_uid: str | None, allowance: Allowance, receipt: Receipt
) -> bool:
    """Take in and record what fits into one transaction; tell whether more may follow."""
    with Batch(facility.pk).open() as batch:
        failed_before = len(receipt.failed)
        more = _fill(batch, source, study_uid, allowance, receipt)
        refused = len(receipt.failed) - failed_before
        if batch.arrivals or refused:
            allowance.keep(_settle(facility, batch, refused, receipt))
    return more


def _fill(
    batch: Batch, source: Iterator[Iterable[bytes]], study_uid: str | None, allowance: Allowance, receipt: Receipt
) -> bool:
    """Take in parts until the batch is full or a limit is reached; tell whether more may follow."""
    try:
        for part in source:
            allowance.admit()
            _take(batch, iter(part), study_uid, allowance, receipt)
            if batch.is_full:
                return True
    except Limit as limit:
        receipt.ended = limit
    return False


def _take(batch: Batch, blocks: Iterator[bytes], study_uid: str | None, allowance: Allowance, receipt: Receipt) -> None:
    arriving = Arriving(batch, study_uid)
    try:
        batch.arrivals.append(arriving.take(blocks, allowance))
    except NotTaken as refusal:
        receipt.failed.append(Outcome(arriving.named, refusal.reason, refusal.sentence))
        for block in blocks:
            allowance.spend(len(block))


def _settle(facility: Facility, batch: Batch, refused: int, receipt: Receipt) -> int:
    """Make the bytes durable and record them; return how many are new. Packs that bring nothing are never kept."""
    if not batch.is_small:  # many bytes that are known are not worth a sync
        given = known.given(facility, {arrival.named.sop_uid for arrival in batch.arrivals}).marks
        batch.keep({arrival.pack.id for arrival in batch.arrivals if mark(arrival) not in given})
    batch.begin()
    judged = _record(facility, batch, refused)
    for arrival, (is_new, reason) in zip(batch.arrivals, judged, strict=True):
        if reason:
            receipt.quarantined.append(Outcome(arrival.named, COERCED, _sentence(reason)))
        else:
            (receipt.stored if is_new else receipt.repeated).append(Outcome(arrival.named))
    return sum(arrival.length for arrival, (is_new, _) in zip(batch.arrivals, judged, strict=True) if is_new)


def _record(facility: Facility, batch: Batch, refused: int) -> list[tuple[bool, Reason | None]]:
    """Record a batch in one transaction; from the start again when another writer took a name first.

    When the database fails, durable packs are left to the sweep: the commit may have happened all the same, and
    then rows name them.
    """
    for _ in range(TRIES - 1):
        with suppress(IntegrityError):
            return _record_once(facility, batch, refused)
    return _record_once(facility, batch, refused)


def _record_once(facility: Facility, batch: Batch, refused: int) -> list[tuple[bool, Reason | None]]:
    try:
        with transaction.atomic(durable=True):
            ledger = Ledger(facility, batch.arrivals, batch.packs)
            judged = [ledger.enter(arrival) for arrival in batch.arrivals]
            batch.keep(ledger.packs)
            ledger.save(refused)
            batch.settle()  # no row is committed before its bytes are durable
    except OperationalError as error:
        raise Unavailable from error
    return judged


def _sentence(reason: Reason) -> str:
    return f"Kept, but not shown: {reason.label} The facility's staff decide at the desk."


def _let_go_of_connection() -> None:
    # A slow upload must not hold one of the few connections of PostgreSQL's pool while it reads.
    if connection.vendor == "postgresql" and not connection.in_atomic_block:
        connection.close()
