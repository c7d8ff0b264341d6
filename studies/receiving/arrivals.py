"""Instances on their way in: walked, hashed and sealed while their bytes pass, never held.

Each goes into a pack of its patient and study as soon as its header has said whose it is. What the walk over
header bytes cannot vouch for is identified by the sandbox. Nothing here is a row yet: `intake` decides what an
arrival is and records it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, Self
from uuid import UUID

from django.conf import settings
from isal.isal_zlib import crc32

from studies import sandbox
from studies.frames import encode_frames
from studies.models import FacilityPatient, SealedObject
from studies.receiving.part10 import Facts, Surprise, Walk
from studies.receiving.preamble import may_be_dicom
from studies.receiving.room import Allowance
from studies.refusals import FOR_SENDERS, Refusal
from studies.sandbox import SandboxBusy, SandboxDied
from studies.store.objects import SealedWriter

HEAD: Final = 2**20
"""Bytes of a file kept while it passes: what the sandbox is shown of one that the walk cannot read."""
OPEN_PACKS: Final = 16
BATCH: Final = 2_000
"""Arrivals recorded in one transaction, at most."""

ALONGSIDE: Final = 2**20
"""Bytes that are made durable while their rows are being written: more would keep the database waiting for the disk."""
_SYNCING: Final = ThreadPoolExecutor(32, thread_name_prefix="syncing")

# A file whose reading hangs costs its sender these seconds and no reader of the site any.
ADMISSION: Final[dict[str, Any]] = {"lane": sandbox.ADMISSION, "seconds": 5, "patience": 15, "result_limit": 2**16}

# Failure reasons of PS3.4 Table B.2-1, which STOW-RS shares (PS3.18 §10.5.3).
PROCESSING_FAILURE: Final = 0x0110
OUT_OF_RESOURCES: Final = 0xA700
DATA_SET_MISMATCH: Final = 0xA900
WRONG_STUDY: Final = 0xA901
CANNOT_UNDERSTAND: Final = 0xC000

CUT_OFF: Final = "The file was cut off on its way. Send it again."
_PLAIN = re.compile(r"[ -\[\]-~]*")  # means the same in every character set


class NotTaken(Exception):
    """One instance is refused: `reason` for programs, `sentence` (ASCII, for a header) for people."""

    def __init__(self, reason: int, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence


@dataclass(frozen=True)
class Named:
    """Whose an instance is, as its header says; "" where it does not say."""

    sop_class_uid: str = ""
    sop_uid: str = ""
    study_uid: str = ""
    series_uid: str = ""
    patient_id: str = ""
    issuer: str = ""
    patient_name: str = ""
    birth_date: str = ""
    sex: str = ""

    @classmethod
    def by(cls, said: dict[str, Any]) -> Self:
        """Take from `said` what is asked for here."""
        return cls(*[str(said.get(name, "")).strip() for name in cls.__match_args__])

    @property
    def uids(self) -> tuple[str, ...]:
        """What nothing can be stored without (PS3.18 §10.5.2)."""
        return self.sop_class_uid, self.sop_uid, self.study_uid, self.series_uid

    @property
    def is_plain(self) -> bool:
        """Whether patient ID and issuer can be trusted as ASCII."""
        return bool(_PLAIN.fullmatch(self.patient_id) and _PLAIN.fullmatch(self.issuer))

    def without_riddles(self) -> Self:
        """The same without what is no plain ASCII: indexing will read it in its character set."""
        riddles = [name for name in ("patient_name", "sex") if not _PLAIN.fullmatch(getattr(self, name))]
        return replace(self, **dict.fromkeys(riddles, "")) if riddles else self


class Pack(Protocol):
    """What an instance lies in: sealed just now, or kept since it was set aside."""

    id: UUID

    def row(self, patient: FacilityPatient | None, *, is_held: bool = False) -> SealedObject:
        """Save the pack's row as this patient's, in the caller's transaction; see `keys.hold`."""
        ...


