"""What exists: everything a facility published, where its sealed bytes lie, and what was made of them."""

from __future__ import annotations

import uuid
from typing import Any, Self

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Facility
from studies.names import folded
from studies.values import PHANTOM_ROOT


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


class Study(models.Model):
    """One imaging study of one facility. `state` is the queue of record: see pipeline.STEPS."""

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


class Rendition(models.Model):
    """The pictures of one series at one size: one sealed stack, and where each picture lies in it.

    `pictures` lists, in series order, `[instance pk, frame (0-based), offset, length, width, height]`. `made_with` says
    what they depend on besides that instance: "range", `[darkest, brightest]` value, common to those of a series that
    give no window; "images", `[state pk, number (0-based), image pk, frame]` for what is shown by a presentation state,
    whose number stands where other instances have a frame.
    """

    class Size(models.TextChoices):
        THUMBNAIL = "thumbnail"  # WebP, longest side 256
        PREVIEW = "preview"  # JPEG, longest side at most 1024

    series = models.ForeignKey(Series, on_delete=models.PROTECT, related_name="renditions")
    size = models.CharField(max_length=10, choices=Size.choices)
    stack = models.ForeignKey(SealedObject, on_delete=models.PROTECT, related_name="+")
    pictures = models.JSONField(default=list)
    made_with = models.JSONField(default=dict, blank=True)
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["series", "size"], name="one_stack_per_size")]

    def __str__(self) -> str:
        return f"{self.size} of {self.series_id}"


class Sidecar(models.Model):
    """What the headers of a series say, as DICOM JSON: one sealed, packed array, and of which instances it speaks.

    Nothing but a saving of time: whoever finds that it speaks of others than are asked for reads the headers again.
    """

    series = models.OneToOneField(Series, on_delete=models.PROTECT, related_name="sidecar")
    stack = models.ForeignKey(SealedObject, on_delete=models.PROTECT, related_name="+")
    instances = models.JSONField(default=list)  # their keys, in order
    made_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"sidecar of {self.series_id}"


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


class Job(models.Model):
    """Work that a study still wants. This row is the queue of record; the broker only rings the bell."""

    study = models.OneToOneField(Study, on_delete=models.PROTECT, related_name="job", primary_key=True)
    since = models.DateTimeField(default=timezone.now)  # of the oldest change that no worker has taken up
    due_at = models.DateTimeField(default=timezone.now)
    held_until = models.DateTimeField(null=True, blank=True)  # a worker has it; after that, anybody may
    attempts = models.PositiveIntegerField(default=0)
    failure = models.CharField(max_length=200, blank=True)
    dead_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["due_at"], name="job_when_due", condition=Q(dead_at=None))]

    def __str__(self) -> str:
        return f"job of {self.study_id}"
