"""Whose a file is, and whether it is all there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from studies.dicom.opening import (
    DEFLATED,
    INFLATED_IDENTITY_LIMIT,
    SEQUENCE_END,
    UNDEFINED_LENGTH,
    Opened,
    open_dataset,
)
from studies.dicom.values import ideographic, integer, name, text, uid
from studies.sandbox.registry import Answer, task

IDENTITY: dict[str, tuple[Callable[[Dataset, str], Any], str]] = {
    "sop_class_uid": (uid, "SOPClassUID"),
    "sop_uid": (uid, "SOPInstanceUID"),
    "study_uid": (uid, "StudyInstanceUID"),
    "series_uid": (uid, "SeriesInstanceUID"),
    "patient_id": (text, "PatientID"),
    "issuer": (text, "IssuerOfPatientID"),
    "patient_name": (name, "PatientName"),
    "patient_name_ideographic": (ideographic, "PatientName"),
    "birth_date": (text, "PatientBirthDate"),
    "sex": (text, "PatientSex"),
    "accession_number": (text, "AccessionNumber"),
    "modality": (text, "Modality"),
}


def identify(prefix: bytes, size: int = 0) -> dict[str, Any]:
    """Whose the file is, from its beginning: for files the streaming walk would not read.

    Same names as `facts`, and `transfer_syntax_uid`. `cut` says that a file of `size` bytes in all ends before
    what it declares; where nobody can tell, it is False.
    """
    opened = open_dataset(prefix, INFLATED_IDENTITY_LIMIT)
    # First, for an element that was asked for its value no longer says how long it should be.
    cut = opened.transfer_syntax != DEFLATED and _is_cut(opened, prefix, max(size, len(prefix)))
    said = {name: read(opened.dataset, keyword) for name, (read, keyword) in IDENTITY.items()}
    return {**said, "transfer_syntax_uid": opened.transfer_syntax, "cut": cut}


def _is_cut(opened: Opened, prefix: bytes, size: int) -> bool:
    """Whether the file ends too early. pydicom hands over what is there of a value and says nothing."""
    whole = len(prefix) == size
    if opened.encapsulated:
        return whole and SEQUENCE_END not in prefix[opened.pixel_offset :]
    if opened.pixels:
        return opened.pixel_offset + opened.pixel_length > size
    if not whole or _ends_in_an_element(opened.dataset, size):
        return whole
    return all(integer(opened.dataset, keyword) for keyword in ("Rows", "Columns", "BitsAllocated"))


def _ends_in_an_element(dataset: Dataset, size: int) -> bool:
    """Whether some value reaches beyond the file."""
    end = 0
    for tag in sorted(dataset.keys()):
        element: Any = dataset.get_item(tag)
        if isinstance(element, RawDataElement) and element.length != UNDEFINED_LENGTH:
            end = max(end, element.value_tell + element.length)
    return end > size


@task("identify")
def _identify(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    return identify(blobs[0], int(args.get("size", 0))), []
