"""What a practice changes in files from elsewhere, so that they lie under its own patient (IHE IRWF, PS3.3 §C.12.1).

What stood there before stays in the file, in its Original Attributes Sequence. The files come from strangers: they are
read in a process of its own, with little memory and little time.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from multiprocessing import get_context
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


@contextmanager
def coercer() -> Iterator[ProcessPoolExecutor]:
    """A process that reads files; ask it with `coerce`."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_within_limits) as process:
        yield process


def coerce(process: ProcessPoolExecutor, content: bytes, changes: Changes, to: Path) -> Named:
    """Write a file as the practice keeps it. Raises Unreadable for one that cannot be, or that takes too long."""
    try:
        return process.submit(changed, content, changes, to, datetime.now(tz=UTC)).result(timeout=MOST_SECONDS)
    except (BrokenExecutor, TimeoutError) as error:
        raise Unreadable(f"A file took more than it may ({type(error).__name__}).") from error


def changed(content: bytes, changes: Changes, to: Path, at: datetime) -> Named:
    """In the other process: change what is to be changed, write it down in the file, and write the file."""
    try:
        dataset = dcmread(BytesIO(content))
        before = _put(dataset, wanted(changes))
        if before:
            _note(dataset, before, at)
        dataset.save_as(to, enforce_file_format=True)
        meta = dataset.file_meta
        return Named(str(dataset.SOPClassUID), str(dataset.SOPInstanceUID), str(meta.TransferSyntaxUID))
    except Exception as error:  # whatever a stranger's bytes bring about
        raise Unreadable(f"A file cannot be read ({type(error).__name__}).") from error


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


def _within_limits() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
