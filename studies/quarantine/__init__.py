"""What was set aside at the door, and what a facility's staff decide of it: take it in after all, or leave it out.

Files wait together that say the same of themselves: one study, one patient, one reason. Whoever settles them settles
all that she was shown, at once and for good; what comes later waits anew. The bytes stay as they were sent: our rows
say whose they are, and their key is wrapped for that patient.
"""

from __future__ import annotations

from studies.quarantine.queue import (
    MOST_SHOWN,
    Settled,
    Waiting,
    count,
    group,
    likely_patient,
    replaced,
    sample,
    waiting,
)
from studies.quarantine.reading import Said, read
from studies.quarantine.settlement import OtherPatient
from studies.quarantine.settling import Why, check, leave_out, take_in

__all__ = [
    "MOST_SHOWN",
    "OtherPatient",
    "Said",
    "Settled",
    "Waiting",
    "Why",
    "check",
    "count",
    "group",
    "leave_out",
    "likely_patient",
    "read",
    "replaced",
    "sample",
    "take_in",
    "waiting",
]
