"""DICOM documents made for tests."""

from __future__ import annotations

from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import BasicTextSRStorage, EncapsulatedPDFStorage

from tests.factories import dicom_bytes, uid

PDF = b"%PDF-1.7\n%%EOF\n"


def named(sop_class: str, **attributes: Any) -> Dataset:
    """A data set without pixels, of the study that the factories make."""
    said = {
        "SOPClassUID": sop_class,
        "SOPInstanceUID": uid(1, 9, 1),
        "StudyInstanceUID": uid(1),
        "SeriesInstanceUID": uid(1, 9),
        "PatientName": "ZEBRAFISH^Maria",
        "PatientID": "P1",
        "Modality": "SR",
        "SpecificCharacterSet": "ISO_IR 192",
        **attributes,
    }
    ds = Dataset()
    for keyword, value in said.items():
        setattr(ds, keyword, value)
    return ds


def pdf_object(document: bytes = PDF, **attributes: Any) -> bytes:
    """An encapsulated PDF (PS3.3 §A.45)."""
    even = document + b"\0" * (len(document) % 2)
    said = {"EncapsulatedDocument": even, "EncapsulatedDocumentLength": len(document), **attributes}
    return dicom_bytes(named(EncapsulatedPDFStorage, Modality="DOC", **said))


def code(meaning: str, value: str = "1") -> list[Dataset]:
    """A code sequence of one item."""
    ds = Dataset()
    ds.CodeValue, ds.CodingSchemeDesignator, ds.CodeMeaning = value, "99TEST", meaning
    return [ds]


def item(kind: str, name: str = "", children: list[Dataset] | None = None, **attributes: Any) -> Dataset:
    """A content item of a structured report."""
    ds = Dataset()
    ds.ValueType = kind
    if name:
        ds.ConceptNameCodeSequence = code(name)
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    if children:
        ds.ContentSequence = children
    return ds


def measured(value: str, unit: str) -> list[Dataset]:
    """A measured value with its unit (UCUM)."""
    ds = Dataset()
    ds.NumericValue = value
    ds.MeasurementUnitsCodeSequence = code(unit, unit)
    return [ds]


def sr_object(*children: Dataset) -> bytes:
    """A structured report with these items under its root."""
    ds = named(BasicTextSRStorage)
    root = item("CONTAINER", "Radiology report", list(children))
    ds.update(root)
    return dicom_bytes(ds)
