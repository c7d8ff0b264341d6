"""What people read in a DICOM file that is a document: the PDF in it, or its structured report as text.

Runs inside the sandbox only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from studies.dicom import kind_of, open_dataset
from studies.refusals import CannotShow, NotReadable
from studies.sandbox.registry import Answer, task

MAX_DEPTH: Final = 32
MAX_ITEMS: Final = 20_000

# Content items with a value of one attribute (PS3.3 §C.17.3); references to pictures and places say nothing here.
_SAID_IN: Final = {
    "TEXT": "TextValue",
    "DATE": "Date",
    "TIME": "Time",
    "DATETIME": "DateTime",
    "PNAME": "PersonName",
}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@task("document")
def _document(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    """The document in one file: its media type, and what people read."""
    media_type, content = document(blobs[0])
    return {"media_type": media_type}, [content]


def document(content: bytes) -> tuple[str, bytes]:
    """Return (media type, bytes): the PDF as it was put in, or the text of a structured report in UTF-8.

    Raises NotReadable; CannotShow for an object of another kind.
    """
    opened = open_dataset(content)
    kind = kind_of(opened.dataset, opened.transfer_syntax)
    if kind == "pdf":
        return "application/pdf", encapsulated(opened.dataset)
    if kind == "sr":
        return "text/plain", sr_text(opened.dataset).encode()
    raise CannotShow("other")


def encapsulated(dataset: Dataset) -> bytes:
    """The document within (PS3.3 §C.24.2), without the byte that makes its length even."""
    held = dataset.get("EncapsulatedDocument")
    if not isinstance(held, bytes) or not held.startswith(b"%PDF"):
        raise NotReadable("unreadable")
    length = dataset.get("EncapsulatedDocumentLength")
    return held[:length] if isinstance(length, int) and 0 < length <= len(held) else held.rstrip(b"\0")


def sr_text(dataset: Dataset) -> str:
    """A structured report as paragraphs: headings on lines of their own, values behind their names."""
    lines = list(_lines(dataset))
    if not any(lines):
        raise NotReadable("unreadable")
    return "\n".join(lines).strip() + "\n"


def _lines(root: Dataset) -> Iterator[str]:
    """Walk the tree of content (PS3.3 §C.17.3) without recursion, within bounds: it is foreign."""
    pending = [(0, root)]
    for _ in range(MAX_ITEMS):
        if not pending:
            return
        depth, item = pending.pop()
        yield from _said(item)
        if depth < MAX_DEPTH:
            pending += [(depth + 1, child) for child in reversed(_items(item, "ContentSequence"))]
    raise CannotShow("too large")


def _said(item: Dataset) -> list[str]:
    name = _meaning(item, "ConceptNameCodeSequence")
    kind = _text(item, "ValueType")
    if kind == "CONTAINER":
        return ["", name] if name else []
    if kind == "TEXT":
        return ["", *filter(None, [name, _text(item, "TextValue")])]
    value = _value(item, kind)
    return [f"{name}: {value}" if name else value] if value else []


def _value(item: Dataset, kind: str) -> str:
    if kind == "CODE":
        return _meaning(item, "ConceptCodeSequence")
    if kind == "NUM":
        measured = next(iter(_items(item, "MeasuredValueSequence")), Dataset())
        unit = _meaning(measured, "MeasurementUnitsCodeSequence", "CodeValue")
        return f"{_text(measured, 'NumericValue')} {'' if unit == '1' else unit}".strip()
    if kind == "PNAME":
        return " ".join(_text(item, "PersonName").replace("^", " ").split())
    return _text(item, _SAID_IN[kind]) if kind in _SAID_IN else ""


def _meaning(item: Dataset, keyword: str, attribute: str = "CodeMeaning") -> str:
    code = next(iter(_items(item, keyword)), None)
    return _text(code, attribute) if code is not None else ""


def _items(item: Dataset, keyword: str) -> list[Dataset]:
    held = item.get(keyword)
    return [each for each in held if isinstance(each, Dataset)] if isinstance(held, Sequence) else []


def _text(item: Dataset, keyword: str) -> str:
    """A value as text with its line ends: unlike a header's, this text is meant to be read."""
    try:
        held = item.get(keyword)
    except (ValueError, TypeError, OverflowError):  # pydicom converts a value when it is first asked for
        return ""
    said = "" if held is None else str(held).replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub("", said).strip()
