"""What an HL7 message says beside a report: of an exam, of a patient, of two numbers that are one person's.

Each becomes a post to the portal's API (docs/facility-api.md). Nothing is decided here: the portal knows what came
before, and which of two messages was overtaken.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

import hl7

from gateway.config import Hl7
from gateway.messages import Message, NotUnderstood, components, field, named, segments, study_uid

ORU, ORM, OMI = "ORU^R01", "ORM^O01", "OMI^O23"
CORRECTIONS: Final = frozenset({"ADT^A04", "ADT^A08", "ADT^A28", "ADT^A31"})
MERGES: Final = frozenset({"ADT^A18", "ADT^A40"})
# HL7 tables 0123 and 0038, with what RSNA's edge server met besides.
STATES: Final = {
    "O": "ordered",
    **dict.fromkeys(("S", "SC"), "scheduled"),
    **dict.fromkeys(("I", "IP"), "in_progress"),
    "CM": "completed",
    "D": "dictated",
    **dict.fromkeys(("P", "R"), "preliminary"),
    "F": "final",
    **dict.fromkeys(("C", "RE"), "revised"),
    "A": "addended",
    "N": "non_reportable",
    **dict.fromkeys(("X", "CA", "DC"), "cancelled"),
}
# HL7 table 0119, where a message says no state.
CONTROLS: Final = {
    **dict.fromkeys(("NW", "SN", "OK", "RO"), "ordered"),
    **dict.fromkeys(("CA", "OC", "CR", "DC", "OD"), "cancelled"),
}
SEXES: Final = frozenset({"M", "F", "O"})
_MOMENT: Final = re.compile(r"(\d{8})(\d{2})?(\d{2})?(\d{2})?(?:\.\d+)?([+-]\d{4})?")


@dataclass(frozen=True)
class Post:
    """One post to `/api/v1/<path>/`."""

    path: str
    body: Mapping[str, Any]


def posts(message: Message, said: Hl7, now: datetime) -> list[Post]:
    """What a message brings, in the order in which the portal should hear it. Raises NotUnderstood.

    `now` stands for a message that does not say when it was written.
    """
    if message.kind in CORRECTIONS:
        return [Post("patients", _person(message, said))]
    if message.kind in MERGES:
        return _merge(message, said)
    exam = _exam(message, said, now)
    return [Post("exams", exam)] if exam else []


def _exam(message: Message, said: Hl7, now: datetime) -> dict[str, Any] | None:
    """Of an order or a result; None where a result names no accession number, or no state that counts."""
    is_order = message.kind != ORU
    if not is_order and not said.patient:  # its numbers are not those of the images
        return None
    order = next(segments(message, "OBR"), None)
    accession = named(message, said.accession)
    state = _state(message, order, said.states, is_order=is_order)
    if not accession or not state:
        if is_order:
            raise NotUnderstood(f"The exam is not named: {said.accession} is empty." if not accession else _NO_STATE)
        return None
    written = moment(field(next(segments(message, "MSH")), 7)) or now
    return {
        **_person(message, said),
        "accession_number": accession,
        "state": state,
        "said_at": written.isoformat(),
        "study_uid": study_uid(message),
        "description": _text(components(order, 4), 1) if order else "",
        "modality": components(order, 24)[0] if order else "",
        "scheduled_for": planned.isoformat() if (planned := _planned(message, order)) else None,
    }


_NO_STATE: Final = "Nobody knows the state in OBR-25 or ORC-5: say under [hl7.states] what it means here."


def _state(message: Message, order: hl7.Segment | None, mapping: Mapping[str, str], *, is_order: bool) -> str:
    """By OBR-25, else ORC-5, else what an order asks for in ORC-1."""
    common = next(segments(message, "ORC"), None)
    codes = [field(order, 25) if order else "", field(common, 5) if common else ""]
    code = next((one.strip().upper() for one in codes if one.strip()), "")
    if code:
        return mapping.get(code, STATES.get(code, ""))
    return CONTROLS.get(field(common, 1).strip().upper(), "") if is_order and common else ""


def _person(message: Message, said: Hl7) -> dict[str, Any]:
    number = patient_id(message, said)
    born = components_of(message, "PID", 7)[0]
    sex = components_of(message, "PID", 8)[0].upper()
    name = [*components_of(message, "PID", 5), "", "", ""][:3]
    return {
        "patient_id": number,
        "name": "^".join(name).rstrip("^"),
        "birth_date": _day(born),
        "sex": sex if sex in SEXES else "",
    }


def patient_id(message: Message, said: Hl7) -> str:
    """The number that the images carry: of several in PID-3 the one that is called MR (HL7 table 0203)."""
    where = said.patient
    if not where:
        raise NotUnderstood("Whose it is cannot be told: [hl7] patient is empty here.")
    if where.startswith("PID-3"):
        for segment in segments(message, "PID"):
            for repetition in field(segment, 3).split("~"):
                parts = [one.strip() for one in repetition.split("^")]
                if len(parts) > 4 and parts[4].upper() == "MR" and parts[0]:
                    return parts[0]
    if found := named(message, where):
        return found
    raise NotUnderstood(f"The patient is not named: {where} is empty.")


def _merge(message: Message, said: Hl7) -> list[Post]:
    """Which number stays and which goes: MRG-1, else PID-4, as RSNA's edge server took it of an A18."""
    gone = components_of(message, "MRG", 1)[0] or components_of(message, "PID", 4)[0]
    if not gone:
        raise NotUnderstood("The number that goes is not named: MRG-1 is empty.")
    stays = {"patient_id": patient_id(message, said)}
    return [
        Post("merges", {"survivor": stays, "merged": {"patient_id": gone}}),
        Post("patients", _person(message, said)),
    ]


def components_of(message: Message, name: str, number: int) -> list[str]:
    """The components of a field of the first segment of a name; one "" where there is none."""
    segment = next(segments(message, name), None)
    return components(segment, number) if segment is not None else [""]


def _planned(message: Message, order: hl7.Segment | None) -> datetime | None:
    """When an exam is to be: OBR-36, else TQ1-7, else the start in ORC-7."""
    common = [*components_of(message, "ORC", 7), "", "", "", ""][3]
    said = [field(order, 36) if order else "", components_of(message, "TQ1", 7)[0], common]
    return next((found for one in said if (found := moment(one))), None)


def moment(text: str) -> datetime | None:
    """An HL7 timestamp (DTM), in the zone that it says, else in that of this computer; None for what is none."""
    found = _MOMENT.fullmatch(text.strip())
    if not found:
        return None
    try:
        bare = datetime.strptime(f"{found[1]}{found[2] or '00'}{found[3] or '00'}{found[4] or '00'}", "%Y%m%d%H%M%S")
        return bare.replace(tzinfo=_zone(found[5])) if found[5] else bare.astimezone()
    except (ValueError, OverflowError):
        return None


def _zone(text: str) -> timezone:
    hours, minutes = int(text[1:3]), int(text[3:5])
    shift = timedelta(hours=hours, minutes=minutes)
    return timezone(-shift if text[0] == "-" else shift) if shift else UTC


def _day(text: str) -> str | None:
    found = moment(text[:8])
    return f"{found:%Y-%m-%d}" if found else None


def _text(parts: list[str], place: int) -> str:
    """What stands at a place, else before it."""
    return parts[place] if len(parts) > place and parts[place] else parts[0]
