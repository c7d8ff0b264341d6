"""What a file that waits says of itself, read in the sandbox."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from studies import sandbox
from studies.models import Quarantined
from studies.refusals import Refusal
from studies.sandbox import SandboxDied
from studies.store import objects
from studies.store.damage import Damaged
from studies.store.keys import Erased
from studies.values import dicom_date

MOST_HEADER: Final = 2**20


@dataclass(frozen=True)
class Said:
    """What a file that waits says of itself, in its own character set."""

    patient_name: str
    birth_date: date | None
    description: str
    study_date: date | None
    modality: str


def read(held: Quarantined) -> Said | None:
    """Read a file's header in the sandbox; None when nobody can, for staff may settle all the same what is damaged."""
    length = min(held.pixel_offset or held.length, MOST_HEADER)
    try:
        header = b"".join(objects.read(held.pack, held.offset, length))
        said = _facts(sandbox.run("facts", {}, [header]).values)
    except (Damaged, Erased, Refusal, SandboxDied):
        return None
    if "refused" in said:
        return None
    return Said(
        patient_name=_text(said, "patient_name") or _text(said, "patient_name_ideographic"),
        birth_date=dicom_date(_text(said, "birth_date")),
        description=_text(said, "study_description"),
        study_date=dicom_date(_text(said, "study_date")),
        modality=_text(said, "modality"),
    )


def _facts(answer: dict[str, Any]) -> dict[str, Any]:
    match answer.get("facts"):
        case [dict(said)]:
            return said
    return {}


def _text(said: dict[str, Any], name: str) -> str:
    value = said.get(name)
    return value[:400] if isinstance(value, str) else ""
