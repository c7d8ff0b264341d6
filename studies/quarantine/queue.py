"""What waits for a decision: files that say the same of themselves wait together."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, Max, Min, QuerySet, Sum
from django.utils.translation import gettext_lazy as _

from accounts.errors import Conflict, NotFound
from accounts.models import Facility
from studies.models import FacilityPatient, Instance, Quarantined, Study

MOST_SHOWN: Final = 200
SAID: Final = ("study_uid", "reason", "patient_id", "issuer", "patient_name", "birth_date", "sex")
"""What files must have in common to wait together: whose they say they are, and why they wait."""

Outcome = Quarantined.Outcome


class Settled(Conflict):
    """Somebody was quicker, and decided otherwise."""

    code = "settled"
    hint = _("Go back to what waits: this is no longer among it.")

    def __init__(self, outcome: str) -> None:
        taken_in = outcome == Outcome.TAKEN_IN
        super().__init__(
            _("These images have been taken in already.") if taken_in else _("These images have been left out already.")
        )


@dataclass(frozen=True)
class Waiting:
    """Files that wait together. `key` is the first of them, `upto` the last that was there when asked."""

    key: int
    upto: int
    study_uid: str
    reason: Quarantined.Reason
    patient_id: str
    issuer: str
    patient_name: str
    birth_date: date | None
    sex: str
    count: int
    size: int  # bytes
    sent_at: datetime  # the last of them
    study: Study | None = field(default=None)  # that is known under this UID


def count(facility: Facility) -> int:
    """How many groups of files wait for somebody to decide."""
    return _groups(_waiting(facility)).count()


def waiting(facility: Facility) -> list[Waiting]:
    """What waits for somebody to decide, the newest first; at most MOST_SHOWN."""
    found = list(_groups(_waiting(facility))[:MOST_SHOWN])
    known = facility.studies.filter(study_uid__in={one["study_uid"] for one in found})
    studies = {study.study_uid: study for study in known.select_related("patient__facility", "facility")}
    return [_view(one, studies.get(one["study_uid"])) for one in found]


def group(facility: Facility, key: int) -> Waiting:
    """Those that wait together with this file. NotFound for what this facility never sent, Settled for what is done."""
    first = of(facility, key)
    found = _groups(like(first).filter(settled_at=None)).first()
    if found is None:
        raise Settled(first.outcome)
    study = facility.studies.filter(study_uid=first.study_uid).select_related("patient__facility", "facility").first()
    return _view(found, study)


def sample(facility: Facility, key: int) -> Quarantined:
    """The newest file of a group, to be read. NotFound as `group`."""
    newest = like(of(facility, key)).filter(settled_at=None).select_related("pack__patient").order_by("-pk").first()
    if newest is None:
        raise NotFound
    return newest


def likely_patient(waiting: Waiting, facility: Facility) -> FacilityPatient | None:
    """The patient of the study where that is known, else whom the files name by ID and issuer, when she is known."""
    if waiting.study is not None:
        return waiting.study.patient
    if not waiting.patient_id:
        return None
    issuer = waiting.issuer or facility.issuer
    return facility.patients.filter(patient_id=waiting.patient_id, issuer=issuer).first()


def replaced(facility: Facility, key: int, upto: int) -> dict[Study, int]:
    """The studies that would lose instances to this group, and how many: an instance is in one place only."""
    first = of(facility, key)
    uids = like(first).filter(settled_at=None, pk__lte=upto).values("sop_uid")
    present = Instance.objects.present().filter(facility=facility, sop_uid__in=uids)
    lost = present.exclude(study__study_uid=first.study_uid).values_list("study").annotate(lost=Count("pk"))
    counts: dict[UUID, int] = dict(lost)
    return {study: counts[study.pk] for study in facility.studies.filter(pk__in=counts).select_related("patient")}


def of(facility: Facility, key: int) -> Quarantined:
    """A file that was set aside. NotFound for what this facility never sent."""
    held = Quarantined.objects.filter(facility=facility, pk=key).first()
    if held is None:
        raise NotFound
    return held


def like(first: Quarantined) -> QuerySet[Quarantined]:
    """All that say the same as this one, settled or not."""
    said = {name: getattr(first, name) for name in SAID}
    return Quarantined.objects.filter(facility=first.facility_id, **said)


def _waiting(facility: Facility) -> QuerySet[Quarantined]:
    return Quarantined.objects.filter(facility=facility, settled_at=None)


def _groups(held: QuerySet[Quarantined]) -> QuerySet[Any, dict[str, Any]]:
    together = held.order_by().values(*SAID)
    counted: QuerySet[Any, dict[str, Any]] = together.annotate(
        key=Min("pk"), upto=Max("pk"), count=Count("pk"), bytes=Sum("length"), sent_at=Max("received_at")
    )
    return counted.order_by("-sent_at", "-upto")


def _view(found: dict[str, Any], study: Study | None) -> Waiting:
    said = {name: value for name, value in found.items() if name not in ("reason", "bytes")}
    return Waiting(**said, reason=Quarantined.Reason(found["reason"]), size=found["bytes"], study=study)
