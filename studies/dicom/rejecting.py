"""What a key object document takes back (IHE RAD TF-2 §4.66, IOCM)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydicom.dataset import Dataset

from studies.dicom.values import item, items, text, uid

KEY_OBJECT_SELECTION = "1.2.840.10008.5.1.4.1.1.88.59"
REJECTIONS = frozenset({"113001", "113037", "113038", "113039"})
MOST_REJECTED = 10_000


def rejects(dataset: Dataset) -> dict[str, Any]:
    """What a key object document takes back when its title is one of a rejection note (IHE RAD TF-2 §4.66), else {}.

    `uids` are the SOP Instance UIDs that it names in its own study, by its evidence and its content; `beyond` is how
    many more than MOST_REJECTED those are, `elsewhere` how many it names in others.
    """
    if uid(dataset, "SOPClassUID") != KEY_OBJECT_SELECTION:
        return {}
    title = item(dataset, "ConceptNameCodeSequence", 0)
    code = text(title, "CodeValue") if title is not None else ""
    if title is None or code not in REJECTIONS or text(title, "CodingSchemeDesignator") != "DCM":
        return {}
    own: set[str] = set()
    others: set[str] = set()
    for study in items(dataset, "CurrentRequestedProcedureEvidenceSequence"):
        is_own = uid(study, "StudyInstanceUID") == uid(dataset, "StudyInstanceUID")
        for series in items(study, "ReferencedSeriesSequence"):
            (own if is_own else others).update(_referenced(series))
    for content in items(dataset, "ContentSequence"):
        own.update(set(_referenced(content)) - others)
    named = {"uids": sorted(own)[:MOST_REJECTED], "beyond": max(0, len(own) - MOST_REJECTED)}
    return {"rejects": {"code": code, **named, "elsewhere": len(others)}}


def _referenced(holder: Dataset) -> Iterator[str]:
    for reference in items(holder, "ReferencedSOPSequence"):
        if named := uid(reference, "ReferencedSOPInstanceUID"):
            yield named