@dataclass(frozen=True)
class Arrival:
    """One whole instance, sealed in a pack."""

    named: Named
    pack: Pack
    offset: int
    length: int
    sha256: bytes
    crc32: int
    transfer_syntax_uid: str
    pixel_offset: int | None
    frames: bytes | None


class Batch:
    """The arrivals of one facility that are recorded together, and the packs they lie in."""

    def __init__(self, facility_id: UUID) -> None:
        self.arrivals: list[Arrival] = []
        self.facility_id = facility_id
        self._packs: dict[object, SealedWriter] = {}
        self._syncing: Future[None] | None = None

    @property
    def is_full(self) -> bool:
        """No further pack may be opened, or there is enough for one transaction."""
        return len(self._packs) >= OPEN_PACKS or len(self.arrivals) >= BATCH

    def pack(self, key: object) -> SealedWriter:
        """Return the pack of everything with this key."""
        if key not in self._packs:
            self._packs[key] = SealedWriter(self.facility_id, SealedObject.Kind.PACK)
        return self._packs[key]

    @property
    def is_small(self) -> bool:
        """Whether the disk is done with it while its rows are being written."""
        return sum(pack.length for pack in self._packs.values()) <= ALONGSIDE

    @property
    def packs(self) -> set[UUID]:
        """Those that are kept."""
        return {pack.id for pack in self._packs.values()}

    def keep(self, packs: set[UUID]) -> None:
        """Let go of all other packs."""
        for key, pack in list(self._packs.items()):
            if pack.id not in packs:
                self._wait()
                pack.discard()
                del self._packs[key]

    def begin(self) -> None:
        """Make the packs durable: many bytes now, few while something else is done. Raises `StorageUnavailable`."""
        if not self.is_small:
            self._commit()
        elif kept := list(self._packs.values()):
            for pack in kept:
                pack.finish()
            self._syncing = _SYNCING.submit(_sync, kept)

    def settle(self) -> None:
        """Return when all that is kept is durable. Raises `StorageUnavailable`."""
        if self._syncing:
            self._syncing.result()
        self._commit()

    def _commit(self) -> None:
        for pack in self._packs.values():
            pack.commit_bytes()

    def _wait(self) -> None:
        if self._syncing:
            wait([self._syncing])

    @contextmanager
    def open(self) -> Iterator[Self]:
        """Leave nothing half written behind, however this ends."""
        try:
            yield self
        finally:
            self._wait()
            for pack in self._packs.values():
                pack.discard()


