"""What waits for somebody at a facility's desk, until she has answered."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Facility
from sharing.models.claiming import ClaimCode, Link
from studies.models import FacilityPatient, Study


class Case(models.Model):
    """One question to a facility about one patient. It ends with an answer, and never otherwise."""

    class Kind(models.TextChoices):
        CODE = "code", _("Asks for a new code")
        NOT_ME = "not_me", _("“This was not me”")
        DISAGREES = "disagrees", _("Name, birth date or sex disagree")
        MERGED = "merged", _("Merged, and in two accounts")
        PROBLEM = "problem", _("Something is missing or wrong")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="cases")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    patient = models.ForeignKey(FacilityPatient, on_delete=models.PROTECT, related_name="cases")
    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    code = models.ForeignKey(ClaimCode, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    link = models.ForeignKey(Link, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    text = models.CharField(max_length=2000, blank=True)  # as whoever asks said it
    opened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    opened_at = models.DateTimeField(default=timezone.now)
    answer = models.CharField(max_length=2000, blank=True)  # as the patient reads it
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["patient"], condition=Q(kind="code", closed_at=None), name="one_open_request_for_a_code"
            ),
            models.CheckConstraint(condition=Q(closed_at=None) | ~Q(answer=""), name="a_case_is_closed_with_an_answer"),
        ]
        indexes = [models.Index(fields=["facility", "opened_at"], name="open_cases", condition=Q(closed_at=None))]

    def __str__(self) -> str:
        return f"case {self.pk}"
