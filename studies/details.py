"""What a viewer needs to know of a series besides its pictures, and which pictures somebody marked.

Everything here was read in the sandbox when the study came, and is a stranger's word.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import UUID

from accounts.errors import NotFound
from studies.documents import references
from studies.models import Rendition, Series, Study

Look = Mapping[str, Any]

# Titles of key object documents that mark pictures to look at (PS3.16 CID 7010): of interest, for the referring
# provider, surgery, teaching, conference, therapy, the patient; best in set, for printing, for the report. Not those
# that reject, list what was sent, or set aside for review, research or a court.
MARKING: Final = frozenset(
    {"113000", "113002", "113003", "113004", "113005", "113006", "113007", "113013", "113018", "113020"}
)
MOST_MARKED: Final = 300


def details(study: Study, series_id: UUID) -> dict[str, Any]:
    """`{"kinds": [look, …], "frames": [which kind picture 1 is of, …]}`; looks are those of `dicom.looks`.

    NotFound for a series of another study.
    """
    is_hidden = study.only_series is not None and series_id not in study.only_series
    if is_hidden or not Series.objects.filter(pk=series_id, study=study).exists():
        raise NotFound
    pictures = _pictures(series_id)
    known = dict(study.instances.filter(series=series_id).values_list("pk", "facts"))
    kinds: dict[str, int] = {}
    frames = [kinds.setdefault(json.dumps(_look(known.get(pk, {}), frame)), len(kinds)) for pk, frame in pictures]
    return {"kinds": [json.loads(kind) for kind in kinds], "frames": frames}


def marked(study: Study) -> list[tuple[UUID, int]]:
    """The series and index (from 1) of each picture that a key object document of the study marks, in its order."""
    marks = list(_marks(study))
    places = references.places(study, {uid for uid, _ in marks}) if marks else {}
    found = (places.get((uid, frame)) for uid, frame in marks)
    return list(dict.fromkeys(place for place in found if place))[:MOST_MARKED]


def _pictures(series_id: UUID) -> list[tuple[int, int]]:
    """Instance and frame of each picture, in order."""
    shown = Rendition.objects.filter(series=series_id, size=Rendition.Size.PREVIEW).first()
    return [(pk, frame) for pk, frame, *_ in shown.pictures] if shown else []


def _look(facts: Look, frame: int) -> Look:
    """What is known of a frame. Of files read before looks were kept it is little: no spacing whose kind is unsaid."""
    match facts.get("looks"):
        case {"kinds": [_, *_] as kinds, "frames": list(frames)}:
            place = frames[min(frame, len(frames) - 1)] if frames else 0
            if isinstance(place, int) and 0 <= place < len(kinds):
                return dict(kinds[place])
    return {
        "rows": facts.get("rows"),
        "columns": facts.get("columns"),
        "spacing": None,
        "spacing_kind": None,
        "orientation": None,
        "laterality": "",
        "windows": facts.get("windows") or [],
        "unit": "",
    }


def _marks(study: Study) -> Iterator[tuple[str, int]]:
    """SOP Instance UID and frame (from 1); of a whole recording its first."""
    documents = study.instances.present().filter(kind="key objects").order_by("pk")
    for facts in documents.values_list("facts", flat=True):
        match facts.get("marks"):
            case {"title": str(title), "of": list(marks)} if title in MARKING:
                for mark in marks:
                    match mark:
                        case [str(uid), int() | None as frame]:
                            yield uid, frame or 1
