"""Rejection notes made for tests: key object documents as a PACS sends them (IHE RAD TF-2 §4.66)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import KeyObjectSelectionDocumentStorage

from tests.factories import CT, dicom_bytes, uid

Named = tuple[int, Iterable[str]]
"""A study by its number, and SOP Instance UIDs said to be of it."""


def note(*named: Named, code: str = "113001", study: int = 1, number: int = 1, **attributes: Any) -> bytes:
    """The file of a note in study `study` that takes back what is named; its evidence and its content say so."""
    ds = Dataset()
    said: dict[str, Any] = {
        "SOPClassUID": KeyObjectSelectionDocumentStorage,
        "SOPInstanceUID": uid(study, 99, number),
        "StudyInstanceUID": uid(study),
        "SeriesInstanceUID": uid(study, 99),
        "StudyDate": "20260131",
        "StudyDescription": "CT chest",
        "AccessionNumber": f"ACC{study}",
        "Modality": "KO",
        "PatientName": "ZEBRAFISH^Maria",
        "PatientID": "P1",
        "PatientBirthDate": "19800517",
        "PatientSex": "F",
        "ValueType": "CONTAINER",
        "ConceptNameCodeSequence": [_code(code)],
        "CurrentRequestedProcedureEvidenceSequence": [_evidence(of, uids) for of, uids in named],
        "ContentSequence": [_image(one) for _, uids in named for one in uids],
        **attributes,
    }
    for keyword, value in said.items():
        setattr(ds, keyword, value)
    return dicom_bytes(ds)


def _code(value: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", "Rejected"
    return code


def _evidence(study: int, uids: Iterable[str]) -> Dataset:
    series, of = Dataset(), Dataset()
    series.SeriesInstanceUID = uid(study, 1)
    series.ReferencedSOPSequence = [_reference(one) for one in uids]
    of.StudyInstanceUID = uid(study)
    of.ReferencedSeriesSequence = [series]
    return of


def _image(sop_uid: str) -> Dataset:
    content = Dataset()
    content.RelationshipType, content.ValueType = "CONTAINS", "IMAGE"
    content.ReferencedSOPSequence = [_reference(sop_uid)]
    return content


def _reference(sop_uid: str) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = CT, sop_uid
    return reference
