"""Who may see what, from when until when."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from accounts.models import PatientRecord
from studies.models import FacilityPatient, Study


class Release(models.Model):
    """A facility's offer of one study to its patient. Nothing is visible before it opens or after withdrawal."""

    study = models.OneToOneField(Study, on_delete=models.PROTECT, related_name="release", primary_key=True)
    available_at = models.DateTimeField(default=timezone.now)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_reason = models.CharField(max_length=400, blank=True)
    released_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"release of {self.study_id}"


class ClaimCode(models.Model):
    """A secret on paper that claims a person. Stored as selector and slow keyed digest; never readable again."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(FacilityPatient, on_delete=models.PROTECT, related_name="codes")
    selector = models.CharField(max_length=4)
    digest = models.CharField(max_length=200)
    wrong_tries = models.PositiveIntegerField(default=0)
    issued_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["selector"], condition=Q(used_at=None, revoked_at=None), name="live_selector_is_unique"
            ),
            models.UniqueConstraint(
                fields=["patient"], condition=Q(used_at=None, revoked_at=None), name="one_live_code_per_patient"
            ),
            models.CheckConstraint(condition=Q(expires_at__gt=F("issued_at")), name="code_ends_after_issue"),
        ]

    def __str__(self) -> str:
        return f"claim code {self.pk}"


class Link(models.Model):
    """A facility's patient belongs on a patient record: made by a claim; later studies follow it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(FacilityPatient, on_delete=models.PROTECT, related_name="links")
    record = models.ForeignKey(PatientRecord, on_delete=models.PROTECT, related_name="links")
    claimed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["patient"], condition=Q(ended_at=None), name="one_live_link_per_patient"),
        ]

    def __str__(self) -> str:
        return f"link {self.pk}"
