"""Which series of an exam is worth looking at first.

The rule: one with pictures that is neither a scout, nor a picture of numbers, nor computed from others; of the kind of
machine the exam was made with; in CT and MR seen across the body, in the usual brightness, with contrast where there is
one with, and not cut into very many thin slices. Among equals the facility's own order decides.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Protocol, TypeVar

from studies.exam.places import tidied

TOO_MANY: Final = 350  # pictures: thin slices are there to be computed from
SLICED: Final = frozenset({"CT", "MR"})
LEADING: Final = ("PT", "MG", "CT", "MR", "XA", "RF", "US", "DX", "CR", "NM")

_AIMING = re.compile(
    r"SCOUT|LOCALI[SZ]|TOPOGRAM|SURVIEW|SCANOGRAM|(?<![A-Z])(LOC|AAHEAD|3[- ]?PLANE|PLAN SCAN)(?![A-Z])|"
    r"UBERSICHT(?!SAUFNAHME)"
)
_NUMBERS = re.compile(
    r"DOSE|DOSIS|PROTOCOL(?!O)|PROTOKOLL|SCREEN ?SAVE|SMART ?PREP|BOLUS|MONITOR|TIMING|CALIBRATION|PHOENIX|REPORT|"
    r"SUMMARY|WORKSHEET|PHYSIO|CURVE|GRAPH|(?<![A-Z])SR(?![A-Z])"
)
_COMPUTED = re.compile(
    r"(?<![A-Z])(MIP|MPR|MINIP|VRT?|3D|ADC|SWI|DWI|TRACE|EADC|FA|CBF|CBV|MTT|TTP|SUB|PJN|REFORMAT|RECON \d|SSD|"
    r"SNAPSHOT|B\d{3,4})(?![A-Z])|SUBTRACT|PERFUSION|DIFFUSION|FUSION|COLOR ?MAP|RGB"
)
_NARROW = re.compile(
    r"LUNG|PULMON|BONE|HUESO|KNOCHEN|OSEO|OSSEUS|BRAIN LAB|(?<![A-Z])(LU|BN|B60|B70|B80|I70)[A-Z]?(?![A-Z])"
)
_WITH = re.compile(
    r"(?<![A-Z])(C\+|\+C|POST|GAD|GD|KM|CON CONTRASTE|WITH CONTRAST|W CON|VENOUS|PORTAL|VENOSA|PORTALVENOS)(?![A-Z])"
)
_WATERY = re.compile(r"T2|FLAIR|STIR|(?<![A-Z])PD(?![A-Z])")


class Seen(Protocol):
    """What is known of a series: `catalog.SeriesView` is one."""

    @property
    def title(self) -> str: ...
    @property
    def modality(self) -> str: ...
    @property
    def plane(self) -> str: ...
    @property
    def count(self) -> int: ...


S = TypeVar("S", bound=Seen)


def start(series: Sequence[S]) -> S | None:
    """The series to begin with; None where nothing has pictures."""
    shown = [one for one in series if one.count]
    leading = next((code for code in LEADING if any(one.modality == code for one in shown)), "")
    return min(shown, key=lambda one: _faults(one, leading, shown), default=None)


def is_worth_saying(series: Sequence[Seen]) -> bool:
    """Whether there is a choice to help with: two X-rays side by side are none."""
    shown = [one for one in series if one.count]
    return len(shown) > 1 and any(one.modality in SLICED for one in shown)


def _faults(one: Seen, leading: str, shown: Sequence[Seen]) -> tuple[int, ...]:
    """The fewer the better, the graver first."""
    text = tidied([one.title])
    faults = [_is_no_exam(text), one.modality != leading, bool(_COMPUTED.search(text))]
    if one.modality in SLICED:
        faults += [
            one.count == 1,
            one.count > TOO_MANY,
            bool(one.plane) and one.plane != "axial",
            bool(_NARROW.search(text)),
            one.modality == "MR" and not _WATERY.search(text),
            not _WITH.search(text),
        ]
    return tuple(int(fault) for fault in faults)


def _is_no_exam(text: str) -> bool:
    return bool(_AIMING.search(text) or _NUMBERS.search(text))
