"""Single values of a data set, converted one at a time: a bad one is empty and costs no neighbour."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag, Tag
from pydicom.valuerep import PersonName

from studies.values import is_uid

LONGEST_TEXT = 1024
# C0, C1, and the marks that reorder or hide text on a page.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff]+")


# Values that mean the same in every character set and whatever stands beside them.
_PLAIN_TEXT = re.compile(rb"[ -\[\]-}]{0,1024}\0?")
_TEXTS = frozenset(["AS", "CS", "DA", "LO", "SH", "TM", "UI"])
_PLAIN_NUMBERS = {
    "IS": re.compile(rb" *[+-]?\d{1,9} *(?:\\ *[+-]?\d{1,9} *){0,15}"),
    "DS": re.compile(rb" *[+-]?\d{1,9}(?:\.\d{1,15})? *(?:\\ *[+-]?\d{1,9}(?:\.\d{1,15})? *){0,15}"),
}


def value_of(dataset: Dataset, keyword: str) -> Any:
    """The value of an attribute, or None where it is missing, empty or cannot be converted."""
    return _value(dataset, _tag(keyword))


def value_at(dataset: Dataset, group: int, element: int) -> Any:
    """The same, of an attribute that repeats in several groups."""
    return _value(dataset, BaseTag(group << 16 | element))


def _value(dataset: Dataset, tag: BaseTag) -> Any:
    if tag not in dataset:  # most are not, and to be told so by pydicom takes an exception
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = dataset[tag].value
            if isinstance(value, PersonName):
                value.decode()
    except (Exception, RecursionError):
        # Conversion happens at access, one element at a time: a bad one must not cost its neighbours.
        return None
    return None if value == "" else value


@cache
def _tag(keyword: str) -> BaseTag:
    return Tag(keyword)


def _raw(dataset: Dataset, keyword: str) -> RawDataElement | None:
    """The element as it stands in the file, as long as nobody has asked pydicom for its value.

    To convert one takes pydicom some fifty microseconds, and most are a few letters or digits.
    """
    element: object = dataset.get_item(_tag(keyword))
    return element if isinstance(element, RawDataElement) else None


def _plain_text(element: RawDataElement) -> str | None:
    plain = element.VR in _TEXTS and _PLAIN_TEXT.fullmatch(element.value or b"")
    return plain[0].rstrip(b"\0").decode("ascii").strip() if plain else None


def _plain_numbers(element: RawDataElement) -> list[float] | None:
    value = element.value or b""
    if element.VR == "US" and len(value) == 2:
        return [float(int.from_bytes(value, "little" if element.is_little_endian else "big"))]
    plain = element.VR in _PLAIN_NUMBERS and _PLAIN_NUMBERS[element.VR].fullmatch(value)
    return [float(part) for part in value.split(b"\\")] if plain else None


def text(dataset: Dataset, keyword: str) -> str:
    """The value as one line of text, its parts joined by backslashes; "" where there is none."""
    raw = _raw(dataset, keyword)
    plain = _plain_text(raw) if raw else None
    if plain is not None:
        return plain
    value = value_of(dataset, keyword)
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, MultiValue | list):
        value = "\\".join(str(part) for part in value)
    return "" if value is None else _seen(str(value))


def _seen(text: str) -> str:
    return _UNSEEN.sub(" ", text).strip()[:LONGEST_TEXT]


def uid(dataset: Dataset, keyword: str) -> str:
    """A UID (PS3.5 §9.1); "" where it is none."""
    said = text(dataset, keyword)
    return said if is_uid(said) else ""


def name(dataset: Dataset, keyword: str, group: str = "alphabetic") -> str:
    """One component group of a person name (PS3.5 §6.2.1), the first where there are several."""
    name = value_of(dataset, keyword)
    if isinstance(name, MultiValue):
        name = name[0] if name else None
    return _seen(getattr(name, group)) if isinstance(name, PersonName) else ""


def ideographic(dataset: Dataset, keyword: str) -> str:
    """The name in Han characters."""
    return name(dataset, keyword, "ideographic")


def numbers(dataset: Dataset, keyword: str) -> list[float]:
    """The numbers of an attribute; none where any of them is not one."""
    raw = _raw(dataset, keyword)
    plain = _plain_numbers(raw) if raw else None
    if plain is not None:
        return plain
    value = value_of(dataset, keyword)
    parts = list(value) if isinstance(value, MultiValue | list | tuple) else [value]
    try:
        found = [float(part) for part in parts if part not in (None, "")]
    except (TypeError, ValueError, OverflowError):
        return []
    return found if all(map(math.isfinite, found)) else []


def number(dataset: Dataset, keyword: str) -> float | None:
    """The first number of an attribute."""
    return next(iter(numbers(dataset, keyword)), None)


def integer(dataset: Dataset, keyword: str) -> int | None:
    """The first number of an attribute, cut to a whole one of 64 bits, or None."""
    first = number(dataset, keyword)
    # Beyond 63 bits no database takes it, and no instance number means it.
    return None if first is None or abs(first) >= 1 << 63 else int(first)


def functional_group(dataset: Dataset, frame: int, sequence: str) -> Dataset | None:
    """A functional group macro of one frame (0-based), its own or the shared one (PS3.3 §C.7.6.16)."""
    for holder, index in (("PerFrameFunctionalGroupsSequence", frame), ("SharedFunctionalGroupsSequence", 0)):
        groups = item(dataset, holder, index)
        macro = item(groups, sequence, 0) if groups is not None else None
        if macro is not None:
            return macro
    return None


def item(dataset: Dataset, keyword: str, index: int) -> Dataset | None:
    """One item of a sequence, or None."""
    items = value_of(dataset, keyword)
    try:
        found = items[index]
    except (TypeError, IndexError, AttributeError):
        return None
    return found if isinstance(found, Dataset) else None


def items(dataset: Dataset, keyword: str) -> Iterator[Dataset]:
    """All items of a sequence."""
    index = 0
    while (found := item(dataset, keyword, index)) is not None:
        yield found
        index += 1
