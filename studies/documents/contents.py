"""What people read in a DICOM file that is a document: a PDF, a CDA document, or a structured report; and what the
file says of it: what it is, how final, after which others, of which study.

Runs inside the sandbox only.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from pydicom.dataset import Dataset

from studies.dicom import kind_of, open_dataset, text, value_of
from studies.documents import cda
from studies.documents.structured import Structured, code_of, first, line, meaning, read_items
from studies.refusals import CannotShow, NotReadable
from studies.sandbox.registry import Answer, task

MOST_PREDECESSORS: Final = 50
UNMEANT: Final = "unmeant"
"""Of a document that is made for programs, or by one for a radiologist's eye alone: no report to a patient."""

_SR: Final = "1.2.840.10008.5.1.4.1.1.88."
_CDA: Final = "1.2.840.10008.5.1.4.1.1.104.2"
# By SOP class (PS3.4 §B.5), then by the name of the document (PS3.16 CID 7000 and the root of each template).
_BY_CLASS: Final = {
    f"{_SR}67": "dose",
    f"{_SR}68": "dose",
    f"{_SR}73": "dose",
    f"{_SR}76": "dose",
    f"{_SR}72": "measurements",  # Simplified Adult Echo
    f"{_SR}50": UNMEANT,  # Mammography CAD
    f"{_SR}65": UNMEANT,  # Chest CAD
    f"{_SR}69": UNMEANT,  # Colon CAD
    f"{_SR}40": UNMEANT,  # Procedure Log
    f"{_SR}70": UNMEANT,  # Implantation Plan
    f"{_SR}71": UNMEANT,  # Acquisition Context
    f"{_SR}74": UNMEANT,  # Planned and Performed Imaging Agent Administration
    f"{_SR}75": UNMEANT,
    f"{_SR}77": UNMEANT,  # Waveform Annotation
}
_BY_NAME: Final = {
    "DCM:113701": "dose",
    "DCM:113500": "dose",
    "DCM:113520": "dose",
    "DCM:126000": "measurements",
    "DCM:126001": "measurements",
    "DCM:126002": "measurements",
    "DCM:126003": "measurements",
    "DCM:125000": "measurements",  # OB-GYN Ultrasound
    "DCM:125100": "measurements",  # Vascular Ultrasound
    "DCM:125200": "measurements",  # Adult Echocardiography
    "DCM:111036": UNMEANT,  # Mammography CAD
    "DCM:112000": UNMEANT,  # Chest CAD
    "DCM:112220": UNMEANT,  # Colon CAD
    "DCM:121181": UNMEANT,  # DICOM Object Catalog
}
_REPORT_CODES: Final = frozenset({"LN:18748-4", "LN:11528-7", "LN:18782-3", "LN:68604-8"})
_REPORT: Final = re.compile(
    r"report|befund|informe|rapport|referto|relat[oó]rio|laudo|compte.rendu|レポート|報告|报告|판독|보고", re.IGNORECASE
)
_DOSE: Final = re.compile(r"\bdos(e|is)\b", re.IGNORECASE)
# Siemens puts a ZIP of the scanner's protocol into a structured report, in a series of this name.
_PHOENIX: Final = re.compile(r"phoenix\s*zip", re.IGNORECASE)


@dataclass(frozen=True)
class Document:
    """A document's media type and content, and what the file says of it (see `_about`)."""

    media_type: str
    content: bytes
    about: dict[str, Any]


