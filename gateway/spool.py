"""What waits: every file that was promised to be published, sealed on disk until the portal has it.

    <folder>/spool.key           opens everything here; for its owner's eyes
    <folder>/spool.sqlite3       which file waits, since when, and why; nothing in it names a person
    <folder>/sealed/<id>         one DICOM file, sealed; named by chance

A file is whole and durable before its row is, and its row before the machine that sent it hears "stored".
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from threading import Lock
from typing import Any, Final
from uuid import uuid4

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.config import Keeping
from gateway.sealed import SealedFiles, kept_key
from gateway.waiting import (
    ABOUT,
    INSTANCE,
    MESSAGE,
    REPORT,
    A,
    About,
    AboutMessage,
    AboutPull,
    AboutReport,
    AnyAbout,
    Commitment,
    Letter,
    Waiting,
    Wanted,
)
from studies.store import sealing

__all__ = ["About", "AboutMessage", "AboutPull", "AboutReport", "Commitment", "InUse", "NoRoom", "Spool", "opened"]

NONCE: Final = 12
HOUR: Final = 3600.0
WAITING, PUBLISHED, DEAD = "waiting", "published", "dead"
TABLES: Final = """
    CREATE TABLE IF NOT EXISTS files (
        id TEXT PRIMARY KEY, study TEXT NOT NULL, instance TEXT NOT NULL, digest BLOB NOT NULL, about BLOB NOT NULL,
        wrapped_key BLOB NOT NULL, length INTEGER NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
        received_at REAL NOT NULL, due_at REAL NOT NULL, ended_at REAL, reason TEXT NOT NULL DEFAULT '',
        kind TEXT NOT NULL DEFAULT 'instance');
    CREATE INDEX IF NOT EXISTS by_state ON files (state, due_at);
    CREATE INDEX IF NOT EXISTS by_study ON files (study, state);
    CREATE INDEX IF NOT EXISTS by_instance ON files (instance);
    CREATE TABLE IF NOT EXISTS commitments (
        id TEXT PRIMARY KEY, about BLOB NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, due_at REAL NOT NULL);
    CREATE TABLE IF NOT EXISTS pulls (
        id TEXT PRIMARY KEY, about BLOB NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, due_at REAL NOT NULL,
        state TEXT NOT NULL, wanted_at REAL NOT NULL, reason TEXT NOT NULL DEFAULT '');
