"""What waits in the spool, and what it says of itself: files, reports, messages, exams to pull, promises."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

INSTANCE, REPORT, MESSAGE = "instance", "report", "message"


class FromMessage:
    """Something that an HL7 message brought."""

    sender: str  # MSH-3 and MSH-4

    @property
    def source(self) -> str:
        """Who sent it, in the list of dead letters."""
        return self.sender.replace("|", " ")


@dataclass(frozen=True)
class About:
    """What a file says of itself; "" where nobody could tell."""

    study_uid: str
    sop_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    source: str  # the AE title of who sent it, or "folder"


@dataclass(frozen=True)
class AboutReport(FromMessage):
    """Which exam a report is of, what it counts for, and which message brought it."""

    study_uid: str
    accession_number: str
    patient_id: str
    status: str
    is_pdf: bool
    sender: str
    control_id: str


@dataclass(frozen=True)
class AboutMessage(FromMessage):
    """Where in the portal's API it goes, and which message brought it; the content is JSON."""

    path: str
    sender: str
    control_id: str


@dataclass(frozen=True)
class AboutPull(FromMessage):
    """An exam whose images are wanted from the archive; `here` is how many had come when it was last looked at."""

    accession_number: str
    patient_id: str
    study_uid: str
    sender: str
    here: int


@dataclass(frozen=True)
class Wanted:
    """One exam to pull."""

    id: str
    about: AboutPull
    attempts: int


AnyAbout = About | AboutReport | AboutMessage | AboutPull
A = TypeVar("A", bound=AnyAbout)


@dataclass(frozen=True)
class Waiting(Generic[A]):
    """One file or report that waits."""

    id: str
    about: A
    length: int
    attempts: int
    received_at: float
    wrapped_key: bytes = field(repr=False)


@dataclass(frozen=True)
class Letter:
    """A file or a report that the portal does not take, and why."""

    id: str
    about: AnyAbout
    received_at: float
    reason: str


ABOUT: Final[dict[str, type[AnyAbout]]] = {INSTANCE: About, REPORT: AboutReport, MESSAGE: AboutMessage}


@dataclass(frozen=True)
class Commitment:
    """What a machine wants to hear of, once it is published: SOP Class and Instance UIDs (PS3.4 §J)."""

    id: str
    peer: str
    transaction_uid: str
    instances: list[tuple[str, str]]
    attempts: int = 0

    @classmethod
    def kept(cls, promise_id: str, said: dict[str, Any], attempts: int) -> Commitment:
        """As the spool keeps it."""
        instances = [(kind, uid) for kind, uid in said["instances"]]
        return cls(promise_id, said["peer"], said["transaction_uid"], instances, attempts)
