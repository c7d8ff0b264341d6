"""How a data set may be written: the transfer syntaxes, as far as a walk must tell them apart (PS3.5 §10)."""

from __future__ import annotations

import re

from studies.receiving.elements import Buffer, looks_explicit

IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
NATIVE = (IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE)
# JPIP: the pixels are elsewhere. Two of the four are deflated besides.
REFERENCED = frozenset(f"1.2.840.10008.1.2.4.{end}" for end in (94, 95, 204, 205))
_DEFLATED_TOO = frozenset(f"1.2.840.10008.1.2.4.{end}" for end in (95, 205))
_ENCAPSULATED = re.compile(r"1\.2\.840\.10008\.1\.2\.(1\.98|4\.\d{2,3}(\.1)?|5|8\.1)")
_VIDEO = re.compile(r"1\.2\.840\.10008\.1\.2\.4\.10\d(\.1)?")


def is_plain(syntax: str) -> bool:
    """Tell whether the elements stand in the file as they are, however their pixels are packed."""
    return syntax in NATIVE or (bool(_ENCAPSULATED.fullmatch(syntax)) and syntax not in _DEFLATED_TOO)


def is_video(syntax: str) -> bool:
    """Tell whether the pixels are one stream of many frames."""
    return bool(_VIDEO.fullmatch(syntax))


def unnamed(data: Buffer, at: int) -> str:
    """The transfer syntax of a data set that nobody names: pixels in it can only be native."""
    if not looks_explicit(data, at):
        return IMPLICIT_LE
    return EXPLICIT_BE if data[at] == 0 else EXPLICIT_LE
