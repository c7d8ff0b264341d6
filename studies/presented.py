"""Which pictures of a study its presentation states are for, by what `dicom.presenting` read in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from studies.models import Instance, Study
from studies.showing import can_be_sent

PRESENTATION: Final = "presentation"
IMAGES: Final = ("image", "multiframe")
MOST: Final = 100
"""Pictures that are shown by one state."""

Source = tuple[Instance, int]
"""An image and one of its frames (from 0)."""


def pictures_of(study: Study, states: Sequence[Instance]) -> dict[int, list[Source]]:
    """By the state's pk, what is shown by it: only present images of the same study, found by SOP Instance UID."""
    named = {uid for state in states for uid, _ in _presents(state)}
    images = study.instances.present().filter(sop_uid__in=named, kind__in=IMAGES) if named else Instance.objects.none()
    known = {image.sop_uid: image for image in images.with_packs()}
    return {state.pk: list(_sources(state, known))[:MOST] for state in states}


def _sources(state: Instance, known: dict[str, Instance]) -> Iterator[Source]:
    for uid, frames in _presents(state):
        image = known.get(uid)
        if image is not None and can_be_sent(image):
            for frame in frames or range(min(image.frame_count, MOST)):
                if 0 <= frame < image.frame_count:
                    yield image, frame


def _presents(state: Instance) -> list[tuple[str, list[int]]]:
    """A stranger's word: whatever is not as it should be is left out."""
    said: Any = state.facts.get("presents")
    return [(one[0], one[1]) for one in said if _is_reference(one)] if isinstance(said, list) else []


def _is_reference(said: Any) -> bool:
    match said:
        case [str(), [*frames]]:
            return all(type(frame) is int for frame in frames)
    return False
