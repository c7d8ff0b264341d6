"""In which form things leave by DICOMweb: media types, transfer syntaxes, and the choice among them (PS3.18 §8.7)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from portal.dicomweb.accepting import ANY, STORED, NotAcceptable, Wanted
from studies.retrieving import EXPLICIT

DICOM: Final = "application/dicom"
OCTETS: Final = "application/octet-stream"
JSON: Final = "application/dicom+json"
XML: Final = "application/dicom+xml"
JPEG: Final = "image/jpeg"
# PS3.18 table 8.7.3-5: frames by the family of their transfer syntax.
FRAME_TYPES: Final = (
    (r"4\.(5\d|6\d|70)", JPEG),
    (r"4\.8[01]", "image/jls"),
    (r"4\.9[01]", "image/jp2"),
    (r"4\.9[23]", "image/jpx"),
    (r"4\.20[123]", "image/jphc"),
    (r"4\.11[012]", "image/jxl"),
    (r"5", "image/dicom-rle"),
)


@dataclass(frozen=True)
class Form:
    """The media type and transfer syntax of frames, and whether one comes without parts around it."""

    media_type: str
    syntax: str
    is_alone: bool = False

    @property
    def is_decoded(self) -> bool:
        """Whether it has no compression, whatever is stored."""
        return self.syntax == EXPLICIT

    @property
    def content_type(self) -> str:
        """As it stands in a header: the transfer syntax unquoted."""
        return f"{self.media_type}; transfer-syntax={self.syntax}"


def of_headers(entries: Iterable[Wanted]) -> str:
    """What headers are told in: JSON as a whole, or XML in parts, one for each data set. Raises NotAcceptable."""
    for entry in entries:
        if entry.multipart and entry.takes(XML):
            return XML
        if not entry.multipart and (entry.takes(JSON) or entry.takes("application/json")):
            return JSON
    raise NotAcceptable(JSON, f'multipart/related; type="{XML}"')


def of_frames(entries: Iterable[Wanted], stored_syntax: str, count: int) -> Form | None:
    """The best form in which so many frames can go out: as they are stored, or without compression."""
    stored, plain = Form(frame_type(stored_syntax), stored_syntax), Form(OCTETS, EXPLICIT)
    for entry in entries:
        if entry.multipart is False and count > 1:
            continue
        takes_stored = entry.takes(stored.media_type) or (entry.syntax == STORED and entry.takes(OCTETS))
        is_open = entry.syntax == "" and entry.media_type in (ANY, stored.media_type)
        for form, fits in (
            (stored, takes_stored and (entry.syntax in (STORED, stored_syntax) or is_open)),
            (plain, entry.takes(OCTETS) and entry.syntax in ("", EXPLICIT)),
        ):
            if fits:
                return Form(form.media_type, form.syntax, is_alone=entry.multipart is False)
    return None


def frames_refused(stored_syntax: str) -> NotAcceptable:
    """What to say to who reads none of the forms that there are."""
    offered = (frame_type(stored_syntax), stored_syntax), (OCTETS, EXPLICIT)
    return NotAcceptable(*(f'multipart/related; type="{kind}"; transfer-syntax={syntax}' for kind, syntax in offered))


def frame_type(syntax: str) -> str:
    """The media type of a compressed frame, or of plain octets."""
    for family, media_type in FRAME_TYPES:
        if re.fullmatch(rf"1\.2\.840\.10008\.1\.2\.{family}", syntax):
            return media_type
    return OCTETS
