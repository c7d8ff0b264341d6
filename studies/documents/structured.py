"""A structured report (PS3.3 §C.17.3) as a flat list of what people read in it: bounded, neutral, JSON.

The tree is written down in reading order, each item with its depth, so that whoever reads it needs no recursion and
can be sure of its end. An item is a dictionary without its empty values:

    d depth · k kind · n name · v value · u unit · c code of the name, "DCM:121071" · i, f picture and its frames
    a 1 where it tells of the report (who, for whom, in which language) and not of the patient
    j 1 where it is part of a running text (Continuity of Content is CONTINUOUS)

Kinds: section, text, code, number, date, time, datetime, person, image, unshown (v is then DICOM's value type).
Runs inside the sandbox only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.valuerep import PersonName

from studies.dicom import value_of

Item = dict[str, Any]

MAX_DEPTH: Final = 32
MAX_WALKED: Final = 20_000
MAX_ITEMS: Final = 4_000
MAX_CHARACTERS: Final = 1_000_000
LONGEST_TEXT: Final = 200_000
LONGEST_NAME: Final = 300
MAX_FRAMES: Final = 20

ADDENDUM: Final = re.compile(r"(addend(um|a)|adend[ao]s?|nachtrag|nachträge|compl[ée]ment)\b", re.IGNORECASE)
CORRECTION: Final = re.compile(
    r"(correct(ion|ions|ed report)|errat(um|a)|correcci[oó]n(es)?|korrektur|berichtigung)\W*", re.IGNORECASE
)
_ADDENDUM_CODE: Final = "LN:55107-7"

# Content items with a value of one attribute (PS3.3 Table C.17.3-5), by what they become.
_SAID_IN: Final = {
    "TEXT": ("text", "TextValue"),
    "DATE": ("date", "Date"),
    "TIME": ("time", "Time"),
    "DATETIME": ("datetime", "DateTime"),
    "PNAME": ("person", "PersonName"),
}
_IMAGE_LIBRARY: Final = "DCM:111028"
_CONTEXT: Final = ("HAS OBS CONTEXT", "HAS ACQ CONTEXT", "HAS CONCEPT MOD")
# UCUM says these in ways that few people read.
_UNITS: Final = {
    "1": "",
    "mm2": "mm²",
    "cm2": "cm²",
    "mm3": "mm³",
    "cm3": "cm³",
    "[hnsf'U]": "HU",
    "deg": "°",
    "Cel": "°C",
}
_UNITS_AS_SAID: Final = re.compile(r"[^\s{}\[\]]{1,12}")
# Control characters, and marks that hide or reorder text.
_CONTROL: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
_BREAKS: Final = re.compile(r"\r\n?|\\\.br\\|<br\s*/?>", re.IGNORECASE)  # HL7's own and HTML's stray into texts


@dataclass(frozen=True)
class Structured:
    """What was read: the items in order, whether some were left out, and what their names say of the report."""

    items: list[Item]
    cut: bool
    addendum: bool
    correction: bool


def read_items(root: Dataset) -> Structured:
    """Everything below the root of a structured report, within the bounds of this module."""
    walk = _Walk(root)
    items = list(walk.items())
    return Structured(items, walk.cut, _has(items, _is_addendum), _has(items, _is_correction))


@dataclass(frozen=True)
class _Place:
    """Where in the tree a node stands."""

    depth: int
    about: bool = False
    joined: bool = False
    name: str = ""  # of the place on a picture that it is the picture of


class _Walk:
    """One walk through a tree, without recursion and with an end: the tree is foreign."""

    def __init__(self, root: Dataset) -> None:
        self.cut = False
        self._pending: list[tuple[_Place, Dataset]] = []
        self._push(_Place(1, joined=_is_continuous(root)), children_of(root))

    def items(self) -> Iterator[Item]:
        """The items in reading order; `cut` says afterwards whether some were left out."""
        count = characters = 0
        for _ in range(MAX_WALKED):
            if not self._pending:
                return
            item = self._step(*self._pending.pop())
            count += bool(item)
            characters += sum(len(part) for part in item.values() if isinstance(part, str))
            if count > MAX_ITEMS or characters > MAX_CHARACTERS:
                break
            if item:
                yield item
        self.cut = True

    def _step(self, place: _Place, node: Dataset) -> Item:
        kind = line(node, "ValueType").upper()
        name = meaning(node, "ConceptNameCodeSequence") or place.name
        children = children_of(node)
        # A place on a picture says nothing to a reader but which picture: that is its child.
        is_mark = kind == "SCOORD" and any(line(child, "ValueType").upper() == "IMAGE" for child in children)
        said = {} if is_mark else _said(node, kind, name)
        about = place.about or _is_about(node, place, said)
        joined = place.joined if is_mark else _is_continuous(node)
        self._push(_Place(place.depth + bool(said), about, joined, name if is_mark else ""), children)
        marks = {"a": int(about), "j": int(place.joined)}
        return _full({"d": place.depth, **said, **marks}) if said else {}

    def _push(self, place: _Place, nodes: list[Dataset]) -> None:
        if place.depth > MAX_DEPTH:
            self.cut = self.cut or bool(nodes)
            return
        self._pending += [(place, node) for node in reversed(nodes)]


def _is_about(node: Dataset, place: _Place, said: Item) -> bool:
    is_context = place.depth == 1 and line(node, "RelationshipType") in _CONTEXT
    return is_context or said.get("c") == _IMAGE_LIBRARY


def _is_continuous(node: Dataset) -> bool:
    return line(node, "ContinuityOfContent").upper() == "CONTINUOUS"


def _said(node: Dataset, kind: str, name: str) -> Item:
    """One item; {} for what has nothing to say: a UID, or a reference to an item elsewhere in the tree."""
    named = {"n": name, "c": code_of(node, "ConceptNameCodeSequence")}
    if kind == "CONTAINER":
        return _full({"k": "section", **named}) if name else {}
    if kind in _SAID_IN:
        into, keyword = _SAID_IN[kind]
        value = person(node, keyword) if into == "person" else passage(node, keyword)
        return _full({"k": into, **named, "v": value}) if value else {}
    if kind == "CODE":
        value = meaning(node, "ConceptCodeSequence")
        return _full({"k": "code", **named, "v": value}) if value else {}
    if kind == "NUM":
        return _number(node, named)
    if kind == "IMAGE":
        return _image(node, named)
    if kind in ("", "UIDREF"):
        return {}
    return _full({"k": "unshown", **named, "v": kind[:16]})


def _number(node: Dataset, named: Item) -> Item:
    measured = first(node, "MeasuredValueSequence")
    value = line(measured, "NumericValue").split("\\")[0] if measured is not None else ""
    unit = _unit(measured) if measured is not None and value else ""
    why_not = meaning(node, "NumericValueQualifierCodeSequence")
    return _full({"k": "number", **named, "v": value or why_not, "u": unit})


def _unit(measured: Dataset) -> str:
    unit = first(measured, "MeasurementUnitsCodeSequence")
    if unit is None:
        return ""
    value = line(unit, "CodeValue")
    if value in _UNITS:
        return _UNITS[value]
    return value if _UNITS_AS_SAID.fullmatch(value) else line(unit, "CodeMeaning")[:40].strip("{}")


def _image(node: Dataset, named: Item) -> Item:
    referenced = first(node, "ReferencedSOPSequence")
    uid = line(referenced, "ReferencedSOPInstanceUID") if referenced is not None else ""
    frames = re.findall(r"\d{1,6}", line(referenced, "ReferencedFrameNumber")) if referenced is not None else []
    return _full({"k": "image", **named, "i": uid[:64], "f": [int(frame) for frame in frames[:MAX_FRAMES]]})


def _full(item: Item) -> Item:
    return {key: value for key, value in item.items() if value}


def _has(items: list[Item], is_one: Any) -> bool:
    return any(is_one(item) for item in items if item["k"] in ("section", "text") and item["d"] <= 2)


def _is_addendum(item: Item) -> bool:
    return item.get("c") == _ADDENDUM_CODE or bool(ADDENDUM.match(item.get("n", "")))


def _is_correction(item: Item) -> bool:
    return bool(CORRECTION.fullmatch(item.get("n", "")))


# --- single values


def children_of(node: Dataset) -> list[Dataset]:
    """The items below one item; none where the sequence is damaged."""
    held = value_of(node, "ContentSequence")
    return [each for each in held if isinstance(each, Dataset)] if isinstance(held, Sequence) else []


def first(node: Dataset, keyword: str) -> Dataset | None:
    """The first item of a sequence, or None."""
    held = value_of(node, keyword)
    found = held[0] if isinstance(held, Sequence) and len(held) else None
    return found if isinstance(found, Dataset) else None


def meaning(node: Dataset, keyword: str) -> str:
    """What a code means, in words; its value where nobody wrote down the words."""
    code = first(node, keyword)
    return "" if code is None else (line(code, "CodeMeaning") or line(code, "CodeValue"))


def code_of(node: Dataset, keyword: str) -> str:
    """A code as "DCM:121071", or ''."""
    code = first(node, keyword)
    if code is None or not (value := line(code, "CodeValue")):
        return ""
    return f"{line(code, 'CodingSchemeDesignator')[:16]}:{value[:16]}"


def line(node: Dataset, keyword: str) -> str:
    """A value on one line, cut to a name's length."""
    return " ".join(_text(node, keyword).split())[:LONGEST_NAME]


def passage(node: Dataset, keyword: str) -> str:
    """A value with its line ends: unlike a header's, this text is meant to be read."""
    return _text(node, keyword)[:LONGEST_TEXT].strip()


def person(node: Dataset, keyword: str) -> str:
    """A person as on paper: "Yamada Tarou (山田 太郎)"."""
    name = value_of(node, keyword)
    if not isinstance(name, PersonName):
        return line(node, keyword).replace("^", " ").strip()
    spoken = [" ".join(_clean(group).replace("^", " ").split()) for group in (name.alphabetic, name.ideographic)]
    plain, written = spoken
    return (f"{plain} ({written})" if plain and written else plain or written)[:LONGEST_NAME]


def _text(node: Dataset, keyword: str) -> str:
    held = value_of(node, keyword)
    if isinstance(held, bytes):
        held = held.decode("latin-1")
    if isinstance(held, list | tuple) or (held is not None and type(held).__name__ == "MultiValue"):
        held = "\\".join(str(part) for part in held)
    return "" if held is None else _clean(str(held))


def _clean(text: str) -> str:
    return _CONTROL.sub("", _BREAKS.sub("\n", text))
