"""What a facility offers its patients, by which rules, and to what they consented."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Facility
from studies.models import FacilityPatient, Study


class ReleaseRule(models.Model):
    """When exams of a kind are offered, and their reports. The first in order that fits an exam is its rule; where
    none does, all is offered at once. A rule is never edited: it ends, and another takes its place."""

    class Images(models.TextChoices):
        AT_ONCE = "at_once", _("At once")
        WHEN_FINAL = "when_final", _("With the final report")
        AFTER = "after", _("After some hours")

    class Report(models.TextChoices):
        WHEN_FINAL = "when_final", _("As soon as it is final")
        PRELIMINARY = "preliminary", _("Preliminary ones too")
        AFTER = "after", _("Some hours after it is final")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="release_rules")
    position = models.PositiveSmallIntegerField(default=0)
    modality = models.CharField(max_length=16, blank=True)  # empty, here and below: whatever it is
    words = models.CharField(max_length=100, blank=True)  # that stand in what the exam is called
    youngest = models.PositiveSmallIntegerField(null=True, blank=True)  # years, on the day of the exam
    oldest = models.PositiveSmallIntegerField(null=True, blank=True)
    images = models.CharField(max_length=12, choices=Images.choices, default=Images.AT_ONCE)
    images_hours = models.PositiveSmallIntegerField(default=0)
    report = models.CharField(max_length=12, choices=Report.choices, default=Report.WHEN_FINAL)
    report_hours = models.PositiveSmallIntegerField(default=0)
    reason = models.CharField(max_length=300, blank=True)  # of whatever waits, as the patient reads it
    made_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["facility", "position"], name="rules_in_force", condition=Q(ended_at=None))]

    def __str__(self) -> str:
        return f"rule {self.pk}"


class Release(models.Model):
    """A facility's offer of one study to its patient. Nothing is visible before it opens or after withdrawal."""

    class Urgency(models.TextChoices):
        """RSNA Image Share's three words, said of one exam."""

        ROUTINE = "routine", _("Routine")  # by the facility's rules
        WHEN_FINAL = "when_final", _("When final")
        IMMEDIATELY = "immediately", _("Immediately")

    study = models.OneToOneField(Study, on_delete=models.PROTECT, related_name="release", primary_key=True)
    urgency = models.CharField(max_length=12, choices=Urgency.choices, default=Urgency.ROUTINE)
    available_at = models.DateTimeField(default=timezone.now, null=True)  # none: with the final report
    report_at = models.DateTimeField(default=timezone.now, null=True)  # none: it waits for the report to be final
    may_be_preliminary = models.BooleanField(default=False)
    reason = models.CharField(max_length=300, blank=True)  # why something waits, as the patient reads it
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_reason = models.CharField(max_length=400, blank=True)
    released_at = models.DateTimeField(default=timezone.now)
    told_at = models.DateTimeField(null=True, blank=True)  # when its patient was told that it is there
    told_reports = models.PositiveIntegerField(default=0)  # versions of which she was told
    news_at = models.DateTimeField(null=True, blank=True)  # a version came of which she was not told yet

    class Meta:
        indexes = [
            models.Index(
                fields=["available_at"], name="releases_to_tell", condition=Q(told_at=None, withdrawn_at=None)
            ),
            models.Index(fields=["news_at"], name="reports_to_tell", condition=Q(news_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"release of {self.study_id}"


class ConsentText(models.Model):
    """What a facility's patients consent to, word for word; a change is a new version, and consents name theirs."""

    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="consent_texts")
    version = models.PositiveIntegerField()
    text = models.TextField()
    lasts_days = models.PositiveIntegerField(default=365)
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["facility", "version"], name="one_text_per_version")]

    def __str__(self) -> str:
        return f"consent text {self.pk}"


class Consent(models.Model):
    """A patient agreed that her images are put on-line, and whether those that come later are too."""

    class Method(models.TextChoices):
        SIGNED = "signed", _("Signed on paper")
        SPOKEN = "spoken", _("Said at the desk")
        ONLINE = "online", _("On-line")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(FacilityPatient, on_delete=models.PROTECT, related_name="consents")
    text = models.ForeignKey(ConsentText, on_delete=models.PROTECT, related_name="consents")
    later_too = models.BooleanField(default=False)
    method = models.CharField(max_length=10, choices=Method.choices)
    taken_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    given_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["patient", "-given_at"], name="consents_of_patient")]

    def __str__(self) -> str:
        return f"consent {self.pk}"