"""
_TAKEN: Final = "SELECT 1 FROM files WHERE instance = ? AND digest = ? AND state != 'dead'"


class NoRoom(Exception):
    """The disk has less room than must be left: whoever sends tries again later."""


class InUse(Exception):
    """Another gateway works on this spool."""


class Spool:
    """Safe for threads. Any process may look; only who calls `own` takes and gives."""

    def __init__(self, keeping: Keeping) -> None:
        self.keeping = keeping
        self._files = SealedFiles(keeping.folder / "sealed")
        self._key = kept_key(keeping.folder / "spool.key")
        self._words = AESGCM(sealing.derive(self._key, "gateway words"))
        self._names = sealing.derive(self._key, "gateway names")
        self._turn = Lock()
        path = keeping.folder / "spool.sqlite3"
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY, 0o600))
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; {TABLES}")
        self._lock: int | None = None
        self.heard: dict[str, float] = {}
        """When each machine sent last, since this was opened, in seconds since 1970."""
        self._warning: tuple[float, str] = (0.0, "")

    def own(self) -> None:
        """Be the one gateway that works here, until `close`. Raises InUse.

        Removes what was half written, and what was written for nobody, when the last one ended.
        """
        self._lock = os.open(self.keeping.folder / "spool.lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InUse from error
        self._files.sweep({row[0] for row in self._rows("SELECT id FROM files")})

    def close(self) -> None:
        """Let go of everything."""
        self._database.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # --- taking

    def take(self, about: About, file: bytes) -> bool:
        """Keep a file for good; False where the very same is here already. Raises NoRoom, OSError.

        When this returns, the file outlives a power cut.
        """
        return self._take(INSTANCE, about.study_uid or about.sop_uid, about.sop_uid, about, file)

    def take_report(self, about: AboutReport, content: bytes) -> bool:
        """Keep a report for good, as above; the same message again brings nothing new."""
        exam, message = about.study_uid or about.accession_number, f"{about.sender}|{about.control_id}"
        return self._take(REPORT, f"report of {exam}", message, about, content)

    def take_message(self, about: AboutMessage, content: bytes) -> bool:
        """Keep what a message says of an exam or a patient, as above. All go in the order in which they came."""
        return self._take(MESSAGE, "messages", f"{about.path} of {about.sender}|{about.control_id}", about, content)

    def _take(self, kind: str, group: str, name: str, about: AnyAbout, content: bytes) -> bool:
        self.heard[about.source] = time.time()
        digest, named = hashlib.sha256(content).digest(), self._name(name)
        if self._rows(_TAKEN, named, digest):
            return False
        if self.free_bytes() - len(content) < self.keeping.least_free_mb * 10**6:
            raise NoRoom
        file_id, key = uuid4(), sealing.new_key()
        self._files.write(file_id, key, content)
        now = time.time()
        self._change(
            "INSERT INTO files (id, study, instance, digest, about, wrapped_key, length, state, received_at, due_at,"
            " kind) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(file_id.hex, self._name(group), named, digest, self._hide(asdict(about))),
            *(sealing.wrap(key, self._key), len(content), WAITING, now, now, kind),
        )
        return True

    def free_bytes(self) -> int:
        """How much room there is."""
        return shutil.disk_usage(self.keeping.folder).free

    # --- giving

    def due(self, count: int, size: int, idle: float) -> list[Waiting[About]]:
        """The next files to publish: of one study, the oldest first, so many at most and of so many bytes in all.

        A study that still comes is left alone until it fills a batch or nothing came for `idle` seconds.
        """
        now = time.time()
        studies = self._rows(
            "SELECT study FROM files WHERE state = 'waiting' AND kind = 'instance' GROUP BY study"
            " HAVING MIN(due_at) <= ?"
            " AND (MAX(received_at) <= ? OR COUNT(*) >= ? OR SUM(length) >= ?) ORDER BY MIN(received_at) LIMIT 1",
            *(now, now - idle, count, size),
        )
        batch: list[Waiting[About]] = []
        for (study,) in studies:
            for row in self._rows(
                "SELECT id, about, length, attempts, received_at, wrapped_key FROM files"
                " WHERE study = ? AND state = 'waiting' AND due_at <= ? ORDER BY received_at, id LIMIT ?",
                *(study, now, count),
            ):
                one = Waiting(row[0], About(**self._show(row[1])), *row[2:])
                if batch and sum(each.length for each in batch) + one.length > size:
                    break
                batch.append(one)
        return batch

    def due_report(self) -> Waiting[AboutReport] | None:
        """The next report to publish. Those of one exam go in the order in which they came, whatever one waits for."""
        return self._due_one(REPORT, AboutReport)

    def due_message(self) -> Waiting[AboutMessage] | None:
        """The next message to pass on, in the order in which they came."""
        return self._due_one(MESSAGE, AboutMessage)

    def _due_one(self, kind: str, about: type[A]) -> Waiting[A] | None:
        rows = self._rows(
            "SELECT id, about, length, attempts, received_at, wrapped_key FROM files AS one"
            " WHERE kind = ? AND state = 'waiting' AND due_at <= ? AND NOT EXISTS ("
            "SELECT 1 FROM files WHERE study = one.study AND state = 'waiting' AND rowid < one.rowid)"
            " ORDER BY received_at LIMIT 1",
            *(kind, time.time()),
        )
        for row in rows:
            return Waiting(row[0], about(**self._show(row[1])), *row[2:])
        return None

    def read(self, one: Waiting[Any]) -> Iterator[bytes]:
        """The file as it was taken. Raises `sealing.Tampered`, OSError."""
        return self._files.read(one.id, sealing.unwrap(one.wrapped_key, self._key))

    # --- what came of it

    def published(self, files: Iterable[Waiting[Any]], note: str = "") -> None:
        """The portal has them."""
        self._end(files, PUBLISHED, note)

    def refused(self, one: Waiting[Any], reason: str) -> None:
        """The portal does not take it, and will not: somebody must look."""
        self._end([one], DEAD, reason)

    def _end(self, files: Iterable[Waiting[Any]], state: str, reason: str) -> None:
        ended = [(state, time.time(), reason, one.id) for one in files]
        with self._turn:
            self._database.executemany("UPDATE files SET state = ?, ended_at = ?, reason = ? WHERE id = ?", ended)

    def postpone(self, files: Sequence[Waiting[Any]], seconds: float, reason: str) -> None:
        """Try these again after so many seconds."""
        later = [(time.time() + seconds, reason, one.id) for one in files]
        with self._turn:
            self._database.executemany(
                "UPDATE files SET attempts = attempts + 1, due_at = ?, reason = ? WHERE id = ?", later
            )

    def counts(self) -> dict[str, int]:
        """Files and reports by state."""
        found = dict(self._rows("SELECT state, COUNT(*) FROM files GROUP BY state"))
        ((given_up,),) = self._rows("SELECT COUNT(*) FROM pulls WHERE state = 'dead'")
        found[DEAD] = found.get(DEAD, 0) + given_up
        return {state: found.get(state, 0) for state in (WAITING, PUBLISHED, DEAD)}

    def oldest(self) -> float | None:
        """For how many seconds the oldest has waited; None when nothing waits."""
        ((since,),) = self._rows("SELECT MIN(received_at) FROM files WHERE state = 'waiting'")
        return None if since is None else time.time() - since

    def trouble(self) -> str:
        """Why the last try of what waits did not get through, else what was warned of within an hour, else ""."""
        found = self._rows(
            "SELECT reason FROM files WHERE state = 'waiting' AND reason != '' ORDER BY due_at DESC LIMIT 1"
        )
        warned_at, words = self._warning
        return str(found[0][0]) if found else words if time.time() - warned_at < HOUR else ""

    def warn(self, words: str) -> None:
        """Something that staff should see, and that no file waits for."""
        self._warning = (time.time(), words)

    def letters(self) -> list[Letter]:
        """What the portal does not take, the newest first."""
        rows = self._rows(
            "SELECT id, about, received_at, reason, kind FROM files WHERE state = 'dead' ORDER BY ended_at DESC"
        )
        letters = [Letter(row[0], ABOUT[row[4]](**self._show(row[1])), row[2], row[3]) for row in rows]
        pulls = self._rows("SELECT id, about, wanted_at, reason FROM pulls WHERE state = 'dead' ORDER BY due_at DESC")
        return letters + [Letter(row[0], AboutPull(**self._show(row[1])), row[2], row[3]) for row in pulls]

    def retry(self, letter_id: str = "") -> int:
        """Let dead letters wait again, one or all; how many that were."""
        which = (time.time(), letter_id, letter_id)
        return self._change(
            "UPDATE files SET state = 'waiting', attempts = 0, due_at = ?, reason = '', ended_at = NULL"
            " WHERE state = 'dead' AND (? = '' OR id = ?)",
            *which,
        ) + self._change(
            "UPDATE pulls SET state = 'waiting', attempts = 0, due_at = ?, reason = ''"
            " WHERE state = 'dead' AND (? = '' OR id = ?)",
            *which,
        )

    def forget(self) -> int:
        """Remove what was published longer ago than it is kept; how many files that were."""
        before = time.time() - self.keeping.keep_days * 86400
        old = self._rows("SELECT id FROM files WHERE state = 'published' AND ended_at <= ?", before)
        for (file_id,) in old:
            self._files.remove(file_id)
            self._change("DELETE FROM files WHERE id = ?", file_id)
        return len(old)

    # --- what is wanted from the archive

    def want(self, exam: AboutPull, seconds: float) -> bool:
        """Want the images of an exam, from so many seconds on; False where they were wanted before."""
        name, now = self._name(f"pull {exam.accession_number}"), time.time()
        return bool(
            self._change(
                "INSERT OR IGNORE INTO pulls (id, about, due_at, state, wanted_at) VALUES (?, ?, ?, 'waiting', ?)",
                *(name, self._hide(asdict(exam)), now + seconds, now),
            )
        )

    def due_pull(self) -> Wanted | None:
        """The next exam to pull."""
        rows = self._rows(
            "SELECT id, about, attempts FROM pulls WHERE state = 'waiting' AND due_at <= ? ORDER BY due_at LIMIT 1",
            time.time(),
        )
        return Wanted(rows[0][0], AboutPull(**self._show(rows[0][1])), rows[0][2]) if rows else None

    def count_of(self, study_uid: str) -> int:
        """How many instances of a study have come here, as far as they are still kept."""
        ((count,),) = self._rows(
            "SELECT COUNT(DISTINCT instance) FROM files WHERE study = ? AND kind = 'instance'", self._name(study_uid)
        )
        return int(count)

    def note_here(self, pull: Wanted, here: int) -> None:
        """Remember how many had come."""
        about = self._hide(asdict(replace(pull.about, here=here)))
        self._change("UPDATE pulls SET about = ? WHERE id = ?", about, pull.id)

    def pulled(self, pull: Wanted) -> None:
        """All of it is here."""
        self._change("UPDATE pulls SET state = 'published', reason = '' WHERE id = ?", pull.id)

    def not_pulled(self, pull: Wanted, reason: str) -> None:
        """It is given up: somebody must look."""
        self._change(
            "UPDATE pulls SET state = 'dead', reason = ?, due_at = ? WHERE id = ?", reason, time.time(), pull.id
        )

    def pull_later(self, pull: Wanted, seconds: float, reason: str) -> None:
        """Look again after so many seconds."""
        self._change(
            "UPDATE pulls SET attempts = attempts + 1, due_at = ?, reason = ? WHERE id = ?",
            *(time.time() + seconds, reason, pull.id),
        )

    # --- storage commitment

    def promise(self, peer: str, transaction_uid: str, instances: list[tuple[str, str]]) -> None:
        """Remember what a machine wants to hear of."""
        about = {"peer": peer, "transaction_uid": transaction_uid, "instances": instances}
        self._change(
            "INSERT INTO commitments (id, about, due_at) VALUES (?, ?, ?)", uuid4().hex, self._hide(about), time.time()
        )

    def promises(self) -> list[Commitment]:
        """What machines wait to hear of, as far as it is time to try."""
        rows = self._rows("SELECT id, about, attempts FROM commitments WHERE due_at <= ?", time.time())
        return [Commitment.kept(row[0], self._show(row[1]), row[2]) for row in rows]

    def state_of(self, sop_uid: str) -> str:
        """What became of an instance; "" for one that never came."""
        rows = self._rows(
            "SELECT state FROM files WHERE instance = ? ORDER BY received_at DESC LIMIT 1", self._name(sop_uid)
        )
        return str(rows[0][0]) if rows else ""

    def kept(self, promise: Commitment) -> None:
        """The machine has heard."""
        self._change("DELETE FROM commitments WHERE id = ?", promise.id)

    def wait_with(self, promise: Commitment, seconds: float) -> None:
        """Look at a promise again after so many seconds."""
        self._change(
            "UPDATE commitments SET attempts = attempts + 1, due_at = ? WHERE id = ?", time.time() + seconds, promise.id
        )

    # --- below

    def _name(self, uid: str) -> str:
        """A name for a UID that tells nobody which it is."""
        return hmac.new(self._names, uid.encode(), hashlib.sha256).hexdigest()[:32]

    def _hide(self, words: dict[str, Any]) -> bytes:
        nonce = os.urandom(NONCE)
        return nonce + self._words.encrypt(nonce, json.dumps(words).encode(), None)

    def _show(self, hidden: bytes) -> dict[str, Any]:
        shown: dict[str, Any] = json.loads(self._words.decrypt(hidden[:NONCE], hidden[NONCE:], None))
        return shown

    def _rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._turn:
            return self._database.execute(sql, values).fetchall()

    def _change(self, sql: str, *values: Any) -> int:
        with self._turn:
            return self._database.execute(sql, values).rowcount


@contextmanager
def opened(keeping: Keeping) -> Iterator[Spool]:
    """A spool, closed at the end."""
    spool = Spool(keeping)
    try:
        yield spool
    finally:
        spool.close()
