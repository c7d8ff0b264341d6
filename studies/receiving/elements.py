"""The few DICOM elements the walk over foreign bytes reads itself: their tags, headers and values.

Nothing here decodes: values are plain ASCII or left to the sandbox (PS3.5 §6.1, §7.1).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

MAX_TEXT = 4 * 1024
"""The most bytes kept of a value; none of those wanted may be longer than 64 characters a component."""
MAX_TABLE = 64 * 1024
"""The most bytes kept of an offset table; a longer one is passed over."""

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
EXTENDED_OFFSETS = 0x7FE00001
FIRST_OF_PIXELS = 0x7FE00000
FLOAT_PIXELS, DOUBLE_PIXELS, PIXELS = 0x7FE00008, 0x7FE00009, 0x7FE00010
PIXEL_TAGS = frozenset([FLOAT_PIXELS, DOUBLE_PIXELS, PIXELS])

TRANSFER_SYNTAX = 0x00020010
CHARACTER_SETS, INSTANCE_NUMBER, PHOTOMETRIC, FRAME_COUNT = 0x00080005, 0x00200013, 0x00280004, 0x00280008
SOP_CLASS_UID, SOP_UID, STUDY_UID, SERIES_UID = 0x00080016, 0x00080018, 0x0020000D, 0x0020000E
TEXTS = {
    "accession_number": 0x00080050,
    "modality": 0x00080060,
    "patient_name": 0x00100010,
    "patient_id": 0x00100020,
    "issuer": 0x00100021,
    "birth_date": 0x00100030,
    "sex": 0x00100040,
    "character_sets": CHARACTER_SETS,
}
NUMBERS = {
    "samples": 0x00280002,
    "rows": 0x00280010,
    "columns": 0x00280011,
    "bits_allocated": 0x00280100,
    "bits_stored": 0x00280101,
    "pixel_representation": 0x00280103,
}
WANTED = frozenset(
    (
        TRANSFER_SYNTAX,
        *(SOP_CLASS_UID, SOP_UID, STUDY_UID, SERIES_UID),
        *(INSTANCE_NUMBER, PHOTOMETRIC, FRAME_COUNT, EXTENDED_OFFSETS),
        *TEXTS.values(),
        *NUMBERS.values(),
    )
)

SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())

EXPLICIT = struct.Struct("<HH2sH")
_UID = re.compile(rb"[0-9.]{1,64}")
_PLAIN = re.compile(rb"[ -\[\]-~]*")
_INTEGER = re.compile(rb" *\+?[0-9]{1,10} *")

Buffer = bytes | bytearray
Header = tuple[int, bytes, int, int]
"""Tag, VR (b"" when implicit), length of the value, length of the header itself."""


class Surprise(Exception):
    """The walk cannot vouch for what it sees. `reason` holds no value of the file.

    `garbage`: what stands there is no data element at all.
    """

    def __init__(self, reason: str, *, garbage: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.garbage = garbage


@dataclass(frozen=True)
class Identity:
    """Whose the file is, as sent, without trailing blanks: the four UIDs, and "" for what else is absent."""

    sop_class_uid: str
    sop_uid: str
    study_uid: str
    series_uid: str
    patient_id: str
    issuer: str
    patient_name: str
    birth_date: str
    sex: str
    accession_number: str
    modality: str
    character_sets: str


def _item_reader(layout: struct.Struct) -> Callable[[Buffer, int], Header]:
    """A reader of headers without a VR, as all of Implicit VR and items everywhere have (PS3.5 §7.1.3, §7.5)."""

    def read(data: Buffer, at: int) -> Header:
        group, element, length = layout.unpack_from(data, at)
        return group << 16 | element, b"", length, 8

    return read


def _explicit_reader(
    layout: struct.Struct, long_length: struct.Struct, item_header: Callable[[Buffer, int], Header]
) -> Callable[[Buffer, int], Header | None]:
    """A reader of headers in Explicit VR (PS3.5 §7.1.2); it returns None to ask for 12 bytes."""

    def read(data: Buffer, at: int) -> Header | None:
        group, element, vr, length = layout.unpack_from(data, at)
        if group == 0xFFFE:
            return item_header(data, at)
        tag = group << 16 | element
        if vr in SHORT_VRS:
            return tag, vr, length, 8
        if vr not in LONG_VRS:
            raise Surprise("unknown VR", garbage=True)
        if len(data) < at + 12:
            return None
        return tag, vr, long_length.unpack_from(data, at + 8)[0], 12

    return read


implicit_header = _item_reader(struct.Struct("<HHI"))
explicit_header = _explicit_reader(EXPLICIT, struct.Struct("<I"), implicit_header)
# Big Endian is retired (PS3.5 §A.3), and still in archives.
item_header_big = _item_reader(struct.Struct(">HHI"))
explicit_header_big = _explicit_reader(struct.Struct(">HH2sH"), struct.Struct(">I"), item_header_big)


def looks_explicit(data: Buffer, at: int) -> bool:
    """Tell whether an element's header names a VR."""
    return bytes(data[at + 4 : at + 6]) in SHORT_VRS | LONG_VRS


class Values(dict[int, bytes]):
    """The values kept of a file, by tag, and what they say."""

    order: Literal["little", "big"] = "little"

    def text(self, tag: int) -> str:
        """Return the value without padding (PS3.5 §6.2); what is not ASCII becomes a replacement mark."""
        return self._stripped(tag).decode("ascii", "replace")

    def plain(self, tag: int) -> bool:
        """Tell whether the value is printable ASCII of one part: no escape sequence, no backslash."""
        return bool(_PLAIN.fullmatch(self._stripped(tag)))

    def uid(self, tag: int, name: str) -> str:
        """Return a UID that has a UID's form (PS3.5 §9.1), or raise `Surprise`."""
        if not _UID.fullmatch(self._stripped(tag)):
            raise Surprise(f"{name} is missing or no UID")
        return self.text(tag)

    def numbers(self) -> dict[str, int]:
        """Return the US values that describe the pixels, 0 where absent or empty."""
        if any(len(self.get(tag, b"")) not in (0, 2) for tag in NUMBERS.values()):
            raise Surprise("a number has an odd length")
        return {name: int.from_bytes(self.get(tag, b""), self.order) for name, tag in NUMBERS.items()}

    def frame_count(self) -> int:
        """Return Number of Frames, an IS (PS3.3 §C.7.6.6), 1 where absent or empty."""
        value = self._stripped(FRAME_COUNT)
        if not value:
            return 1
        if not _INTEGER.fullmatch(value) or not int(value):
            raise Surprise("Number of Frames is no count")
        return int(value)

    def identity(self) -> Identity:
        """Return whose the file is, by its data set; or raise `Surprise`."""
        return Identity(
            sop_class_uid=self.uid(SOP_CLASS_UID, "SOP Class UID"),
            sop_uid=self.uid(SOP_UID, "SOP Instance UID"),
            study_uid=self.uid(STUDY_UID, "Study Instance UID"),
            series_uid=self.uid(SERIES_UID, "Series Instance UID"),
            **{name: self.text(tag) for name, tag in TEXTS.items()},
        )

    def _stripped(self, tag: int) -> bytes:
        return self.get(tag, b"").rstrip(b" \0")
