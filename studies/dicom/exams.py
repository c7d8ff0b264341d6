"""What the headers say of the exam and of how a picture was taken, for words a patient knows; and which pictures a key
object document marks (PS3.3 §C.17.6, PS3.16 TID 2010)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydicom.dataset import Dataset

from studies.dicom.rejecting import KEY_OBJECT_SELECTION, REJECTIONS
from studies.dicom.values import functional_group, integer, item, items, number, text, uid

MOST_MARKS = 300
LONGEST_REMARK = 500
_REMARK = "113012"  # Key Object Description


def exam(dataset: Dataset) -> dict[str, Any]:
    """Texts are "" and numbers None where nothing is said; `thickness` is in mm.

    `region` and `view` are code values of SNOMED, in either spelling (51185008 or T-D3000).
    """
    anatomy = item(dataset, "AnatomicRegionSequence", 0) or _frame_anatomy(dataset)
    return {
        "procedure": _procedure(dataset),
        "region": _code(anatomy),
        "region_name": _meaning(anatomy),
        "view": _code(item(dataset, "ViewCodeSequence", 0)),
        "kernel": text(dataset, "ConvolutionKernel"),
        "thickness": number(dataset, "SliceThickness"),
        **_marks(dataset),
    }


def _frame_anatomy(dataset: Dataset) -> Dataset | None:
    macro = functional_group(dataset, 0, "FrameAnatomySequence")
    return item(macro, "AnatomicRegionSequence", 0) if macro is not None else None


def _procedure(dataset: Dataset) -> str:
    """The order in words, by whoever says it first."""
    for keyword in ("RequestedProcedureDescription", "PerformedProcedureStepDescription"):
        if said := text(dataset, keyword):
            return said
    ordered = item(dataset, "RequestAttributesSequence", 0)
    requested = text(ordered, "RequestedProcedureDescription") if ordered is not None else ""
    return requested or _meaning(item(dataset, "ProcedureCodeSequence", 0))


def _code(coded: Dataset | None) -> str:
    return text(coded, "CodeValue") if coded is not None else ""


def _meaning(coded: Dataset | None) -> str:
    return text(coded, "CodeMeaning") if coded is not None else ""


def _marks(dataset: Dataset) -> dict[str, Any]:
    """Of a key object document that takes nothing back: the code of its title, its remark, and what it marks.

    A mark is `[SOP Instance UID, frame from 1, or None for all of it]`.
    """
    if uid(dataset, "SOPClassUID") != KEY_OBJECT_SELECTION:
        return {}
    title = _code(item(dataset, "ConceptNameCodeSequence", 0))
    if title in REJECTIONS:
        return {}
    remarks = (
        text(content, "TextValue")
        for content in items(dataset, "ContentSequence")
        if _code(item(content, "ConceptNameCodeSequence", 0)) == _REMARK
    )
    marks = list(dict.fromkeys(_marked(dataset)))[:MOST_MARKS]
    return {"marks": {"title": title, "remark": next(remarks, "")[:LONGEST_REMARK], "of": [list(one) for one in marks]}}


def _marked(dataset: Dataset) -> Iterator[tuple[str, int | None]]:
    for content in items(dataset, "ContentSequence"):
        for reference in items(content, "ReferencedSOPSequence"):
            if named := uid(reference, "ReferencedSOPInstanceUID"):
                yield named, integer(reference, "ReferencedFrameNumber")
