"""How many instances a study has, as its facility says: what makes "complete" more than a guess.

A facility may say so before the first instance has come; then a row waits for the study.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from accounts import audit, throttle
from accounts.audit import Action, Actor
from accounts.models import Facility
from studies.models import Announcement, Study
from studies.receiving import known

WAITS: Final = timedelta(days=90)
"""For a study that never comes."""
A_DAY: Final = 20_000
"""Announcements of one facility: no archive does so many exams, and no row costs more than a line."""


def announce(facility: Facility, study_uid: str, expected: int) -> bool:
    """Write down how many instances a study has; the last word counts. Tell whether the study is here already.

    The same word again is no deed. Raises TooManyTries beyond a day's announcements.
    """
    throttle.hit("announcements of facility", str(facility.pk), cap=A_DAY, within=timedelta(days=1))
    with transaction.atomic():
        # Under the lock that intake takes: between looking for the study and leaving word, it must not come.
        known.lock(facility)
        study = Study.objects.filter(facility=facility, study_uid=study_uid).first()
        before = study.expected_count if study else expected_of(facility, study_uid)
        if study:
            Study.objects.filter(pk=study.pk).update(expected_count=expected)
        else:
            _leave_word(facility, study_uid, expected)
        if before != expected:
            actor, study_id = Actor.facility(facility), study.pk if study else None
            audit.record(Action.ANNOUNCED, actor=actor, facility_id=facility.pk, study_id=study_id)
        return study is not None


def _leave_word(facility: Facility, study_uid: str, expected: int) -> None:
    announced, now = Announcement.objects.filter(facility=facility), timezone.now()
    announced.filter(made_at__lt=now - WAITS).delete()
    announced.update_or_create(facility=facility, study_uid=study_uid, defaults={"expected": expected, "made_at": now})


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
