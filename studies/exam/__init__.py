"""What an exam is, in words a patient knows, and what is worth looking at first in it."""

from __future__ import annotations

from studies.exam.recognising import Said, kind
from studies.exam.starting import is_worth_saying, start
from studies.exam.telling import told
from studies.models import Study
from studies.parts import shown_of

__all__ = ["about", "is_worth_saying", "start"]


def about(study: Study) -> list[str]:
    """What is done in such an exam and what one sees, a paragraph each; nothing where its kind is not sure."""
    series = [(one.body_part, one.description) for one in shown_of(study)]
    said = Said(
        modalities=study.modalities,
        ordered=[study.description],
        parts=[study.body_part, *(part for part, _ in series)],
        console=[description for _, description in series],
    )
    return told(kind(said))
