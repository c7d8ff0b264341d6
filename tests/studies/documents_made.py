"""DICOM documents made for tests."""

from __future__ import annotations

from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import BasicTextSRStorage, EncapsulatedPDFStorage

from tests.factories import dicom_bytes, uid
from tests.studies.pdfs_made import pdf

PDF = pdf("Lungs clear.")
ENCAPSULATED_CDA = "1.2.840.10008.5.1.4.1.1.104.2"
DOSE_SR = "1.2.840.10008.5.1.4.1.1.88.67"
ENHANCED_SR = "1.2.840.10008.5.1.4.1.1.88.22"
COMPREHENSIVE_3D_SR = "1.2.840.10008.5.1.4.1.1.88.34"
CHEST_CAD_SR = "1.2.840.10008.5.1.4.1.1.88.65"


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


def document_object(sop_class: str, document: bytes, **attributes: Any) -> bytes:
    """An encapsulated document (PS3.3 §A.45)."""
    even = document + b"\0" * (len(document) % 2)
    said = {"EncapsulatedDocument": even, "EncapsulatedDocumentLength": len(document), **attributes}
    return dicom_bytes(named(sop_class, Modality="DOC", **said))


def pdf_object(document: bytes = PDF, **attributes: Any) -> bytes:
    """An encapsulated PDF."""
    return document_object(EncapsulatedPDFStorage, document, **attributes)


def code(meaning: str, value: str = "1", scheme: str = "99TEST") -> list[Dataset]:
    """A code sequence of one item."""
    ds = Dataset()
    ds.CodeValue, ds.CodingSchemeDesignator, ds.CodeMeaning = value, scheme, meaning
    return [ds]


def item(kind: str, name: str = "", children: list[Dataset] | None = None, **attributes: Any) -> Dataset:
    """A content item of a structured report. A name may be a code: "DCM:121070:Findings"."""
    ds = Dataset()
    ds.ValueType = kind
    if name:
        scheme, value, meaning = name.split(":", 2) if name.count(":") == 2 else ("99TEST", "1", name)
        ds.ConceptNameCodeSequence = code(meaning, value, scheme)
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    if children:
        ds.ContentSequence = children
    return ds


def text(name: str, value: str, *children: Dataset, **attributes: Any) -> Dataset:
    """A text."""
    return item("TEXT", name, list(children), TextValue=value, **attributes)


def number(name: str, value: str, unit: str, *children: Dataset) -> Dataset:
    """A measured value."""
    return item("NUM", name, list(children), MeasuredValueSequence=measured(value, unit))


def measured(value: str, unit: str) -> list[Dataset]:
    """A measured value with its unit (UCUM)."""
    ds = Dataset()
    ds.NumericValue = value
    ds.MeasurementUnitsCodeSequence = code(unit, unit, "UCUM")
    return [ds]


def picture(sop_uid: str, frame: int | None = None, name: str = "") -> Dataset:
    """A reference to a picture."""
    referenced = Dataset()
    referenced.ReferencedSOPClassUID, referenced.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", sop_uid
    if frame is not None:
        referenced.ReferencedFrameNumber = frame
    return item("IMAGE", name, ReferencedSOPSequence=[referenced])


def after(*sop_uids: str) -> list[Dataset]:
    """A PredecessorDocumentsSequence (PS3.3 Table C.17-3)."""
    study, series = Dataset(), Dataset()
    study.StudyInstanceUID, series.SeriesInstanceUID = uid(1), uid(1, 9)
    series.ReferencedSOPSequence = []
    for sop_uid in sop_uids:
        one = Dataset()
        one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID = BasicTextSRStorage, sop_uid
        series.ReferencedSOPSequence.append(one)
    study.ReferencedSeriesSequence = [series]
    return [study]


def sr_object(
    *children: Dataset,
    title: str = "LN:18748-4:Radiology report",
    sop_class: str = BasicTextSRStorage,
    number: int = 1,
    **attributes: Any,
) -> bytes:
    """A structured report with these items under its root; `number` makes its SOP Instance UID."""
    said = {"SOPInstanceUID": uid(1, 9, number), "CompletionFlag": "COMPLETE", "VerificationFlag": "UNVERIFIED"}
    ds = named(sop_class, **{**said, **attributes})
    ds.update(item("CONTAINER", title, list(children)))
    return dicom_bytes(ds)


def radiology_report(findings: str = "Lungs clear.", impression: str = "Normal.", **attributes: Any) -> bytes:
    """A basic diagnostic imaging report (PS3.16 TID 2000)."""
    return sr_object(
        item("CODE", "DCM:121049:Language", ConceptCodeSequence=code("English"), RelationshipType="HAS CONCEPT MOD"),
        item("PNAME", "DCM:121008:Observer", PersonName="Lee^Ann", RelationshipType="HAS OBS CONTEXT"),
        item("CONTAINER", "DCM:121070:Findings", [text("DCM:121071:Finding", findings)]),
        item("CONTAINER", "DCM:121072:Impressions", [text("DCM:121073:Impression", impression)]),
        **attributes,
    )


def dose_report(total: str = "523.4", **attributes: Any) -> bytes:
    """The dose of a CT exam (PS3.16 TID 10011)."""
    acquisition = item(
        "CONTAINER",
        "DCM:113819:CT Acquisition",
        [
            text("DCM:125203:Acquisition Protocol", "Chest routine"),
            number("DCM:113830:Mean CTDIvol", "8.21", "mGy"),
            number("DCM:113838:DLP", total, "mGy.cm"),
        ],
    )
    accumulated = [
        number("DCM:113812:Total Number of Irradiation Events", "1", "{events}"),
        number("DCM:113813:CT Dose Length Product Total", total, "mGy.cm"),
    ]
    return sr_object(
        item("CONTAINER", "DCM:113811:CT Accumulated Dose Data", accumulated),
        acquisition,
        **{"title": "DCM:113701:X-Ray Radiation Dose Report", "sop_class": DOSE_SR, "number": 50, **attributes},
    )


def measurement_report(*sop_uids: str, **attributes: Any) -> bytes:
    """Measurements on pictures (PS3.16 TID 1500)."""
    place = item("SCOORD", children=[picture(one) for one in sop_uids], GraphicType="POLYLINE")
    group = [
        text("DCM:112039:Tracking Identifier", "Lesion 1"),
        item("CODE", "DCM:121071:Finding", ConceptCodeSequence=code("Nodule")),
        number("SCT:103339001:Long axis", "64.4505437946691", "mm", place),
        number("SCT:103340004:Short axis", "42.9", "mm"),
    ]
    library = item("CONTAINER", "DCM:111028:Image Library", [picture(one) for one in sop_uids])
    measurements = item("CONTAINER", "DCM:125007:Measurement Group", group)
    return sr_object(
        library,
        item("CONTAINER", "DCM:126010:Imaging Measurements", [measurements]),
        **{
            "title": "DCM:126000:Imaging Measurement Report",
            "sop_class": COMPREHENSIVE_3D_SR,
            "number": 60,
            "CompletionFlag": "PARTIAL",
            **attributes,
        },
    )
