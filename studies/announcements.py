"""How many instances a study has, as its facility says: what makes "complete" more than a guess.

A facility may say so before the first instance has come; then a row waits for the study.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from accounts.models import Facility
from studies.models import Announcement, Study
from studies.receiving import known

WAITS: Final = timedelta(days=90)
"""For a study that never comes."""


def announce(facility: Facility, study_uid: str, expected: int) -> bool:
    """Write down how many instances a study has; the last word counts. Tell whether the study is here already."""
    with transaction.atomic():
        # Under the lock that intake takes: between looking for the study and leaving word, it must not come.
        known.lock(facility)
        if Study.objects.filter(facility=facility, study_uid=study_uid).update(expected_count=expected):
            return True
        announced = Announcement.objects.filter(facility=facility)
        announced.filter(made_at__lt=timezone.now() - WAITS).delete()
        announced.update_or_create(
            facility=facility, study_uid=study_uid, defaults={"expected": expected, "made_at": timezone.now()}
        )
        return False


def expected_of(facility: Facility, study_uid: str) -> int | None:
    """How many instances were announced of a study that has not come; None when nothing was said."""
    said = Announcement.objects.filter(facility=facility, study_uid=study_uid)
    return said.values_list("expected", flat=True).first()


def take_up(facility: Facility, studies: Collection[Study]) -> None:
    """Give studies that are about to be written what was announced of them. The caller holds the facility's lock."""
    if not studies:
        return
    new = {study.study_uid: study for study in studies}
    for announcement in Announcement.objects.filter(facility=facility, study_uid__in=list(new)):
        new[announcement.study_uid].expected_count = announcement.expected
        announcement.delete()
