"""What a practice changes in files from elsewhere, so that they lie under its own patient (IHE IRWF, PS3.3 §C.12.1).

What stood there before stays in the file, in its Original Attributes Sequence. The files come from strangers: they are
read in a process of its own, with little memory and little time.
"""

from __future__ import annotations

import re
import resource
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Final

from pydicom import dcmread
from pydicom.dataset import Dataset

MOST_MEMORY: Final = 4 * 2**30  # bytes
MOST_SECONDS: Final = 120  # of one file
SOURCE: Final = "Lightbox"


class Unreadable(Exception):
    """One file cannot be put under another patient, and why in words."""


@dataclass(frozen=True)
class Changes:
    """The practice's own patient and order. `accession` empty: the foreign number goes, for it names nothing here."""

    patient_id: str
    issuer: str = ""
    accession: str = ""


@dataclass(frozen=True)
class Named:
    """What one stored file is, by its own words."""

    sop_class: str
    sop_instance: str
    transfer_syntax: str


@dataclass(frozen=True)
class Shown:
    """Whose study it is, as somebody was shown and said yes to; empty where nothing was said."""

    study_uid: str
    patient_id: str = ""
    patient_name: str = ""
    birth_date: str = ""


Work = Callable[[bytes, Changes, Shown, Path, datetime], Named]


class Coercer:
    """A process that reads files. One that takes longer than it may, or dies, is replaced for the next file."""

    def __init__(self, work: Work | None = None, seconds: float = MOST_SECONDS) -> None:
        self._work, self._seconds = work or changed, seconds
        self._process: SpawnProcess | None = None

    def __enter__(self) -> Coercer:
        return self

    def __exit__(self, *_error: object) -> None:
        self._end()

    def coerce(self, content: bytes, changes: Changes, shown: Shown, to: Path) -> Named:
        """Write a file as the practice keeps it. Raises Unreadable for one that cannot be, that takes too long, or
        that is of another patient or study than was shown."""
        if self._process is None:
            self._begin()
        try:
            self._pipe.send((content, changes, shown, to, datetime.now(tz=UTC)))
            if not self._pipe.poll(self._seconds):
                raise TimeoutError
            said = self._pipe.recv()
        except (OSError, EOFError) as error:
            self._end()
            raise Unreadable("A file took more than it may.") from error
        if isinstance(said, str):
            raise Unreadable(said)
        named: Named = said
        return named

    def _begin(self) -> None:
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._work), daemon=True)
        self._process.start()
        theirs.close()  # so that this end reads of its death

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._pipe.close()
        self._process = None


def _serve(pipe: Connection, work: Work) -> None:
    """In the other process: one file after another, until nobody asks any more."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    with suppress(EOFError):
        while True:
            asked = pipe.recv()
            try:
                pipe.send(work(*asked))
            except Unreadable as error:
                pipe.send(str(error))


def changed(content: bytes, changes: Changes, shown: Shown, to: Path, at: datetime) -> Named:
    """In the other process: compare, change what is to be changed, write it down in the file, and write the file."""
    try:
        dataset = dcmread(BytesIO(content))
        _compare(dataset, shown)
        named = _named(dataset)
        before = _put(dataset, wanted(changes))
        if before:
            _note(dataset, before, at)
        dataset.save_as(to, enforce_file_format=True)
    except Unreadable:
        raise
    except Exception as error:  # whatever a stranger's bytes bring about
        raise Unreadable(f"A file cannot be read ({type(error).__name__}).") from error
    return named


def _compare(dataset: Dataset, shown: Shown) -> None:
    """What somebody has confirmed is what is stored: the same study, and as far as either says so the same person."""
    born = [str(dataset.get("PatientBirthDate", "")).strip(), shown.birth_date.strip()]
    numbers = [str(dataset.get("PatientID", "")).strip(), shown.patient_id.strip()]
    names = [_words(str(dataset.get("PatientName", ""))), _words(shown.patient_name)]
    is_other = any(all(pair) and pair[0] != pair[1] for pair in (born, numbers))
    if is_other or (all(names) and not names[0] & names[1]):
        raise Unreadable("A file is of another patient than was shown.")
    if str(dataset.get("StudyInstanceUID", "")).strip() != shown.study_uid:
        raise Unreadable("A file is of another study than was shown.")


def _words(name: str) -> set[str]:
    return {word for word in re.split(r"[\^=\s]+", name.casefold()) if word}


def _named(dataset: Dataset) -> Named:
    syntax = dataset.file_meta.TransferSyntaxUID
    named = Named(str(dataset.SOPClassUID), str(dataset.SOPInstanceUID), str(syntax))
    if not all(is_uid(uid) for uid in (named.sop_class, named.sop_instance, named.transfer_syntax)):
        raise Unreadable("A file names itself by what is no UID.")
    return named


def is_uid(text: str) -> bool:
    """Whether a text may be a UID (PS3.5 §9.1)."""
    return re.fullmatch(r"[0-9.]{1,64}", text, re.ASCII) is not None


def wanted(changes: Changes) -> dict[str, str]:
    """Attributes by keyword, as the practice has them."""
    return {
        "PatientID": changes.patient_id,
        "IssuerOfPatientID": changes.issuer,
        "AccessionNumber": changes.accession,
    }


def _put(dataset: Dataset, values: dict[str, str]) -> Dataset:
    """Set what differs; returns what stood there before."""
    before = Dataset()
    for keyword, value in values.items():
        if str(dataset.get(keyword, "")) != value:
            setattr(before, keyword, dataset.get(keyword, ""))
            setattr(dataset, keyword, value)
    return before


def _note(dataset: Dataset, before: Dataset, at: datetime) -> None:
    """PS3.3 table C.12.1-1: who changed what, when and why, after what others have noted."""
    item = Dataset()
    item.SourceOfPreviousValues = SOURCE
    item.AttributeModificationDateTime = at.strftime("%Y%m%d%H%M%S.%f+0000")
    item.ModifyingSystem = "Lightbox gateway"
    item.ReasonForTheAttributeModification = "COERCE"
    item.ModifiedAttributesSequence = [before]
    dataset.OriginalAttributesSequence = [*dataset.get("OriginalAttributesSequence", []), item]
