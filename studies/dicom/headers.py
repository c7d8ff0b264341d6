"""Headers to facts: everything the site keeps of an instance besides its bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydicom.dataset import Dataset

from studies.dicom.exams import exam
from studies.dicom.identity import IDENTITY
from studies.dicom.kinds import class_name, kind_of, note_of
from studies.dicom.looks import has_grey, looks
from studies.dicom.opening import open_dataset
from studies.dicom.presenting import presents
from studies.dicom.rejecting import rejects
from studies.dicom.stacking import stacked
from studies.dicom.values import functional_group, integer, name, number, numbers, text
from studies.refusals import Refusal
from studies.sandbox.registry import Answer, task

FACTS: dict[str, tuple[Callable[[Dataset, str], Any], str]] = {
    **IDENTITY,
    "study_date": (text, "StudyDate"),
    "study_time": (text, "StudyTime"),
    "study_description": (text, "StudyDescription"),
    "referring_physician": (name, "ReferringPhysicianName"),
    "institution": (text, "InstitutionName"),
    "series_number": (integer, "SeriesNumber"),
    "series_description": (text, "SeriesDescription"),
    "body_part": (text, "BodyPartExamined"),
    "laterality": (text, "Laterality"),
    "image_laterality": (text, "ImageLaterality"),
    "view_position": (text, "ViewPosition"),
    "protocol": (text, "ProtocolName"),
    "instance_number": (integer, "InstanceNumber"),
    "image_type": (text, "ImageType"),
    "rows": (integer, "Rows"),
    "columns": (integer, "Columns"),
    "samples": (integer, "SamplesPerPixel"),
    "photometric": (text, "PhotometricInterpretation"),
    "bits_allocated": (integer, "BitsAllocated"),
    "bits_stored": (integer, "BitsStored"),
    "burned_in": (text, "BurnedInAnnotation"),
    "slice_location": (number, "SliceLocation"),
    "temporal_position": (integer, "TemporalPositionIdentifier"),
    "acquisition_number": (integer, "AcquisitionNumber"),
    "echo_number": (integer, "EchoNumbers"),
    "b_value": (number, "DiffusionBValue"),
}


def facts(content: bytes) -> dict[str, Any]:
    """What the headers of one instance say, JSON-able; `content` is a file or its bytes up to the pixels.

    Texts are "" and numbers None where nothing sensible is said; dates and times stay as DICOM writes them
    (see `dicom_date`). Lengths are in mm, `frame_time` in ms, `windows` in rescaled values (PS3.3 §C.11.2).
    """
    opened = open_dataset(content)
    dataset = opened.dataset
    said = {name: read(dataset, keyword) for name, (read, keyword) in FACTS.items()}
    frames = integer(dataset, "NumberOfFrames") or 1
    kind = kind_of(dataset, opened.transfer_syntax)
    return {
        **said,
        "transfer_syntax_uid": opened.transfer_syntax,
        "kind": kind,
        "note": note_of(dataset, opened.transfer_syntax, kind),
        "class_name": class_name(dataset) if kind == "other" else "",
        "frames": max(1, frames),
        "image_position": _geometry(dataset, "PlanePositionSequence", "ImagePositionPatient", 3),
        "image_orientation": _geometry(dataset, "PlaneOrientationSequence", "ImageOrientationPatient", 6),
        "pixel_spacing": _geometry(dataset, "PixelMeasuresSequence", "PixelSpacing", 2)
        or _exactly(numbers(dataset, "ImagerPixelSpacing"), 2),
        "windows": _windows(dataset),
        "frame_time": _frame_time(dataset),
        "grey": kind in ("image", "multiframe") and has_grey(dataset),
        "looks": looks(opened),
        "frame_order": stacked(dataset),
        **exam(dataset),
        **presents(dataset),
        **rejects(dataset),
    }


def _geometry(dataset: Dataset, sequence: str, keyword: str, count: int) -> list[float]:
    found = _exactly(numbers(dataset, keyword), count)
    if not found:
        macro = functional_group(dataset, 0, sequence)
        found = _exactly(numbers(macro, keyword), count) if macro is not None else []
    return found


def _exactly(found: list[float], count: int) -> list[float]:
    return found if len(found) == count else []


def _windows(dataset: Dataset) -> list[dict[str, Any]]:
    macro = functional_group(dataset, 0, "FrameVOILUTSequence")
    holder = dataset if macro is None else macro
    centers, widths = numbers(holder, "WindowCenter"), numbers(holder, "WindowWidth")
    names = text(holder, "WindowCenterWidthExplanation").split("\\")
    function = text(holder, "VOILUTFunction") or "LINEAR"
    return [
        {"center": center, "width": width, "name": name, "function": function}
        for center, width, name in zip(centers, widths, names + [""] * len(centers), strict=False)
    ]


def _frame_time(dataset: Dataset) -> float | None:
    """Milliseconds between the frames of a cine, by the attribute a viewer should obey first."""
    for keyword in ("RecommendedDisplayFrameRate", "CineRate"):
        rate = number(dataset, keyword)
        if rate and rate > 0:
            return round(1000 / rate, 3)
    time = number(dataset, "FrameTime") or max(numbers(dataset, "FrameTimeVector")[:2], default=0)
    return time if time and time > 0 else None


@task("facts")
def _facts(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    """The facts of many headers; one that cannot be read is `{"refused": code}` and costs no neighbour."""
    return {"facts": [_facts_or_refusal(blob) for blob in blobs]}, []


def _facts_or_refusal(content: bytes) -> dict[str, Any]:
    try:
        return facts(content)
    except Refusal as refusal:
        return {"refused": refusal.code}
