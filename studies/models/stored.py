"""Where bytes lie: one row for each sealed object."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone

from accounts.models import Facility
from studies.models.patients import FacilityPatient


class SealedObject(models.Model):
    """One sealed, immutable object in the store: a pack of instances, a rendition stack, a sidecar or a report file.

    Its own random key is wrapped by the patient's key, or by the master key where no patient is known.
    """

    class Kind(models.TextChoices):
        PACK = "pack"
        RENDITION = "rendition"
        SIDECAR = "sidecar"
        REPORT = "report"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="+")
    patient = models.ForeignKey(FacilityPatient, on_delete=models.PROTECT, related_name="+", null=True)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    length = models.BigIntegerField()  # bytes of plaintext
    wrapped_key = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now)
    checked_at = models.DateTimeField(null=True, blank=True)  # when every byte was last read and found whole
    damaged_at = models.DateTimeField(null=True, blank=True)  # when one was not; nothing of it is served

    class Meta:
        indexes = [models.Index(fields=["checked_at", "created_at"], name="object_to_check")]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
