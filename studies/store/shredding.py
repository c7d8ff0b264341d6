"""Shredding: a patient's key is destroyed, and with it everything sealed below it, at once and for everybody.

What is left are rows that say what there was, without saying of whom it spoke: UIDs, digests, counts, the facility's
patient ID, and the record of deeds. Her facility may publish of her again: that is sealed under another key.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, QuerySet, Sum
from django.utils import timezone

from accounts.models import Facility
from studies.models import (
    Demographics,
    FacilityPatient,
    Instance,
    Job,
    Quarantined,
    Rendition,
    Report,
    SealedObject,
    Series,
    Sidecar,
    Study,
)
from studies.store import objects


@dataclass(frozen=True)
class Shredded:
    """What there was. `shared`: files set aside that lie in another patient's pack, and must be settled at the desk."""

    studies: int
    instances: int
    reports: int
    objects: int
    size: int  # bytes of plaintext
    shared: int


def shred(patient: FacilityPatient) -> Shredded:
    """Destroy a patient's key and every key below it, in the caller's transaction; her files go after its commit.

    Twice changes nothing. Locks her studies and then her, as everybody does.
    """
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA secure_delete = ON")  # what is overwritten must not stay in the file's free room
    studies = list(Study.objects.select_for_update(no_key=True).filter(patient=patient).order_by("pk"))
    FacilityPatient.objects.select_for_update().get(pk=patient.pk)
    held, waiting = _set_aside(patient), _waiting_reports(patient)
    of_nobody = [held.values("pack"), waiting.values("body"), waiting.exclude(original=None).values("original")]
    hers = Q(patient=patient)
    for ids in of_nobody:
        hers |= Q(patient=None, pk__in=ids)
    lost = SealedObject.objects.filter(hers).exclude(wrapped_key=b"")
    instances = Instance.objects.filter(study__in=studies)
    told = Shredded(
        studies=len(studies),
        instances=instances.count(),
        reports=Report.objects.filter(study__in=studies).count() + waiting.count(),
        objects=lost.count(),
        size=lost.aggregate(size=Sum("length"))["size"] or 0,
        shared=held.exclude(pack__patient=None).exclude(pack__patient=patient).count(),
    )
    gone = set(lost.values_list("pk", flat=True))
    _forget_pictures(studies)
    lost.update(wrapped_key=b"")
    _forget_words(patient, studies, held, instances)
    transaction.on_commit(lambda: _delete(gone), robust=True)
    return told


def forget_pages() -> None:
    """Let the database forget old copies of changed rows, as far as it can be told to. Nothing in a transaction."""
    if connection.in_atomic_block:
        return
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            cursor.execute("VACUUM studies_facilitypatient, studies_sealedobject, studies_demographics")


def shredded(facility: Facility | None = None) -> QuerySet[FacilityPatient]:
    """Patients who were shredded, whether or not something was published of them since."""
    patients = FacilityPatient.objects.exclude(shredded_at=None)
    return patients.filter(facility=facility) if facility else patients


def _set_aside(patient: FacilityPatient) -> QuerySet[Quarantined]:
    """Files set aside that say they are of this patient."""
    return Quarantined.objects.filter(
        facility=patient.facility_id, patient_id=patient.patient_id, issuer__in=("", patient.issuer)
    )


def _waiting_reports(patient: FacilityPatient) -> QuerySet[Report]:
    """Reports that name this patient and have not found their study yet."""
    return Report.objects.filter(facility=patient.facility_id, study=None, patient_id=patient.patient_id)


def _forget_pictures(studies: Collection[Study]) -> None:
    renditions = Rendition.objects.filter(series__study__in=studies)
    sidecars = Sidecar.objects.filter(series__study__in=studies)
    stacks = {*renditions.values_list("stack", flat=True), *sidecars.values_list("stack", flat=True)}
    renditions.delete()
    sidecars.delete()
    SealedObject.objects.filter(pk__in=stacks).delete()


def _forget_words(
    patient: FacilityPatient,
    studies: Collection[Study],
    held: QuerySet[Quarantined],
    instances: QuerySet[Instance],
) -> None:
    now = timezone.now()
    Job.objects.filter(study__in=studies).delete()
    instances.filter(rejected_at=None).update(rejected_at=now)  # hidden, until they come again
    instances.update(facts={}, note="")
    Series.objects.filter(study__in=studies).update(description="", instance_count=0, note="")
    Study.objects.filter(pk__in=[study.pk for study in studies]).update(
        state=Study.State.READY,
        contradiction=None,
        description="",
        study_date=None,
        study_time=None,
        accession_number="",
        referring_physician="",
        body_part="",
        series_count=0,
        instance_count=0,
        image_count=0,
        size=0,
        changed_at=now,
    )
    Report.objects.filter(study__in=studies).update(title="")
    Report.objects.filter(study__in=studies).exclude(study_uid="").update(accession_number="")
    held.filter(settled_at=None).update(outcome=Quarantined.Outcome.LEFT_OUT, settled_at=now)
    held.update(patient_name="", birth_date=None, sex="")
    Demographics.objects.filter(patient=patient).delete()
    patient.wrapped_key, patient.shredded_at = b"", now
    patient.name, patient.birth_date, patient.sex = "", None, ""
    patient.save(update_fields=["wrapped_key", "shredded_at", "name", "birth_date", "sex"])


def _delete(gone: Collection[UUID]) -> None:
    """Their bytes, which nobody can read any more. What a crash leaves, the sweep takes (`studies.store.tidying`)."""
    for object_id in gone:
        objects.store().delete(object_id)
