"""DICOM text values in Python's types: dates, times, names (PS3.5 §6.2). Never raises; no pydicom."""

from __future__ import annotations

import re
from datetime import date, time

PHANTOM_ROOT = "1.2.826.0.1.3680043.8.498.37."
"""What the UIDs of computed exams begin with, below the root that pydicom lends to everybody."""

_UID = re.compile(r"[0-9.]{1,64}")
_DATE = re.compile(r"(\d{4})([-./]?)(\d{2})\2(\d{2})")
_TIME = re.compile(r"(\d{2})(?::?(\d{2})(?::?(\d{2})(?:\.(\d{1,6}))?)?)?")


def is_uid(text: str) -> bool:
    """Whether a text may be a UID. Parts that begin with 0 are no UIDs (PS3.5 §9.1), and stand in real files."""
    return _UID.fullmatch(text) is not None


def dicom_date(text: str) -> date | None:
    """A DA value as a date, or None. Takes the ACR-NEMA form 1993.08.22 and ISO's too."""
    found = _DATE.fullmatch(text.strip())
    if not found:
        return None
    try:
        return date(int(found[1]), int(found[3]), int(found[4]))
    except ValueError:
        return None


def dicom_time(text: str) -> time | None:
    """A TM value as a time, or None. Minutes and seconds may be missing; a leap second becomes 59."""
    found = _TIME.fullmatch(text.strip())
    if not found:
        return None
    hour, minute, second, fraction = (found[part] or "0" for part in range(1, 5))
    try:
        return time(int(hour), int(minute), min(59, int(second)), int(fraction.ljust(6, "0")))
    except ValueError:
        return None


def person_name(pn: str) -> str:
    """A PN value as it is spoken: "Garcia Lopez^Maria^^Dr" is "Dr Maria Garcia Lopez" (PS3.5 §6.2.1).

    The alphabetic group is taken, else the first one that says something, which is written family name first.
    """
    groups = [[part.strip() for part in group.split("^")] for group in pn.split("=")]
    alphabetic, *others = groups
    if any(alphabetic):
        family, given, middle, prefix, suffix = (alphabetic + [""] * 5)[:5]
        spoken = [prefix, given, middle, family, suffix]
    else:
        spoken = next((group for group in others if any(group)), [])
    return " ".join(part for part in spoken if part)
