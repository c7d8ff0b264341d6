"""What was written about it."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Facility
from studies.models.published import Instance, Study
from studies.models.stored import SealedObject


class Report(models.Model):
    """One version of a study's report, as the facility sent it; sealed. Kept unattached until its study comes."""

    class Status(models.TextChoices):
        PRELIMINARY = "preliminary", _("Preliminary")
        FINAL = "final", _("Final")
        AMENDED = "amended", _("Amended")
        CORRECTED = "corrected", _("Corrected")
        APPENDED = "appended", _("With an addendum")

    class Form(models.TextChoices):
        TEXT = "text/plain"
        PDF = "application/pdf"
        DICOM = "application/dicom"  # the body is what `structured` read in it; the file itself lies beside

    class Kind(models.TextChoices):
        """What a document is to its reader, the radiologist's report first."""

        REPORT = "report", _("Report")
        DOCUMENT = "document", _("Document")
        MEASUREMENTS = "measurements", _("Measurements")
        DOSE = "dose", _("Radiation dose")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="reports")
    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="reports", null=True, blank=True)
    study_uid = models.CharField(max_length=64, blank=True)  # as named by the facility
    accession_number = models.CharField(max_length=64, blank=True)
    version = models.PositiveIntegerField(default=1)
    status = models.CharField(max_length=12, choices=Status.choices)
    form = models.CharField(max_length=20, choices=Form.choices)
    title = models.CharField(max_length=200, blank=True)  # as a structured report names itself
    instance = models.ForeignKey(  # the structured report or encapsulated PDF it was read from
        Instance, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    body = models.ForeignKey(SealedObject, on_delete=models.PROTECT, related_name="+")
    sha256 = models.BinaryField(max_length=32)
    received_at = models.DateTimeField(default=timezone.now)
    # --- of a DICOM document
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.REPORT)
    sop_uid = models.CharField(max_length=64, blank=True)
    predecessors = models.JSONField(default=list, blank=True)  # SOP Instance UIDs of what it replaces or adds to
    written_at = models.DateTimeField(null=True, blank=True)
    patient_id = models.CharField(max_length=128, blank=True)  # whose it says it is; kept until its study comes
    original = models.ForeignKey(  # the DICOM file, where it came as a report and not as an instance
        SealedObject, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(study_uid="", accession_number=""), name="report_names_its_study"),
        ]
        ordering = [F("received_at").desc(), "-version"]
        indexes = [
            models.Index(fields=["facility", "accession_number"], name="report_by_accession"),
            models.Index(fields=["facility", "study_uid"], name="report_by_study_uid"),
            models.Index(fields=["facility", "received_at"], name="report_by_day"),
        ]

    def __str__(self) -> str:
        return f"report {self.pk} v{self.version}"
