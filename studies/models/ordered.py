"""What a facility's RIS says of exams, before and beside their images; and which of its patients are one person."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Facility
from studies.models.patients import FacilityPatient
from studies.models.published import Study


class Exam(models.Model):
    """One exam as the RIS knows it, by its accession number; its study joins it when images come.

    `state` is what its events come to: see `studies.orders.states`.
    """

    class State(models.TextChoices):
        """RSNA Image Share's exam states (HL7 table 0123, as sites write it)."""

        ORDERED = "ordered", _("Ordered")
        SCHEDULED = "scheduled", _("Scheduled")
        IN_PROGRESS = "in_progress", _("In progress")
        COMPLETED = "completed", _("Completed")
        DICTATED = "dictated", _("Dictated")
        PRELIMINARY = "preliminary", _("Preliminary report")
        FINAL = "final", _("Final report")
        NON_REPORTABLE = "non_reportable", _("Read elsewhere")
        REVISED = "revised", _("Report revised")
        ADDENDED = "addended", _("Report with an addendum")
        CANCELLED = "cancelled", _("Cancelled")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="exams")
    patient = models.ForeignKey(FacilityPatient, on_delete=models.PROTECT, related_name="exams")
    accession_number = models.CharField(max_length=64)
    study_uid = models.CharField(max_length=64, blank=True)  # where the RIS says it (IHE RAD-4, ZDS)
    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="exams", null=True, blank=True)
    description = models.CharField(max_length=200, blank=True)
    modality = models.CharField(max_length=16, blank=True)
    scheduled_for = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=16, choices=State.choices)
    state_at = models.DateTimeField()  # when the RIS said so
    heard_at = models.DateTimeField(default=timezone.now)  # of it first

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["facility", "accession_number"], name="one_exam_per_accession"),
        ]
        indexes = [
            models.Index(fields=["patient", "-state_at"], name="exams_of_patient"),
            models.Index(fields=["facility", "-heard_at"], name="exams_by_day"),
            models.Index(fields=["facility", "study_uid"], name="exam_by_study_uid"),
        ]

    def __str__(self) -> str:
        return f"exam {self.pk}"


class ExamEvent(models.Model):
    """One state of an exam, as the RIS said it once. Written once and never changed."""

    exam = models.ForeignKey(Exam, on_delete=models.PROTECT, related_name="events")
    state = models.CharField(max_length=16, choices=Exam.State.choices)
    said_at = models.DateTimeField()  # by the clock of the RIS
    heard_at = models.DateTimeField(default=timezone.now)  # by ours

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["exam", "state", "said_at"], name="said_once"),
        ]

    def __str__(self) -> str:
        return f"event {self.pk}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Only the first time."""
        if not self._state.adding:
            raise TypeError("what was said once is not changed")
        super().save(*args, **kwargs)


class Merge(models.Model):
    """Two of a facility's patients are one person: what carries the merged number belongs to the surviving one.

    No row moves for it, so that it can be reversed: see `studies.orders.merges`.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="merges")
    survivor = models.ForeignKey(FacilityPatient, on_delete=models.PROTECT, related_name="merges")
    merged = models.ForeignKey(FacilityPatient, on_delete=models.PROTECT, related_name="merged_by")
    made_at = models.DateTimeField(default=timezone.now)
    reversed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["merged"], condition=Q(reversed_at=None), name="merged_into_one"),
            models.CheckConstraint(condition=~Q(survivor=F("merged")), name="merged_with_another"),
        ]
        indexes = [models.Index(fields=["survivor"], name="merges_in_force", condition=Q(reversed_at=None))]

    def __str__(self) -> str:
        return f"merge {self.pk}"
