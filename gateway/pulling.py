"""Pull: images of exams that the RIS says are done, which nobody has sent: C-FIND and C-MOVE (PS3.4 §C.4).

One exam at a time, so that no archive ever has two moves of one. Whether all has come is known by count; what comes
late is waited for until nothing has come for a while.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydicom.dataset import Dataset

from gateway.config import Config, Peer
from gateway.receiving import line
from gateway.spool import Spool
from gateway.waiting import AboutMessage, AboutPull, Wanted

logger = logging.getLogger("gateway.pulling")

FIND, MOVE = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.2.2"
PENDING: Final = frozenset({0xFF00, 0xFF01})
DONE: Final = frozenset({"completed", "dictated", "preliminary", "final", "non_reportable", "revised", "addended"})
"""States in which an exam has images."""
AWAY: Final = "The archive does not answer."
NOTHING: Final = "The archive has no images of this exam."
SEVERAL: Final = "The archive has several studies of this accession number, and none of this patient alone."
REFUSED: Final = "The archive does not send the images: does it know this gateway's AE title and address?"
MISSING: Final = "Images of this exam are missing: the archive sent fewer than it says it has."


@dataclass(frozen=True)
class Found:
    """A study in the archive; `instances` is 0 where it does not say how many there are."""

    study_uid: str
    instances: int


class Away(Exception):
    """The archive cannot be asked now."""


class Puller:
    """Pulls the next exam each time `step` is called."""

    def __init__(self, config: Config, spool: Spool, wait: Callable[[int], float]) -> None:
        if config.pull is None:
            raise ValueError("this gateway pulls nothing")
        peer = config.peer(config.pull.peer)
        if peer is None:
            raise ValueError("the configuration names no such machine")
        self._config, self._spool, self._wait = config, spool, wait
        self._said, self._peer = config.pull, peer

    def step(self) -> int:
        """Look after one exam; 1 when all its images are here, or it was given up."""
        pull = self._spool.due_pull()
        if pull is None:
            return 0
        try:
            reason, seconds = self._bring(pull)
        except Away:
            reason, seconds = AWAY, self._wait(pull.attempts)
        if not reason:
            self._spool.pulled(pull)
            return 1
        if pull.attempts + 1 >= self._said.most_tries and reason != AWAY:
            logger.error("an exam is not pulled; it is kept as a dead letter")
            self._spool.not_pulled(pull, reason)
            return 1
        self._spool.pull_later(pull, seconds, reason)
        return 0

    def _bring(self, pull: Wanted) -> tuple[str, float]:
        """ "" when all is here; else why not, and in how many seconds to look again."""
        studies = find(self._config, self._peer, pull.about)
        if len(studies) != 1:
            return (SEVERAL if studies else NOTHING), self._wait(pull.attempts)
        (study,) = studies
        here = self._spool.count_of(study.study_uid)
        if study.instances and here >= study.instances:
            return "", 0.0
        if pull.about.here and here > pull.about.here:  # more has come since: it may still be coming
            self._spool.note_here(pull, here)
            return MISSING, self._said.idle_seconds
        self._announce(pull, study)
        if not move(self._config, self._peer, study.study_uid):
            return REFUSED, self._wait(pull.attempts)
        here = self._spool.count_of(study.study_uid)
        self._spool.note_here(pull, here)
        if here and here >= study.instances:
            return "", 0.0
        return MISSING, self._said.idle_seconds

    def _announce(self, pull: Wanted, study: Found) -> None:
        """Tell the portal how many are to come, so that patient and desk see what is missing."""
        if study.instances:
            about = AboutMessage(f"publications/{study.study_uid}", pull.about.sender, pull.about.accession_number)
            self._spool.take_message(about, json.dumps({"expected_instances": study.instances}).encode())


def wanted(post: Mapping[str, Any], sender: str) -> AboutPull | None:
    """The exam whose images a message calls for; None while it has none."""
    if post.get("state") not in DONE:
        return None
    return AboutPull(post["accession_number"], post["patient_id"], post.get("study_uid", ""), sender, 0)


def find(config: Config, peer: Peer, exam: AboutPull) -> list[Found]:
    """The studies that an archive has of an exam, by its UID, else by accession number and patient. Raises Away."""
    query = Dataset()
    query.QueryRetrieveLevel = "STUDY"
    query.StudyInstanceUID = exam.study_uid
    query.AccessionNumber = "" if exam.study_uid else exam.accession_number
    query.PatientID = exam.patient_id
    query.NumberOfStudyRelatedInstances = ""
    found: list[Found] = []
    with line(config, peer, FIND) as association:
        if association is None:
            raise Away
        for status, said in association.send_c_find(query, FIND):
            if "Status" not in status or status.Status not in PENDING | {0}:
                raise Away
            if status.Status in PENDING and said is not None:
                found.append(Found(str(said.get("StudyInstanceUID", "")), _count(said)))
    return [one for one in found if one.study_uid]


def move(config: Config, peer: Peer, study_uid: str) -> bool:
    """Let an archive send a study to this gateway; whether it has sent, or tried to send, each. Raises Away."""
    query = Dataset()
    query.QueryRetrieveLevel, query.StudyInstanceUID = "STUDY", study_uid
    last = -1
    with line(config, peer, MOVE, patience=config.pull.idle_seconds if config.pull else 0) as association:
        if association is None:
            raise Away
        for status, _said in association.send_c_move(query, config.dicom.ae_title, MOVE):
            last = status.Status if "Status" in status else -1
    return last in (0x0000, 0xB000)  # all, or all but some


def _count(said: Dataset) -> int:
    try:
        return max(0, int(said.get("NumberOfStudyRelatedInstances") or 0))
    except (TypeError, ValueError):
        return 0
