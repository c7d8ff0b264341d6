"""Reports that come as instances of their study: structured reports and encapsulated documents.

A part of the pipeline's first step. Each new version of such an instance becomes one version of a report, once; the
instance stays what it is, and is downloaded unchanged. What is no report to a patient is looked at once and left.
"""

from __future__ import annotations

from typing import Final

from django.db.models import Q

from studies import reports
from studies.documents import readings
from studies.documents.readings import FILE_LIMIT, Reading, ReportRefused
from studies.jobs import Hold
from studies.models import Instance, Report, Study
from studies.store import objects

KINDS: Final = ("sr", "pdf", "document")
LOOKED_AT: Final = "document"
"""Among an instance's facts: what became of it as a document, so that nobody looks twice."""

Status = Report.Status

_CLASSES: Final = ("1.2.840.10008.5.1.4.1.1.88.", "1.2.840.10008.5.1.4.1.1.104.")
PDF: Final = "1.2.840.10008.5.1.4.1.1.104.1"
_KEY_OBJECTS: Final = "1.2.840.10008.5.1.4.1.1.88.59"


def is_document(sop_class_uid: str) -> bool:
    """Whether instances of a class are structured reports or encapsulated documents: words, and not pictures."""
    return sop_class_uid.startswith(_CLASSES) and sop_class_uid != _KEY_OBJECTS


def of_documents() -> Q:
    """The same, as a condition on instances."""
    named = Q(*(("sop_class_uid__startswith", root) for root in _CLASSES), _connector=Q.OR)
    return named & ~Q(sop_class_uid=_KEY_OBJECTS)


def take_up(study: Study, hold: Hold) -> None:
    """Make a report version of every document among the study's instances that nobody has looked at."""
    for instance in _new(study):
        hold.renew()
        reading = _read(instance)
        body = reports.seal(study.facility, reading.body) if reading else None
        with hold.writing():
            instance.facts = {**instance.facts, LOOKED_AT: reading.kind if reading else "none"}
            instance.save(update_fields=["facts"])
            if reading and body and not _is_known(instance):
                report = _version(instance, reading)
                report.body = body.row(study.patient)
                report.save()
                reports.write_down(report, way="task")


def _new(study: Study) -> list[Instance]:
    present = study.instances.filter(superseded_at=None, kind__in=KINDS, **{f"facts__{LOOKED_AT}__isnull": True})
    return list(present.select_related("pack__patient", "facility", "study").order_by("pk"))


def _read(instance: Instance) -> Reading | None:
    """None for what is no report to a patient, or cannot be read: its series says so where it is listed."""
    if instance.length > FILE_LIMIT:
        return None
    content = b"".join(objects.read(instance.pack, instance.offset, instance.length))
    try:
        return readings.read_dicom(content, readings.LEISURE)
    except ReportRefused:
        return None


def _is_known(instance: Instance) -> bool:
    """Whether this was done before, or the facility has sent the very same file as a report."""
    same = Report.objects.filter(study=instance.study, sop_uid=instance.sop_uid, sha256=bytes(instance.sha256))
    return same.filter(instance=instance).exists() or bool(same.filter(instance=None).update(instance=instance))


def _version(instance: Instance, reading: Reading) -> Report:
    """A version by what the document says. Other bytes under the same UID say that something changed."""
    changed = instance.version > 1 and reading.status == Status.FINAL
    return reports.version_of(
        reading,
        facility=instance.facility,
        study=instance.study,
        study_uid=instance.study.study_uid,
        instance=instance,
        sha256=bytes(instance.sha256),
        status=Status.AMENDED if changed else reading.status,
    )
