"""A typed face over pydicom that never raises over a value: headers to facts.

Runs inside the sandbox only. What comes out is JSON: text is decoded by Specific Character Set with U+FFFD
for what cannot be, control and direction characters are taken out, numbers are finite, and a value that
makes no sense is empty. Only a data set that cannot be read at all raises, as `NotReadable`.
"""

from __future__ import annotations

import codecs

from pydicom import charset

from studies.dicom.headers import facts
from studies.dicom.identity import identify
from studies.dicom.kinds import kind_of
from studies.dicom.looks import has_grey, unit_of, windows_of
from studies.dicom.opening import Opened, inflate, open_dataset
from studies.dicom.values import functional_group, integer, item, items, number, numbers, text, uid, value_of
from studies.sandbox.registry import preload
from studies.values import dicom_date, dicom_time, person_name

__all__ = [
    "Opened",
    "dicom_date",
    "dicom_time",
    "facts",
    "functional_group",
    "has_grey",
    "identify",
    "inflate",
    "integer",
    "item",
    "items",
    "kind_of",
    "number",
    "numbers",
    "open_dataset",
    "person_name",
    "text",
    "uid",
    "unit_of",
    "value_of",
    "windows_of",
]


@preload
def _load_encodings() -> None:
    """Python loads its codecs from files at first use (and decoding nothing is no use)."""
    for encoding in {*charset.python_encoding.values(), "latin-1", "ascii"}:
        codecs.lookup(encoding)
