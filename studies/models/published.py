"""What came: exams, series and instances, the publications that brought them, and what was set aside."""

from __future__ import annotations

import uuid
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Facility
from studies.models.patients import FacilityPatient
from studies.models.stored import SealedObject
from studies.values import PHANTOM_ROOT


class Study(models.Model):
    """One imaging study of one facility. `state` is the queue of record: see pipeline.STEPS."""

    only_series: frozenset[uuid.UUID] | None = None
    """No column. Of a study that was lent in parts: the series that whoever asked may see; set by `sharing.access`."""

    class State(models.TextChoices):
        STORED = "stored", _("Receiving")
        INDEXED = "indexed", _("Preparing pictures")
        READY = "ready", _("Ready")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="studies")
    patient = models.ForeignKey(FacilityPatient, on_delete=models.PROTECT, related_name="studies")
    study_uid = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=State.choices, default=State.STORED)
    version = models.PositiveIntegerField(default=0)  # counts publications that changed something
    access_epoch = models.PositiveIntegerField(default=0)  # a higher one ends every running look

    description = models.CharField(max_length=200, blank=True)
    study_date = models.DateField(null=True, blank=True)
    study_time = models.TimeField(null=True, blank=True)
    accession_number = models.CharField(max_length=64, blank=True)
    referring_physician = models.CharField(max_length=400, blank=True)
    body_part = models.CharField(max_length=64, blank=True)
    modalities = models.JSONField(default=list)
    preliminary_too = models.BooleanField(default=False)  # its facility shows its patients preliminary reports
    contradiction = models.JSONField(null=True, blank=True)  # as studies.identity keeps it
    contradiction_settled_at = models.DateTimeField(null=True, blank=True)

    series_count = models.PositiveIntegerField(default=0)
    instance_count = models.PositiveIntegerField(default=0)
    expected_count = models.PositiveIntegerField(null=True, blank=True)  # instances the facility said there are
    image_count = models.PositiveIntegerField(default=0)  # pictures that can be shown
    size = models.BigIntegerField(default=0)  # bytes of the current originals

    received_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now)
    ready_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "studies"
        constraints = [
            models.UniqueConstraint(fields=["facility", "study_uid"], name="one_study_per_facility_and_uid"),
        ]
        indexes = [
            models.Index(fields=["patient", "-study_date", "id"], name="study_by_patient"),
            models.Index(fields=["facility", "accession_number"], name="study_by_accession"),
            models.Index(fields=["study_uid"], name="study_by_uid"),
            # As searches go through it; on PostgreSQL migration 0012 says NULLS LAST besides.
            models.Index(fields=["facility", "-study_date", "-study_time", "study_uid"], name="study_by_day"),
            models.Index(fields=["state", "changed_at"], name="study_by_state", condition=~Q(state="ready")),
        ]

    def __str__(self) -> str:
        return f"study {self.pk}"

    @property
    def is_phantom(self) -> bool:
        """Whether a demo computed it; what a newcomer publishes to the demo's facility may show a person."""
        return self.facility.is_demo and self.study_uid.startswith(PHANTOM_ROOT)


class Announcement(models.Model):
    """How many instances a study will have, said by its facility before any came. Its study takes it up."""

    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="+")
    study_uid = models.CharField(max_length=64)
    expected = models.PositiveIntegerField()
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["facility", "study_uid"], name="announced_once")]

    def __str__(self) -> str:
        return f"announcement {self.pk}"


class Series(models.Model):
    """One series of a study."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="series")
    series_uid = models.CharField(max_length=64)
    number = models.IntegerField(null=True, blank=True)
    modality = models.CharField(max_length=16, blank=True)
    description = models.CharField(max_length=200, blank=True)
    body_part = models.CharField(max_length=64, blank=True)
    laterality = models.CharField(max_length=16, blank=True)
    plane = models.CharField(max_length=10, blank=True)  # axial, coronal, sagittal
    frame_time = models.FloatField(null=True, blank=True)  # milliseconds between cine frames
    instance_count = models.PositiveIntegerField(default=0)
    has_grey = models.BooleanField(null=True)  # pictures whose brightness can be adjusted; None: nobody looked
    longest_side = models.PositiveIntegerField(default=0)  # of its largest picture, in pixels; 0: nobody looked
    note = models.CharField(max_length=40, blank=True)  # code of the sentence when nothing can be shown

    class Meta:
        verbose_name_plural = "series"
        constraints = [models.UniqueConstraint(fields=["study", "series_uid"], name="one_series_per_uid")]

    def __str__(self) -> str:
        return f"series {self.pk}"


class Publication(models.Model):
    """One delivery from a facility (one STOW-RS request), kept as its receipt."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="publications")
    received_at = models.DateTimeField(default=timezone.now)
    stored = models.PositiveIntegerField(default=0)
    repeated = models.PositiveIntegerField(default=0)
    quarantined = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    size = models.BigIntegerField(default=0)

    class Meta:
        indexes = [models.Index(fields=["facility", "received_at"], name="publication_by_day")]

    def __str__(self) -> str:
        return f"publication {self.pk}"


class InstanceQuerySet(models.QuerySet["Instance"]):
    """What may be asked of instances."""

    def present(self) -> Self:
        """Those that count: the newest version of each, unless a rejection note hides it."""
        return self.filter(superseded_at=None, rejected_at=None)

    def with_packs(self) -> list[Instance]:
        """Them and their packs, each of which is one object however many lie in it.

        Not by `prefetch_related`: its condition grows by a level with each pack, and SQLite bears a thousand.
        """
        found = list(self)
        packs = SealedObject.objects.in_bulk({one.pack_id for one in found})
        models.prefetch_related_objects(list(packs.values()), "patient")
        for one in found:
            one.pack = packs[one.pack_id]
        return found


