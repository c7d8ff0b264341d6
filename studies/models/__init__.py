"""What exists: everything a facility published, where its sealed bytes lie, and what was made of them."""

from __future__ import annotations

from studies.models.made import Job, Rendition, Sidecar
from studies.models.ordered import Exam, ExamEvent, Merge
from studies.models.patients import Demographics, FacilityPatient
from studies.models.published import (
    Announcement,
    Instance,
    InstanceQuerySet,
    Publication,
    Quarantined,
    Rejection,
    Series,
    Study,
)
from studies.models.reports import Report
from studies.models.stored import SealedObject

__all__ = [
    "Announcement",
    "Demographics",
    "Exam",
    "ExamEvent",
    "FacilityPatient",
    "Instance",
    "InstanceQuerySet",
    "Job",
    "Merge",
    "Publication",
    "Quarantined",
    "Rejection",
    "Rendition",
    "Report",
    "SealedObject",
    "Series",
    "Sidecar",
    "Study",
]
