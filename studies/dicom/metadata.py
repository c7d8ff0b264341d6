"""A whole data set as DICOM JSON (PS3.18 Annex F): one element at a time, so that a bad one costs itself alone.

Texts are Unicode whatever the file's character set. What is longer than an attribute a program looks at stands as a
BulkDataURI, and so do the pixels.
"""

from __future__ import annotations

import base64
import json
import math
import re
import warnings
from collections.abc import Iterator
from typing import Any, Final, cast

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filewriter import correct_ambiguous_vr_element
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag, Tag
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pydicom.valuerep import PersonName

from studies.dicom.opening import Opened, open_dataset
from studies.dicom.values import integer
from studies.refusals import CannotShow
from studies.sandbox.registry import Answer, task

Element = dict[str, Any]

MOST_INLINE: Final = 256
"""Bytes of a binary value that stand in the JSON: fewer than a palette has, which clients expect to fetch."""
DEEPEST: Final = 32
PIXELS: Final = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
CHARACTER_SET: Final = 0x00080005
AVAILABLE_SYNTAX: Final = "00083002"
BINARY: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
WIDTHS: Final = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}
FLOATS: Final = {"float": ("7FE00008", "OF"), "double": ("7FE00009", "OD")}
NATIVE: Final = frozenset(
    {ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian}
)
NUMBERS: Final = frozenset({"FL", "FD", "SL", "SS", "SV", "UL", "US", "UV"})


# Control characters but for line ends, tabs and pages, and the marks that reorder or hide text on a screen.
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff]+"
)


def seen(text: str) -> str:
    """A text as a program may show it: without what is not to be seen, and does something to what is."""
    return _UNSEEN.sub("", text)


def metadata(content: bytes, base: str) -> dict[str, Element]:
    """Every element of an instance, whose bulk data are found under `base`; `content` is a file or its bytes up to
    the pixels.

    Without the file's own header (group 0002), whose transfer syntax stands under (0008,3002). Raises Refusal.
    """
    opened = open_dataset(content)
    said = _elements(opened.dataset, not opened.little_endian, f"{base}/")
    said[AVAILABLE_SYNTAX] = {"vr": "UI", "Value": [opened.transfer_syntax]}
    if all(word in opened.dataset for word in ("Rows", "Columns", "BitsAllocated")):
        tag, vr = _pixels(opened)
        said[tag] = {"vr": vr, "BulkDataURI": f"{base}/{tag}"}
    return dict(sorted(said.items()))


def _pixels(opened: Opened) -> tuple[str, str]:
    """Where the pixels stand, and how they are coded."""
    if opened.pixels in FLOATS:
        return FLOATS[opened.pixels]
    is_native = opened.transfer_syntax in NATIVE and (integer(opened.dataset, "BitsAllocated") or 0) > 8
    return "7FE00010", "OW" if is_native else "OB"


def _elements(dataset: Dataset, swaps: bool, path: str, depth: int = 0) -> dict[str, Element]:
    said: dict[str, Element] = {}
    for tag in list(dataset.keys()):
        if not tag.element or tag.group == 2 or tag in PIXELS:  # group lengths mean nothing here
            continue
        name = f"{tag:08X}"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                said[name] = _element(dataset, tag, swaps, f"{path}{name}", depth)
        except (Exception, RecursionError):
            said[name] = {"vr": _vr(dataset, tag)}
    if CHARACTER_SET in dataset:
        said["00080005"] = {"vr": "CS", "Value": ["ISO_IR 192"]}
    return said


def _vr(dataset: Dataset, tag: BaseTag) -> str:
    found = dataset.get_item(tag)
    return str(found.VR or "UN")[:2] if found is not None else "UN"


