"""Headers to directory records (PS3.3 §F.5), the bricks of a DICOMDIR. Runs inside the sandbox only.

Records demand what many real files lack: a patient ID, a study date, numbers. Such a value is invented here,
in the record alone; the file keeps saying nothing. `studies.dicomdir` puts the records in their order.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import Any

from pydicom import config
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_partial
from pydicom.filewriter import write_dataset
from pydicom.tag import BaseTag
from pydicom.uid import UID

from studies.dicom import open_dataset
from studies.refusals import NotReadable
from studies.sandbox.registry import Answer, task
from studies.takehome.dicomdir import Place
from studies.values import dicom_date, dicom_time

config.settings.writing_validation_mode = config.IGNORE

UTF_8 = "ISO_IR 192"

PATIENT = ("PatientName", "PatientID")
STUDY = (
    "StudyDate", "StudyTime", "AccessionNumber", "StudyDescription", "StudyInstanceUID", "StudyID",
)  # fmt: skip
SERIES = ("Modality", "SeriesDescription", "SeriesInstanceUID", "SeriesNumber")
_CONTENT = ("ContentDate", "ContentTime", "InstanceNumber")
_LABEL = ("ContentLabel", "ContentDescription", "ContentCreatorName")

LEAVES: dict[str, tuple[str, ...]] = {
    "IMAGE": ("InstanceNumber",),
    "SR DOCUMENT": (*_CONTENT, "ConceptNameCodeSequence", "CompletionFlag", "VerificationFlag"),
    "KEY OBJECT DOC": (*_CONTENT, "ConceptNameCodeSequence"),
    "PRESENTATION": (
        "InstanceNumber", *_LABEL, "PresentationCreationDate", "PresentationCreationTime",
        "ReferencedSeriesSequence", "BlendingSequence",
    ),
    "WAVEFORM": _CONTENT,
    "ENCAP DOC": (*_CONTENT, "ConceptNameCodeSequence", "DocumentTitle", "MIMETypeOfEncapsulatedDocument"),
    "RT DOSE": ("InstanceNumber", "DoseSummationType"),
    "RT STRUCTURE SET": (
        "InstanceNumber", "StructureSetLabel", "StructureSetDate", "StructureSetTime",
    ),
    "RT PLAN": ("InstanceNumber", "RTPlanLabel", "RTPlanDate", "RTPlanTime"),
    "RT TREAT RECORD": ("InstanceNumber", "TreatmentDate", "TreatmentTime"),
    "SPECTROSCOPY": (
        *_CONTENT, "ImageType", "NumberOfFrames", "Rows", "Columns", "DataPointRows", "DataPointColumns",
    ),
    "RAW DATA": _CONTENT,
    "REGISTRATION": (*_CONTENT, *_LABEL),
    "FIDUCIAL": (*_CONTENT, *_LABEL),
    "VALUE MAP": (*_CONTENT, *_LABEL),
    "MEASUREMENT": (*_CONTENT, *_LABEL),
    "SURFACE": (*_CONTENT, *_LABEL),
    "TRACT": (*_CONTENT, *_LABEL),
    "STEREOMETRIC": (),
}  # fmt: skip

# The end of an SOP class's keyword, and its record. What has rows and is not here is an image.
TYPES = {
    "SRStorage": "SR DOCUMENT",
    "ProcedureLogStorage": "SR DOCUMENT",
    "SpectaclePrescriptionReportStorage": "SR DOCUMENT",
    "MacularGridThicknessAndVolumeReportStorage": "SR DOCUMENT",
    "KeyObjectSelectionDocumentStorage": "KEY OBJECT DOC",
    "PresentationStateStorage": "PRESENTATION",
    "BasicStructuredDisplayStorage": "PRESENTATION",
    "WaveformStorage": "WAVEFORM",
    "EncapsulatedPDFStorage": "ENCAP DOC",
    "EncapsulatedCDAStorage": "ENCAP DOC",
    "EncapsulatedSTLStorage": "ENCAP DOC",
    "EncapsulatedOBJStorage": "ENCAP DOC",
    "EncapsulatedMTLStorage": "ENCAP DOC",
    "RTDoseStorage": "RT DOSE",
    "RTStructureSetStorage": "RT STRUCTURE SET",
    "RTPlanStorage": "RT PLAN",
    "RTIonPlanStorage": "RT PLAN",
    "TreatmentRecordStorage": "RT TREAT RECORD",
    "RTTreatmentSummaryRecordStorage": "RT TREAT RECORD",
    "MRSpectroscopyStorage": "SPECTROSCOPY",
    "RawDataStorage": "RAW DATA",
    "SpatialRegistrationStorage": "REGISTRATION",
    "SpatialFiducialsStorage": "FIDUCIAL",
    "RealWorldValueMappingStorage": "VALUE MAP",
    "MeasurementsStorage": "MEASUREMENT",
    "SurfaceSegmentationStorage": "SURFACE",
    "TractographyResultsStorage": "TRACT",
    "StereometricRelationshipStorage": "STEREOMETRIC",
}

# What may stay away, or be there without a value (types 2 and 3, or 1C whose condition is the file's own).
MAY_BE_EMPTY = {
    "PatientName", "AccessionNumber", "StudyDescription", "ContentDescription", "ContentCreatorName",
    "DocumentTitle", "StructureSetDate", "StructureSetTime", "RTPlanDate", "RTPlanTime", "TreatmentDate",
    "TreatmentTime",
}  # fmt: skip
MAY_BE_ABSENT = {"SeriesDescription", "ReferencedSeriesSequence", "BlendingSequence"}

INVENTED: dict[str, Any] = {
    "Modality": "OT",
    "CompletionFlag": "PARTIAL",
    "VerificationFlag": "UNVERIFIED",
    "DoseSummationType": "PLAN",
    "ImageType": ["DERIVED", "SECONDARY"],
    "MIMETypeOfEncapsulatedDocument": "application/octet-stream",
}
INVENTED_BY_VR: dict[str, Any] = {"DA": "19000101", "TM": "000000", "US": 1, "UL": 1}
UNKNOWN = "UNKNOWN"


def leaf(dataset: Dataset, place: Place) -> bytes | None:
    """Return the encoded record that refers to the instance, or None: DICOM has no record for such an object.

    Like those above it, it lacks the three elements that link it to others.
    """
    if dataset.get("SOPInstanceUID") != place.sop_uid:
        return None  # what was read is not the header of this instance
    kind = record_type(place.sop_class_uid, "Rows" in dataset)
    return _encoded(_referring(_record(dataset, kind, LEAVES[kind], place), place)) if kind else None


def above(dataset: Dataset, place: Place) -> list[bytes]:
    """Return the encoded PATIENT, STUDY and SERIES records over the instance."""
    levels = {"PATIENT": PATIENT, "STUDY": STUDY, "SERIES": SERIES}
    return [_encoded(_record(dataset, kind, keywords, place)) for kind, keywords in levels.items()]


def beginning(header: bytes) -> Dataset:
    """Read a header that may be cut anywhere: up to its last element that is whole. Raises what pydicom does."""
    with suppress(NotReadable):
        return open_dataset(header).dataset
    passed: list[BaseTag] = []

    def note(tag: BaseTag, vr: str | None, length: int) -> bool:
        passed.append(tag)
        return False

    with suppress(Exception):
        # Raises again where the cut is, but now we know which element that is in.
        read_partial(BytesIO(header), note, force=True)
    return read_partial(BytesIO(header), lambda tag, vr, length: tag == passed[-1], force=True)


def record_type(sop_class_uid: str, has_rows: bool) -> str | None:
    """Return the type of the record for an SOP class (PS3.3 §F.4, Table F.4-1), or None."""
    keyword = UID(sop_class_uid).keyword
    known = next((kind for end, kind in TYPES.items() if keyword.endswith(end)), None)
    return known or ("IMAGE" if has_rows or "ImageStorage" in keyword else None)


def _record(dataset: Dataset, kind: str, keywords: tuple[str, ...], place: Place) -> Dataset:
    record = Dataset()
    record.DirectoryRecordType = kind
    for keyword in keywords:
        element = _said(dataset, keyword)
        if element is not None:
            record[keyword] = element
        elif keyword in MAY_BE_EMPTY:
            setattr(record, keyword, None)
        elif keyword not in MAY_BE_ABSENT:
            setattr(record, keyword, _invented(keyword, place))
    # Text is decoded once, by the file's own character sets, and written in the one that holds everything.
    record.SpecificCharacterSet = UTF_8
    return record


def _referring(record: Dataset, place: Place) -> Dataset:
    record.ReferencedFileID = list(place.file_id)
    record.ReferencedSOPClassUIDInFile = place.sop_class_uid
    record.ReferencedSOPInstanceUIDInFile = place.sop_uid
    record.ReferencedTransferSyntaxUIDInFile = place.transfer_syntax_uid
    return record


def _said(dataset: Dataset, keyword: str) -> DataElement | None:
    """Return what the file says, unless that is nothing or makes no sense in a record."""
    try:
        element = dataset[keyword]
        text = str(element.value)
    except (Exception, RecursionError):
        # Values are converted at access, and pydicom lets out whatever its parts raise over broken ones.
        return None
    makes_sense = _MAKES_SENSE.get(element.VR, bool)
    return element if not element.is_empty and makes_sense(text) else None


_MAKES_SENSE: dict[str, Callable[[str], bool]] = {
    "DA": lambda text: dicom_date(text) is not None,
    "TM": lambda text: dicom_time(text) is not None,
}


def _invented(keyword: str, place: Place) -> Any:
    known = {"InstanceNumber": place.number, "SeriesNumber": place.series_number, "NumberOfFrames": 1}
    vr = dictionary_VR(keyword)
    if vr == "DA" and place.date:
        return place.date
    if vr == "SQ":
        return [_concept()]
    return INVENTED.get(keyword) or known.get(keyword) or INVENTED_BY_VR.get(vr, UNKNOWN)


def _concept() -> Dataset:
    """A title for a document that has none."""
    concept = Dataset()
    concept.CodeValue, concept.CodingSchemeDesignator = "121181", "DCM"
    concept.CodeMeaning = "DICOM Object Catalog"
    return concept


def _encoded(record: Dataset) -> bytes:
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, False
    write_dataset(out, record)
    return out.getvalue()


# --- the task of the sandbox


@task("directory records")
def _directory_records(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    """The leaf of each header, and after the first leaf of a series the three records above it.

    `counts` says how many of the blobs belong to each header: none, one or four.
    """
    counts, made, begun = [], [], set[int]()
    for header, place in zip(blobs, (Place(**place) for place in args["places"]), strict=True):
        records = _records(header, place, first=place.series_number not in begun)
        counts.append(len(records))
        made += records
        if records:
            begun.add(place.series_number)
    return {"counts": counts}, made


def _records(header: bytes, place: Place, *, first: bool) -> list[bytes]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = beginning(header)
            record = leaf(dataset, place)
            return [record, *(above(dataset, place) if first else [])] if record else []
    except (Exception, RecursionError):
        # Not to be read, or not to be written again: one instance goes without a record, not its neighbours.
        return []
