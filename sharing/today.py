"""The day's patients at a facility: whom it imaged or registered, and who has no sheet yet."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts import audit
from accounts.audit import Action
from sharing import desk
from sharing.access import Staff
from sharing.desk import Standing
from sharing.models import ClaimCode, Contact, Link
from studies.models import FacilityPatient, Study

MOST: Final = 200


@dataclass(frozen=True)
class Visit:
    """One patient of the day, with her exams and where she stands."""

    patient: FacilityPatient
    standing: Standing
    language: str
    exams: list[Study] = field(default_factory=list)

    @property
    def lacks_sheet(self) -> bool:
        """Whether she has neither claimed nor a code, and could be given one."""
        return self.standing.claimed_at is None and self.standing.code is None and self.patient.birth_date is not None


def visits(staff: Staff, day: date | None = None) -> list[Visit]:
    """The patients of a day, those without a sheet first. One event for the list per member of staff and 15 minutes."""
    found = _patients(staff, day or timezone.localdate())
    with transaction.atomic():
        if audit.once(f"{staff.key}|today", desk.ONE_LOOK):
            facility_id = staff.facility.pk
            audit.record(
                Action.DESK_SEARCHED, actor=staff.actor, facility_id=facility_id, way=desk.WAY, found=len(found)
            )
    ids = [patient.pk for patient in found]
    exams: dict[UUID, list[Study]] = defaultdict(list)
    for study in Study.objects.filter(patient__in=ids).order_by("-received_at")[: MOST * 5]:
        exams[study.patient_id].append(study)
    links = Link.objects.filter(patient__in=ids, ended_at=None)
    claimed: dict[Any, datetime] = dict(links.values_list("patient", "created_at"))
    newest_last = ClaimCode.objects.filter(patient__in=ids).order_by("issued_at", "pk")
    codes: dict[Any, ClaimCode] = {code.patient_id: code for code in newest_last}
    languages: dict[Any, str] = dict(Contact.objects.filter(patient__in=ids).values_list("patient", "language"))
    listed = [
        Visit(one, Standing(claimed.get(one.pk), codes.get(one.pk)), languages.get(one.pk, ""), exams[one.pk])
        for one in found
    ]
    return sorted(listed, key=lambda visit: not visit.lacks_sheet)


def _patients(staff: Staff, day: date) -> list[FacilityPatient]:
    begin = timezone.make_aware(datetime.combine(day, time()))
    within = (begin, begin + timedelta(days=1))
    came = Study.objects.filter(Q(study_date=day) | Q(received_at__range=within), facility=staff.facility)
    hers = Q(pk__in=came.values("patient")) | Q(created_at__range=within)
    known = FacilityPatient.objects.filter(hers, facility=staff.facility, shredded_at=None)
    return list(known.select_related("facility").order_by("name_words", "pk")[:MOST])