def _element(dataset: Dataset, tag: BaseTag, swaps: bool, path: str, depth: int) -> Element:
    element = dataset[tag]
    if " or " in element.VR:
        element = cast(DataElement, correct_ambiguous_vr_element(element, dataset, not swaps))
    vr = str(element.VR)
    if vr == "SQ":
        if depth >= DEEPEST:
            return {"vr": "SQ"}
        items = [_elements(item, swaps, f"{path}/{at}/", depth + 1) for at, item in enumerate(element.value)]
        return _valued(vr, items)
    if vr in BINARY:
        return _binary(vr, _in_order(bytes(element.value or b""), vr, swaps), path)
    return _valued(vr, [_value(vr, one) for one in _several(element)])


def _several(element: DataElement) -> list[Any]:
    value = element.value
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, MultiValue | list | tuple) else [value]


def _valued(vr: str, values: list[Any]) -> Element:
    """An element whose values are all empty has none (PS3.18 §F.2.5)."""
    return {"vr": vr, "Value": values} if any(value not in (None, "") for value in values) else {"vr": vr}


def _value(vr: str, value: Any) -> Any:
    if value is None or value == "":
        return None
    if vr == "PN":
        return _name(value)
    if vr == "AT":
        return f"{Tag(value):08X}"
    if vr in ("DS", "IS"):
        return _decimal(vr, value)
    if vr in NUMBERS:
        number = float(value) if vr in ("FL", "FD") else int(value)
        return number if math.isfinite(number) else None  # JSON has no word for it
    return seen(str(value))


def _decimal(vr: str, value: Any) -> float | int | str | None:
    """A number; the text where it is none, for "1A" was still sent."""
    try:
        number = int(value) if vr == "IS" else float(value)
    except ValueError:
        return seen(str(value))
    if not math.isfinite(number):
        return None
    return int(number) if number == int(number) and abs(number) < 2**53 else number


def _name(value: Any) -> dict[str, str] | None:
    name = value if isinstance(value, PersonName) else PersonName(str(value))
    groups = {"Alphabetic": name.alphabetic, "Ideographic": name.ideographic, "Phonetic": name.phonetic}
    return {group: seen(text) for group, text in groups.items() if text} or None


def _binary(vr: str, value: bytes, path: str) -> Element:
    if not value:
        return {"vr": vr}
    if len(value) > MOST_INLINE:
        return {"vr": vr, "BulkDataURI": path}
    return {"vr": vr, "InlineBinary": base64.b64encode(value).decode("ascii")}


def _in_order(value: bytes, vr: str, swaps: bool) -> bytes:
    """Bulk data is little endian, whatever the file is (PS3.18 §8.7.3.2)."""
    width = WIDTHS.get(vr, 1)
    if not swaps or width == 1:
        return value
    pairs = [value[at : at + width][::-1] for at in range(0, len(value), width)]
    return b"".join(pairs)


def bulk(content: bytes, path: str) -> bytes:
    """The value that stands under a path of tags and item numbers ("00540016/0/00181078"). Raises CannotShow."""
    opened = open_dataset(content)
    here: Any = opened.dataset
    try:
        for step in _steps(path):
            here = here[step]
            if isinstance(here, DataElement) and here.VR == "SQ":
                here = here.value
        return _in_order(bytes(here.value or b""), here.VR, not opened.little_endian)
    except (Exception, RecursionError) as missing:
        raise CannotShow("pixels") from missing


def _steps(path: str) -> Iterator[BaseTag | int]:
    for number, step in enumerate(path.split("/")):
        yield int(step) if number % 2 else Tag(int(step, 16))


@task("metadata")
def _metadata(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    """`args["bases"]`: of each header where its bulk data are found. One JSON object each; empty for one that cannot
    be read."""
    return {}, [_written(blob, str(base)) for blob, base in zip(blobs, args["bases"], strict=True)]


def _written(content: bytes, base: str) -> bytes:
    try:
        return json.dumps(metadata(content, base), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(
            "utf-8", "replace"
        )
    except Exception:  # whatever a stranger's file does: its neighbours are told of
        return b""


@task("bulk data")
def _bulk(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    return {}, [bulk(blobs[0], str(args["path"]))]
