"""HL7 v2 as systems really write it: what a message says of a report, and the answer that it gets.

Any line ending, any of the character sets that MSH-18 names, escapes and repetitions. What cannot be understood is
refused in words; nothing of it is guessed.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import hl7

from gateway.config import Hl7

# HL7 table 0211, as far as it is met; what is not named here is read as [hl7] charset says.
CHARSETS: Final = {
    "ASCII": "ascii",
    "8859/1": "latin-1",
    "8859/2": "iso8859-2",
    "8859/5": "iso8859-5",
    "8859/7": "iso8859-7",
    "8859/8": "iso8859-8",
    "8859/9": "iso8859-9",
    "8859/15": "iso8859-15",
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    "GB 18030-2000": "gb18030",
    "KS X 1001": "euc_kr",
    "ISO IR87": "iso2022_jp",
}
# HL7 table 0123, with what RSNA's edge server met besides. "" brings no report to publish.
STATUSES: Final = {
    "P": "preliminary",
    "R": "preliminary",
    "F": "final",
    "C": "corrected",
    "A": "appended",
    "RE": "amended",
    **dict.fromkeys(("O", "I", "S", "SC", "IP", "CM", "D", "X", "CA", "Y", "Z", "N"), ""),
}
TEXTS: Final = frozenset({"TX", "FT", "ST", ""})
ENCAPSULATED: Final = "ED"
STUDY_UID_CODES: Final = frozenset({"113014", "110180"})  # DCM: study; Study Instance UID
ACCEPTED, FAILED, REJECTED = "AA", "AE", "AR"


class NotUnderstood(Exception):
    """A message that is refused; the words say what is missing in it. They quote nothing from it."""


@dataclass(frozen=True)
class Report:
    """What an ORU^R01 brings to publish: text, or a PDF."""

    study_uid: str
    accession_number: str
    patient_id: str
    status: str
    content: bytes
    is_pdf: bool


@dataclass(frozen=True)
class Message:
    """One message, by who sent it under which number."""

    sender: str  # MSH-3 and MSH-4
    control_id: str  # MSH-10
    kind: str  # MSH-9: ORU^R01
    segments: hl7.Message


def read(block: bytes, charset: str) -> Message:
    """The message in a block. Raises NotUnderstood."""
    lines = re.split(rb"\r\n|\r|\n", block.strip(b"\r\n\t \x1c\x0b"))
    head = lines[0].decode("latin-1")
    if not head.startswith("MSH") or len(head) < 9:
        raise NotUnderstood("This is no HL7 v2 message: it does not begin with MSH.")
    fields = head.split(head[3])
    named = fields[17].split("~")[0].strip().upper() if len(fields) > 17 else ""
    try:
        text = b"\r".join(line for line in lines if line).decode(CHARSETS.get(named, charset))
        message = hl7.parse(text + "\r")
    except (UnicodeDecodeError, hl7.HL7Exception, IndexError, ValueError) as error:
        raise NotUnderstood("The message cannot be read in the character set that it names in MSH-18.") from error
    segment = message.segment("MSH")
    kind = "^".join(components(segment, 9)[:2])
    return Message(f"{field(segment, 3)}|{field(segment, 4)}", field(segment, 10), kind, message)


def report_in(message: Message, said: Hl7) -> Report | None:
    """The report that an ORU^R01 brings; None for a status that brings none. Raises NotUnderstood."""
    orders = list(segments(message, "OBR"))
    if not orders:
        raise NotUnderstood("There is no OBR segment, so nobody can tell which exam this is of.")
    status = _status(message, orders[0], said.status)
    if not status:
        return None
    accession, uid = named(message, said.accession), study_uid(message)
    if not accession and not uid:
        raise NotUnderstood(f"The exam is not named: {said.accession} is empty, and there is no Study Instance UID.")
    patient = named(message, said.patient) if said.patient else ""
    if said.patient and not patient:
        raise NotUnderstood(f"The patient is not named: {said.patient} is empty.")
    content, is_pdf = _content(message)
    return Report(uid, "" if uid else accession, patient, status, content, is_pdf)


def answer(to: Message | None, code: str, words: str = "") -> bytes:
    """The acknowledgement (HL7 v2.5.1 §2.9.2): AA, AE or AR, and why."""
    now = f"{datetime.now().astimezone():%Y%m%d%H%M%S}"
    sender, facility = to.sender.split("|") if to else ("", "")
    control = to.control_id if to else ""
    head = f"MSH|^~\\&|LIGHTBOX||{sender}|{facility}|{now}||ACK|{now}{control}|P|2.5.1||||||UNICODE UTF-8"
    return f"{head}\rMSA|{code}|{control}|{words}\r".encode()


def _status(message: Message, order: hl7.Segment, mapping: Mapping[str, str]) -> str:
    code = field(order, 25)
    if not code:
        code = next((found for segment in segments(message, "ORC") if (found := field(segment, 5))), "")
    code = code.strip().upper()
    if code in mapping:
        return mapping[code]
    if code not in STATUSES:
        raise NotUnderstood("Nobody knows the status in OBR-25: say under [hl7.status] what it means here.")
    return STATUSES[code]


def named(message: Message, where: str) -> str:
    """What stands in a field, or in a component of one: OBR-3.1. "" where nothing does."""
    name, _dash, place = where.partition("-")
    number, _dot, component = place.partition(".")
    for segment in segments(message, name):
        parts = components(segment, int(number))
        found = parts[int(component or 1) - 1] if len(parts) >= int(component or 1) else ""
        if found:
            return found
    return ""


def study_uid(message: Message) -> str:
    """The Study Instance UID in a ZDS segment (IHE RAD-4), or an OBX that is one (DCM 113014); "" for none."""
    for segment in segments(message, "ZDS"):
        if uid := components(segment, 1)[:1]:
            return uid[0]
    for segment in segments(message, "OBX"):
        if field(segment, 2) == "HD" and STUDY_UID_CODES & set(components(segment, 3)):
            return components(segment, 5)[0]
    return ""


def _content(message: Message) -> tuple[bytes, bool]:
    """A PDF where there is one, else every line of text in order."""
    lines: list[str] = []
    for segment in segments(message, "OBX"):
        kind = field(segment, 2)
        if kind == ENCAPSULATED and "PDF" in [part.upper() for part in components(segment, 5)]:
            return _pdf(components(segment, 5)), True
        if kind in TEXTS:
            lines += _lines(message, segment)
    text = "\n".join(lines).strip("\n")
    if not text.strip():
        raise NotUnderstood("There is no text and no PDF in its OBX segments.")
    return text.encode(), False


def _pdf(parts: list[str]) -> bytes:
    """What an ED holds: source, type, subtype, encoding, data (HL7 v2.5.1 §2.A.24)."""
    try:
        content = base64.b64decode(re.sub(r"\s", "", parts[4]), validate=True)
    except (IndexError, binascii.Error, ValueError) as error:
        raise NotUnderstood("The PDF in OBX-5 is not in Base64.") from error
    if not content.startswith(b"%PDF"):
        raise NotUnderstood("What OBX-5 calls a PDF is none.")
    return content


def _lines(message: Message, segment: hl7.Segment) -> Iterator[str]:
    """The text of one OBX-5; its repetitions are lines, as are the breaks within them."""
    for repetition in field(segment, 5).split(message.segments.separators[2]):
        yield from message.segments.unescape(repetition).replace("\r\n", "\n").replace("\r", "\n").split("\n")


def segments(message: Message, name: str) -> Iterator[hl7.Segment]:
    """The segments of a name, in order."""
    return (segment for segment in message.segments if field(segment, 0) == name)


def field(segment: hl7.Segment, number: int) -> str:
    """A field as it stands there; "" for one that does not."""
    return str(segment[number]) if len(segment) > number else ""


def components(segment: hl7.Segment, number: int) -> list[str]:
    """The components of the first repetition of a field, without their blanks."""
    if len(segment) <= number:
        return [""]
    first = str(segment[number]).split("~")[0]
    return [part.strip() for part in first.split("^")]