class Arriving:
    """One instance while it passes. `named` is what is known of it so far."""

    def __init__(self, batch: Batch, study_uid: str | None) -> None:
        self.named = Named()
        self._batch = batch
        self._study_uid = study_uid
        self._walk = Walk()
        self._digest = hashlib.sha256()
        self._crc32 = 0
        self._head: list[bytes] = []
        self._pack: SealedWriter | None = None
        self._offset = 0

    def take(self, blocks: Iterable[bytes], allowance: Allowance) -> Arrival:
        """Take the instance in. Raises `NotTaken`, `TooMuch`, `Unavailable`."""
        for block in blocks:
            allowance.spend(len(block))
            self._pass(block)
        facts = self._facts()
        syntax = facts.transfer_syntax if facts and self.named.is_plain else self._ask_sandbox()
        self._check()
        return self._arrival(self._pack or self._choose_pack(), facts, syntax)

    def _pass(self, block: bytes) -> None:
        walk = self._walk
        if walk.size < HEAD:
            self._head.append(block)
        walk.feed(block)
        if walk.size > settings.MAX_INSTANCE_BYTES:
            self._identify()
            raise NotTaken(OUT_OF_RESOURCES, "The instance is larger than is taken here. Ask the operator.")
        self._digest.update(block)
        self._crc32 = crc32(block, self._crc32)
        if self._pack:
            self._pack.write(block)
        elif walk.identity or walk.surprise or walk.size >= HEAD:
            self._identify()
            self._choose_pack()

    def _identify(self) -> None:
        if self._walk.identity and not self.named.sop_uid:
            self.named = Named.by(vars(self._walk.identity))
            self._check_study()

    def _choose_pack(self) -> SealedWriter:
        """Open the pack and write to it what was held until now."""
        named = self.named
        # Whose the file is may turn out at its end only; a pack's patient is decided even later.
        key: object = (named.patient_id, named.issuer, named.study_uid) if named.study_uid else self
        self._pack = self._batch.pack(key)
        self._offset = self._pack.length
        for block in self._head:
            self._pack.write(block)
        return self._pack

    def _facts(self) -> Facts | None:
        """Return what the walk found; None when it cannot vouch for the file."""
        try:
            facts = self._walk.finish()
        except Surprise:
            return None
        self._identify()
        if facts.truncated:
            raise NotTaken(CANNOT_UNDERSTAND, CUT_OFF)
        if facts.picture_missing:
            raise NotTaken(CANNOT_UNDERSTAND, "The file has no picture and must have one. Send it again, whole.")
        return facts

    def _ask_sandbox(self) -> str:
        """Have the sandbox say whose the file is; return its transfer syntax."""
        head = b"".join(self._head)
        if not may_be_dicom(head):
            raise NotTaken(CANNOT_UNDERSTAND, FOR_SENDERS["not dicom"])
        try:
            asked = {"size": self._walk.size}
            said = sandbox.run("identify", asked, [head], whose=self._batch.facility_id, **ADMISSION).values
        except Refusal as refusal:
            raise NotTaken(CANNOT_UNDERSTAND, refusal.for_sender) from refusal
        except SandboxBusy as busy:
            raise NotTaken(PROCESSING_FAILURE, "Too many unusual files came at once. Send it again.") from busy
        except SandboxDied as death:
            raise NotTaken(PROCESSING_FAILURE, "Reading the file failed. Send it again.") from death
        if said.get("cut"):
            raise NotTaken(CANNOT_UNDERSTAND, CUT_OFF)
        first, self.named = self.named, Named.by(said)
        if first.study_uid and not _agree(first, self.named):
            # Two readers, two answers: nobody can say whose it is.
            raise NotTaken(CANNOT_UNDERSTAND, FOR_SENDERS["unreadable"])
        return str(said["transfer_syntax_uid"])

    def _check(self) -> None:
        if not all(self.named.uids):
            raise NotTaken(
                DATA_SET_MISMATCH, "A SOP class, SOP instance, series or study UID is missing. Send all four."
            )
        if len(self.named.patient_id) > 128 or len(self.named.issuer) > 200:
            raise NotTaken(DATA_SET_MISMATCH, "The patient ID or its issuer is too long. DICOM allows 64 characters.")
        self._check_study()

    def _check_study(self) -> None:
        if self._study_uid and self.named.study_uid != self._study_uid:
            raise NotTaken(WRONG_STUDY, "The address names another study. Send the instance to its own.")

    def _arrival(self, pack: SealedWriter, facts: Facts | None, syntax: str) -> Arrival:
        named = self.named
        if facts and named.is_plain:
            named = named.without_riddles()
        return Arrival(
            named=named,
            pack=pack,
            offset=self._offset,
            length=self._walk.size,
            sha256=self._digest.digest(),
            crc32=self._crc32,
            transfer_syntax_uid=syntax,
            pixel_offset=facts.pixel_offset if facts else None,
            frames=encode_frames(facts.frames) if facts and facts.frames else None,
        )


def _sync(packs: Iterable[SealedWriter]) -> None:
    """Nothing but system calls: whatever Python does in two threads at once, they do in turns."""
    for pack in packs:
        pack.sync()


def _agree(walked: Named, parsed: Named) -> bool:
    return walked.uids == parsed.uids and (not walked.is_plain or walked.patient_id == parsed.patient_id)