@task("document")
def _document(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    """The document in one file: its media type, what people read, and what the file says of it."""
    found = document(blobs[0])
    return {"media_type": found.media_type, "about": found.about}, [found.content]


def document(content: bytes) -> Document:
    """The PDF as it was put in, or as application/dicom the items of `structured` in JSON.

    Raises NotReadable; CannotShow for an object of another kind.
    """
    opened = open_dataset(content)
    dataset, kind = opened.dataset, kind_of(opened.dataset, opened.transfer_syntax)
    if kind == "pdf":
        return Document("application/pdf", encapsulated(dataset), _about(dataset, _kind_of_document(dataset)))
    if kind == "document" and line(dataset, "SOPClassUID") == _CDA:
        read = Structured(cda.read_items(_held(dataset)), cut=False, addendum=False, correction=False)
        return Document("application/dicom", _encoded(read), _about(dataset, _kind_of_document(dataset)))
    if kind == "sr":
        read = read_items(dataset)
        about = _about(dataset, _kind_of_report(dataset, read))
        return Document("application/dicom", _encoded(read), about | {"status": status(dataset, read, about["kind"])})
    raise CannotShow("other")


def _encoded(read: Structured) -> bytes:
    return json.dumps({"items": read.items, "cut": read.cut}, ensure_ascii=False).encode()


def encapsulated(dataset: Dataset) -> bytes:
    """The PDF within (PS3.3 §C.24.2), without the byte that makes its length even."""
    held = _held(dataset)
    if not held.startswith(b"%PDF"):
        raise NotReadable("unreadable")
    return held


def _held(dataset: Dataset) -> bytes:
    held = value_of(dataset, "EncapsulatedDocument")
    if not isinstance(held, bytes):
        raise NotReadable("unreadable")
    length = value_of(dataset, "EncapsulatedDocumentLength")
    return held[:length] if isinstance(length, int) and 0 < length <= len(held) else held.rstrip(b"\0")


# --- what the file says of it


def _about(dataset: Dataset, kind: str) -> dict[str, Any]:
    """Texts, cut to size; times as DICOM writes them."""
    return {
        "kind": kind,
        "status": "final",
        "title": line(dataset, "DocumentTitle") or meaning(dataset, "ConceptNameCodeSequence"),
        "sop_uid": line(dataset, "SOPInstanceUID"),
        "study_uid": line(dataset, "StudyInstanceUID"),
        "accession_number": line(dataset, "AccessionNumber"),
        "patient_id": text(dataset, "PatientID"),
        "date": line(dataset, "ContentDate"),
        "time": line(dataset, "ContentTime"),
        "zone": line(dataset, "TimezoneOffsetFromUTC"),
        "predecessors": predecessors(dataset),
    }


def status(dataset: Dataset, read: Structured, kind: str) -> str:
    """How final a structured report is (PS3.3 §C.17.2).

    UNVERIFIED alone does not make it preliminary: where nobody signs in the SR itself, every report is that. Programs
    that measure say PARTIAL of all they write, and mean it of the exam; of a report it is said of a draft.
    """
    preliminary, complete, verified = (
        line(dataset, keyword).upper() for keyword in ("PreliminaryFlag", "CompletionFlag", "VerificationFlag")
    )
    is_draft = kind == "report" and complete == "PARTIAL" and verified != "VERIFIED" and preliminary != "FINAL"
    if preliminary == "PRELIMINARY" or is_draft:
        return "preliminary"
    if read.addendum:
        return "appended"
    if read.correction:
        return "corrected"
    return "amended" if predecessors(dataset) else "final"


def predecessors(dataset: Dataset) -> list[str]:
    """The SOP Instance UIDs of the documents that this one comes after (PS3.3 Table C.17-3)."""
    found = [
        line(one, "ReferencedSOPInstanceUID")
        for study in _sequence(dataset, "PredecessorDocumentsSequence")
        for series in _sequence(study, "ReferencedSeriesSequence")
        for one in _sequence(series, "ReferencedSOPSequence")
    ]
    return list(dict.fromkeys(uid for uid in found if uid))[:MOST_PREDECESSORS]


def _sequence(dataset: Dataset, keyword: str) -> list[Dataset]:
    held = value_of(dataset, keyword)
    return [one for one in held if isinstance(one, Dataset)][:MOST_PREDECESSORS] if held else []


def _kind_of_report(dataset: Dataset, read: Structured) -> str:
    if _PHOENIX.search(line(dataset, "SeriesDescription")) or not read.items:
        return UNMEANT
    by_name = _BY_NAME.get(code_of(dataset, "ConceptNameCodeSequence"), "report")
    return _BY_CLASS.get(line(dataset, "SOPClassUID"), by_name)


def _kind_of_document(dataset: Dataset) -> str:
    """An encapsulated document may be anything that was scanned: only what calls itself a report is one."""
    if first(dataset, "ConceptNameCodeSequence") is not None:
        code = code_of(dataset, "ConceptNameCodeSequence")
        if code in _BY_NAME or code in _REPORT_CODES:
            return _BY_NAME.get(code, "report")
    said = f"{line(dataset, 'DocumentTitle')} {meaning(dataset, 'ConceptNameCodeSequence')}"
    if _DOSE.search(said):
        return "dose"
    return "report" if _REPORT.search(said) else "document"
