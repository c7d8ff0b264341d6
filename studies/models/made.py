"""What was made of it: pictures, kept headers, and the work that is still to be done."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from studies.models.published import Series, Study
from studies.models.stored import SealedObject


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
