"""Headers as XML, in the Native DICOM Model (PS3.19 §A.1): written from the DICOM JSON, so that both say the same.

What the JSON holds is a stranger's word: what does not have the form of an attribute is written as one without a value,
and whatever stands in it, the XML is well-formed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

from accounts.errors import Unavailable
from studies import sandbox
from studies.sandbox import SandboxBusy, SandboxDied

NAMESPACE: Final = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
DEEPEST: Final = 33
"""Levels that are written: one more than the JSON has."""
PATIENCE: Final = 20.0
GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
COMPONENTS: Final = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
UNKNOWN: Final = "UN"

_TAG: Final = re.compile(r"[0-9A-F]{8}")
_VR: Final = re.compile(r"[A-Z]{2}")
# Characters that XML 1.0 has no place for, not even by their numbers (§2.2).
_NO_CHARACTER: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_GAP: Final = re.compile(r"[\s,]*")
_RETURN: Final = {"\r": "&#13;"}  # else a reader takes it for the end of a line

Objects = dict[str, Any]


def documents(array: bytes) -> Iterator[bytes]:
    """Each object of an array of DICOM JSON as a document of its own, one at a time. Raises Unavailable at once."""
    _keywords()
    return map(document, _objects(array.decode("utf-8")))


def _objects(text: str) -> Iterator[Objects]:
    read, at = json.JSONDecoder().raw_decode, _between(text, 1)
    while at < len(text) and text[at] != "]":
        said, at = read(text, at)
        yield said
        at = _between(text, at)


def _between(text: str, at: int) -> int:
    """Where the next object begins, or the array ends."""
    found = _GAP.match(text, at)
    return found.end() if found else at


def document(said: Objects) -> bytes:
    """One data set. Raises Unavailable."""
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<NativeDicomModel xmlns="{NAMESPACE}" xml:space="preserve">'
    return "".join((head, *_attributes(said, 0), "</NativeDicomModel>\n")).encode("utf-8")


def _attributes(said: Any, depth: int) -> Iterator[str]:
    for tag, element in sorted(said.items()) if isinstance(said, dict) else ():
        if _TAG.fullmatch(tag):
            found = element if isinstance(element, dict) else {}
            yield f"<DicomAttribute {_naming(said, tag, found)}>"
            yield from _content(found, depth)
            yield "</DicomAttribute>\n"


def _naming(said: Objects, tag: str, element: Objects) -> str:
    """Its tag, its VR and its keyword; of a private one its creator, and a tag without the block that is his here."""
    vr = element.get("vr")
    words = f'vr="{vr if isinstance(vr, str) and _VR.fullmatch(vr) else UNKNOWN}"'
    if int(tag[3], 16) % 2 == 0:
        keyword = _keywords().get(tag) or _keywords().get(f"{tag[:2]}xx{tag[4:]}")
        return f'tag="{tag}" {words}' + (f' keyword="{keyword}"' if keyword else "")
    creator = _creator(said, tag)
    if not creator:
        return f'tag="{tag}" {words}'
    return f'tag="{tag[:4]}00{tag[6:]}" {words} privateCreator={quoteattr(_legal(creator))}'


def _creator(said: Objects, tag: str) -> str:
    """Who reserved the block of a private element (PS3.5 §7.8.1); "" for one that reserves a block itself."""
    named = said.get(f"{tag[:4]}00{tag[4:6]}") if tag[4:6] >= "10" else None
    values = named.get("Value") if isinstance(named, dict) else None
    return values[0] if isinstance(values, list) and values and isinstance(values[0], str) else ""


def _content(element: Objects, depth: int) -> Iterator[str]:
    if isinstance(where := element.get("BulkDataURI"), str):
        yield f"<BulkData uri={quoteattr(_legal(where))}/>"
    elif isinstance(inline := element.get("InlineBinary"), str):
        yield f"<InlineBinary>{_text(inline)}</InlineBinary>"
    elif isinstance(values := element.get("Value"), list):
        for number, value in enumerate(values, 1):
            yield from _value(element.get("vr"), number, value, depth)


def _value(vr: Any, number: int, value: Any, depth: int) -> Iterator[str]:
    """A value in its place; of one that is empty only the number tells, for the next goes on behind it."""
    if vr == "SQ":
        if depth < DEEPEST:
            yield f'<Item number="{number}">'
            yield from _attributes(value, depth + 1)
            yield "</Item>"
    elif vr == "PN":
        if isinstance(value, dict):
            yield f'<PersonName number="{number}">{"".join(_groups(value))}</PersonName>'
    elif isinstance(value, str | int | float):
        yield f'<Value number="{number}">{_text(str(value))}</Value>'


def _groups(name: Objects) -> Iterator[str]:
    for group in GROUPS:
        if isinstance(text := name.get(group), str):
            parts = zip(COMPONENTS, text.split("^", len(COMPONENTS) - 1), strict=False)
            inner = "".join(f"<{component}>{_text(part)}</{component}>" for component, part in parts if part)
            yield f"<{group}>{inner}</{group}>"


def _text(said: str) -> str:
    return escape(_legal(said), _RETURN)


def _legal(said: str) -> str:
    """With a mark where a character stands that XML does not have."""
    return _NO_CHARACTER.sub("\ufffd", said)


@cache
def _keywords() -> dict[str, str]:
    """Asked once in each process. Raises Unavailable."""
    try:
        return sandbox.run("keywords", {}, lane=sandbox.LOOKING, patience=PATIENCE).values
    except (SandboxBusy, SandboxDied) as busy:
        raise Unavailable(retry_after=5) from busy
