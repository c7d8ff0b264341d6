"""How a facility's patient comes to a person's record, and how the facility reaches her until then."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import PatientRecord
from studies.models import FacilityPatient, Merge, Study


class ClaimCode(models.Model):
    """A secret on paper that claims a person. Stored as selector and slow keyed digest; never readable again."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(FacilityPatient, on_delete=models.PROTECT, related_name="codes")
    selector = models.CharField(max_length=4)
    digest = models.CharField(max_length=200)
    wrong_tries = models.PositiveIntegerField(default=0)
    issued_at = models.DateTimeField(default=timezone.now)
    days = models.PositiveSmallIntegerField(default=30)  # of life, counted anew when an exam opens meanwhile
    expires_at = models.DateTimeField()
    reserved_until = models.DateTimeField(null=True, blank=True)  # for a browser in which somebody makes her account
    reserved_digest = models.BinaryField(max_length=32, default=b"")  # sha256 of what that browser holds
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
    frozen_at = models.DateTimeField(null=True, blank=True)  # it ended because somebody said "this was not me"
    by_merge = models.ForeignKey(  # it came with another number of hers, and goes when that merge is reversed
        Merge, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["patient"], condition=Q(ended_at=None), name="one_live_link_per_patient"),
        ]

    def __str__(self) -> str:
        return f"link {self.pk}"


class Contact(models.Model):
    """How a facility reaches a patient: what it has on file, not what an account says."""

    patient = models.OneToOneField(FacilityPatient, on_delete=models.PROTECT, related_name="contact", primary_key=True)
    email = models.EmailField(blank=True)
    phone = models.CharField(max_length=40, blank=True)  # as E.164 has it: +15551234567
    language = models.CharField(max_length=10, blank=True)
    changed_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"contact of {self.patient_id}"  # never the address: what is printed may end in a log


class Notice(models.Model):
    """Something that a patient was told of, by one way, and whether it reached her. It names nobody and no exam."""

    class Kind(models.TextChoices):
        EXAM = "exam", _("New images")
        REPORT = "report", _("The report is there")
        CHANGED = "changed", _("The report has changed")
        CLAIMED = "claimed", _("Images went to an account")
        CODE = "code", _("A new code")

    class Channel(models.TextChoices):
        EMAIL = "email", _("E-mail")
        SMS = "sms", _("Text message")

    class State(models.TextChoices):
        WAITING = "waiting", _("On its way")
        SENT = "sent", _("Sent")
        FAILED = "failed", _("Could not be sent")
        BOUNCED = "bounced", _("Came back")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(FacilityPatient, on_delete=models.PROTECT, related_name="notices")
    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    channel = models.CharField(max_length=10, choices=Channel.choices)
    message_id = models.UUIDField(db_index=True)  # of the letter or the text in the outbox; one may tell of several
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    trouble = models.CharField(max_length=80, blank=True)  # what kind, never whose
    made_at = models.DateTimeField(default=timezone.now)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["patient", "-made_at"], name="notices_of_patient")]

    def __str__(self) -> str:
        return f"notice {self.pk}"