class Instance(models.Model):
    """One stored version of a SOP instance: where its unchanged bytes lie, and what the headers say.

    Written by `intake.publish` only; `indexing` fills the facts below the line. A newer version supersedes
    an older one, which stays.
    """

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="instances")
    series = models.ForeignKey(Series, on_delete=models.PROTECT, related_name="instances")
    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="+")
    publication = models.ForeignKey(Publication, on_delete=models.PROTECT, related_name="instances")
    sop_uid = models.CharField(max_length=64)
    sop_class_uid = models.CharField(max_length=64)
    version = models.PositiveIntegerField(default=1)
    superseded_at = models.DateTimeField(null=True, blank=True)
    rejected_at = models.DateTimeField(null=True, blank=True)  # hidden by a Rejection

    pack = models.ForeignKey(SealedObject, on_delete=models.PROTECT, related_name="instances")
    offset = models.BigIntegerField()  # first byte within the pack's plaintext
    length = models.BigIntegerField()
    sha256 = models.BinaryField(max_length=32)
    crc32 = models.BigIntegerField()
    transfer_syntax_uid = models.CharField(max_length=64)
    pixel_offset = models.BigIntegerField(null=True, blank=True)  # within the instance
    frames = models.BinaryField(null=True, blank=True)  # frames.encode_frames: byte ranges of each frame

    # --- facts, known once indexed
    indexed_at = models.DateTimeField(null=True, blank=True)
    kind = models.CharField(max_length=20, blank=True)
    instance_number = models.BigIntegerField(null=True, blank=True)
    frame_count = models.PositiveIntegerField(default=1)
    order = models.PositiveIntegerField(default=0)  # place within the series, by position
    facts = models.JSONField(default=dict)
    note = models.CharField(max_length=40, blank=True)  # code of the sentence when it cannot be shown

    objects = InstanceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["facility", "sop_uid"], condition=Q(superseded_at=None), name="one_current_version"
            ),
            models.UniqueConstraint(fields=["facility", "sop_uid", "version"], name="versions_count_up"),
            models.CheckConstraint(condition=Q(offset__gte=0, length__gt=0), name="instance_has_bytes"),
        ]
        indexes = [models.Index(fields=["study", "series", "order"], name="instance_in_order")]

    def __str__(self) -> str:
        return f"instance {self.pk}"


class Rejection(models.Model):
    """One instance that a rejection note names (IHE RAD TF-3 4.66, IOCM): hidden, also when it comes later."""

    class Code(models.TextChoices):
        QUALITY = "113001", _("Rejected for quality reasons")
        PATIENT_SAFETY = "113037", _("Rejected for patient safety reasons")
        WRONG_WORKLIST_ENTRY = "113038", _("Taken under the wrong order or patient")
        RETENTION_EXPIRED = "113039", _("No longer kept by the facility")

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="rejections")
    note = models.ForeignKey(Instance, on_delete=models.PROTECT, related_name="+")  # the key object document
    sop_uid = models.CharField(max_length=64)
    code = models.CharField(max_length=10, choices=Code.choices)
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["note", "sop_uid"], name="rejected_once_by_a_note")]
        indexes = [models.Index(fields=["study", "sop_uid"], name="rejection_by_study")]

    def __str__(self) -> str:
        return f"rejection {self.pk}"


class Quarantined(models.Model):
    """A received instance that is kept but not shown: it contradicts what is known, or names no patient.

    It stays until staff settle it: take it in after all, or leave it out for good.
    """

    class Outcome(models.TextChoices):
        TAKEN_IN = "taken_in", _("Taken in")
        LEFT_OUT = "left_out", _("Left out")

    class Reason(models.TextChoices):
        NO_PATIENT_ID = "no_patient_id", _("The file names no patient ID.")
        OTHER_PATIENT = "other_patient", _("The study is known under another patient ID or issuer.")
        OTHER_STUDY = "other_study", _("The instance is known in another study.")

    publication = models.ForeignKey(Publication, on_delete=models.PROTECT, related_name="quarantine")
    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="+")
    study_uid = models.CharField(max_length=64)
    sop_uid = models.CharField(max_length=64)
    sop_class_uid = models.CharField(max_length=64)
    reason = models.CharField(max_length=20, choices=Reason.choices)
    # --- whose the file says it is
    patient_id = models.CharField(max_length=128, blank=True)
    issuer = models.CharField(max_length=200, blank=True)
    patient_name = models.CharField(max_length=400, blank=True)
    birth_date = models.DateField(null=True, blank=True)
    sex = models.CharField(max_length=16, blank=True)
    # --- what taking it in needs
    series_uid = models.CharField(max_length=64, blank=True)
    pack = models.ForeignKey(SealedObject, on_delete=models.PROTECT, related_name="+")
    offset = models.BigIntegerField()
    length = models.BigIntegerField()
    sha256 = models.BinaryField(max_length=32)
    crc32 = models.BigIntegerField(default=0)
    transfer_syntax_uid = models.CharField(max_length=64, blank=True)
    pixel_offset = models.BigIntegerField(null=True, blank=True)
    frames = models.BinaryField(null=True, blank=True)
    # --- what became of it
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "quarantined"
        constraints = [
            models.UniqueConstraint(fields=["facility", "sop_uid", "sha256"], name="quarantined_once"),
        ]
        indexes = [
            models.Index(fields=["facility", "study_uid"], name="quarantine_by_study"),
            models.Index(fields=["facility", "received_at"], name="quarantine_queue", condition=Q(settled_at=None)),
        ]

    def __str__(self) -> str:
        return f"quarantined {self.pk}"
