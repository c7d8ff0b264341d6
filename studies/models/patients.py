"""Whom a facility published of, and what it said of her."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models
from django.utils import timezone

from accounts.models import Facility
from studies.names import folded


class FacilityPatient(models.Model):
    """A patient as one facility knows her: its patient ID and issuer, never joined with another facility's.

    `wrapped_key` is her key-encryption key, wrapped by the master key: destroying it shreds all her objects.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="patients")
    patient_id = models.CharField(max_length=128)
    issuer = models.CharField(max_length=200, blank=True)
    name = models.CharField(max_length=400, blank=True)  # DICOM PN: Doe^Jane
    name_words = models.CharField(max_length=800, blank=True, editable=False)  # names.folded, for the search
    birth_date = models.DateField(null=True, blank=True)
    sex = models.CharField(max_length=16, blank=True)
    wrapped_key = models.BinaryField()  # empty once shredded
    created_at = models.DateTimeField(default=timezone.now)
    shredded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["facility", "issuer", "patient_id"], name="one_patient_per_id"),
        ]
        indexes = [
            models.Index(fields=["patient_id"], name="patient_by_id"),
            models.Index(fields=["name_words"], name="patient_by_name", opclasses=["varchar_pattern_ops"]),
        ]

    def __str__(self) -> str:
        return f"patient {self.pk}"

    def save(self, *args: Any, update_fields: Any = None, **kwargs: Any) -> None:
        """Keep the words to search by in step with the name."""
        self.name_words = folded(self.name)[:800]
        if update_fields is not None and "name" in update_fields:
            update_fields = {*update_fields, "name_words"}
        super().save(*args, update_fields=update_fields, **kwargs)


class Demographics(models.Model):
    """What a facility said of a patient, and when: the history behind FacilityPatient's present values."""

    patient = models.ForeignKey(FacilityPatient, on_delete=models.PROTECT, related_name="demographics")
    name = models.CharField(max_length=400, blank=True)
    birth_date = models.DateField(null=True, blank=True)
    sex = models.CharField(max_length=16, blank=True)
    source = models.CharField(max_length=20)  # images, command, desk
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "demographics"

    def __str__(self) -> str:
        return f"demographics {self.pk}"
