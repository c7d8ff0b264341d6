"""Reports: what a facility says about a study, version after version, each kept as it was received.

A report may come before its study. It is kept and attached when the study is indexed, by Study Instance UID or by
accession number, and only ever within its own facility. One that comes as an instance of its study: see `enclosed`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Max, Prefetch, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.audit import Action, Actor
from accounts.errors import BadRequest, Conflict
from accounts.models import Facility
from studies.documents import histories, readings, trees
from studies.documents.histories import Document
from studies.documents.readings import Reading
from studies.documents.trees import Addresses, Sheet, Tree
from studies.models import Report, SealedObject, Study
from studies.receiving.known import lock
from studies.receiving.room import Allowance
from studies.signals import report_written
from studies.store import keys, objects
from studies.store.objects import SealedWriter

Form, Kind = Report.Form, Report.Kind

READ_FIRST: Final = (Kind.REPORT, Kind.DOCUMENT)
"""What counts as a report of a study where one is asked for; measurements and doses stand beside it."""
HIDDEN: Final = Q(status=Report.Status.PRELIMINARY, study__preliminary_too=False) | Q(
    instance__rejected_at__isnull=False
)
"""What a patient does not read: what is not meant for her yet, and what the facility has taken back."""


class NoStudyNamed(BadRequest):
    """Nobody said which study a report is about."""

    code = "study_not_named"
    message = _("This report does not say which study it is about.")
    hint = _("Name the study: send study_uid or accession_number.")


class OtherStudy(BadRequest):
    """A document is about another study, or another patient, than its sender says."""

    code = "other_study"
    message = _("This file names another study than you do.")
    hint = _("Check which study it belongs to. Leave out study_uid and accession_number to go by the file.")


class OtherPatient(OtherStudy):
    """The patient ID in the document is not that of the study."""

    code = "other_patient"
    message = _("This file is of another patient than the study.")
    hint = _("Check which study it belongs to.")


def receive(
    facility: Facility,
    *,
    status: Report.Status,
    content: bytes | str,
    study_uid: str = "",
    accession_number: str = "",
    patient_id: str = "",
) -> tuple[Report, bool]:
    """Keep one version of a report; True when it is a new one. The same bytes and status again change nothing.

    `content` is text, or a file: PDF, UTF-8 text, or a DICOM document, which may name its study and its patient itself.
    Whoever names the patient has it compared with that of the study, now or when that comes. Raises ReportRefused,
    NoStudyNamed, OtherStudy; Conflict when several studies carry the accession number; TooMuch, Full,
    StorageUnavailable.
    """
    received = content.encode() if isinstance(content, str) else content
    sha256 = hashlib.sha256(received).digest()
    named = _named(study_uid, accession_number)
    if (known := _known(facility, named, status, sha256)) and _is_whole(known):
        return known, False
    allowance = Allowance(facility, len(received))
    allowance.spend(len(received))
    is_text = isinstance(content, str)
    reading = readings.read_text(received) if is_text else readings.read_file(received, facility.pk)
    named = _agreed(reading, study_uid, accession_number)
    reading = _of_patient(reading, patient_id)
    body = seal(facility, reading.body)
    original = seal(facility, received) if reading.body != received else None
    with transaction.atomic():
        lock(facility)
        if known := _known(facility, named, status, sha256):
            if not _is_whole(known):
                _mend(known, body, original)
            return known, False  # or somebody sent the same meanwhile; the sealed bytes are swept
        study = _study_named(facility, **named)
        _check_patient(study, reading)
        report = version_of(reading, facility=facility, study=study, **named, status=status, sha256=sha256)
        _put(report, body, original)
        report.save()
        write_down(report, way="api")
    allowance.keep(len(received))
    return report, True


def version_of(reading: Reading, **kept: Any) -> Report:
    """A version by what was read and by what is known beside; not saved. A sender's status counts before its own.

    What is sent as a report is one, whatever its file is called, unless it holds measurements or a dose.
    """
    report = Report(
        form=reading.form,
        kind=Kind.REPORT if reading.kind == Kind.DOCUMENT and "instance" not in kept else reading.kind,
        title=reading.title,
        sop_uid=reading.sop_uid,
        predecessors=reading.predecessors,
        written_at=reading.written_at,
        patient_id=reading.patient_id,
        **{"status": reading.status, **kept},
    )
    report.version = 1 + _last_version(_siblings(report))
    return report


def attach(study: Study) -> None:
    """Give a study the reports that came before it, oldest first.

    The facility's lock makes this and `receive` take turns: a report finds the study or is found by it.
    """
    with transaction.atomic():
        lock(study.facility)
        for report in _waiting(study):
            report.study = study
            report.version = 1 + _last_version(_siblings(report))
            report.save(update_fields=["study", "version"])
            for sealed in filter(None, (report.body, report.original)):
                _hand_over(sealed, study)
            write_down(report, way="task")


def documents(study: Study) -> list[Document]:
    """What a patient may read about a study: each document with its versions, the radiologist's report first."""
    reports = study.reports.exclude(instance__rejected_at__isnull=False).select_related("body__patient", "study")
    return histories.documents(reports, preliminary_too=study.preliminary_too)


def released(study: Study) -> list[Report]:
    """All versions a patient may read: document after document, the newest version of each first."""
    return [version for document in documents(study) for version in document.versions]


def with_released(studies: Collection[Study]) -> set[UUID]:
    """The ids of those of these studies that have a released report, in one query."""
    shown = Report.objects.filter(study__in=studies, kind__in=READ_FIRST).exclude(HIDDEN)
    return set(shown.values_list("study_id", flat=True))


def prefetched() -> Prefetch[str]:
    """For a list of studies: their reports, preliminary ones too, the newest first. For the facility's own eyes."""
    standing = Report.objects.filter(kind__in=READ_FIRST).exclude(instance__rejected_at__isnull=False)
    return Prefetch("reports", queryset=standing)


def blocks(report: Report) -> Iterator[bytes]:
    """The body: UTF-8 text or PDF as received, or what was read in a DICOM document, by `report.form`."""
    return objects.read(report.body)


def original(report: Report) -> tuple[Iterator[bytes], int] | None:
    """The DICOM file behind a report, and its length; None where the report came as something else."""
    if report.original is not None:
        return objects.read(report.original), report.original.length
    if (instance := report.instance) is not None:
        return objects.read(instance.pack, instance.offset, instance.length), instance.length
    return None


def text(report: Report, *, with_about: bool = True) -> str:
    """A report's words as plain text, with one kind of line end; '' for a PDF. A structured report also says how it
    was written, if wanted."""
    if report.form == Form.DICOM:
        return trees.as_text(sheet(report, tree(report)), with_about=with_about)
    if report.form != Form.TEXT:
        return ""
    received = b"".join(blocks(report)).decode("utf-8-sig")
    return received.replace("\r\n", "\n").replace("\r", "\n").strip()


def paragraphs(report: Report) -> list[str]:
    """The text cut at its empty lines."""
    return [part.strip() for part in re.split(r"\n\s*\n", text(report)) if part.strip()]


def tree(report: Report) -> Tree:
    """What was read in a DICOM document that is no PDF."""
    return trees.parse(b"".join(blocks(report)))


def sheet(report: Report, read: Tree, addresses: Addresses | None = None) -> Sheet:
    """A structured report laid out in the reader's language: see `trees.lay_out`."""
    return trees.lay_out(read, addresses, is_dose=report.kind == Kind.DOSE)


def _named(study_uid: str, accession_number: str) -> dict[str, str]:
    return {"study_uid": study_uid, "accession_number": "" if study_uid else accession_number}


def _agreed(reading: Reading, study_uid: str, accession_number: str) -> dict[str, str]:
    """By what the study is named: by the sender, else by the file. Raises OtherStudy where they disagree."""
    for said, read in ((study_uid, reading.study_uid), (accession_number, reading.accession_number)):
        if said and read and said != read:
            raise OtherStudy
    if study_uid or accession_number:
        return _named(study_uid, accession_number)
    if not (reading.study_uid or reading.accession_number):
        raise NoStudyNamed
    return _named(reading.study_uid, reading.accession_number)


def _of_patient(reading: Reading, patient_id: str) -> Reading:
    """A reading that says whose it is, by itself or by its sender. Raises OtherPatient where they differ."""
    if patient_id and reading.patient_id and patient_id != reading.patient_id:
        raise OtherPatient
    return replace(reading, patient_id=patient_id or reading.patient_id)


def _check_patient(study: Study | None, reading: Reading) -> None:
    if study and reading.patient_id and reading.patient_id != study.patient.patient_id:
        raise OtherPatient


def _known(facility: Facility, named: dict[str, str], status: str, sha256: bytes) -> Report | None:
    """The same version, sent before under the same name. Any earlier one: a late repeat must not undo what follows."""
    return Report.objects.filter(facility=facility, **named, status=status, sha256=sha256).first()


def _is_whole(report: Report) -> bool:
    """Whether what was kept of a report can be read: it was neither found damaged nor erased."""
    kept = [sealed for sealed in (report.body, report.original) if sealed]
    return all(sealed.wrapped_key and not sealed.damaged_at for sealed in kept)


def _mend(report: Report, body: SealedWriter, original: SealedWriter | None) -> None:
    """Put the bytes back under the version that had them, in the caller's transaction."""
    lost = [sealed for sealed in (report.body, report.original) if sealed]
    _put(report, body, original)
    report.save(update_fields=["body", "original"])
    SealedObject.objects.filter(pk__in=[sealed.pk for sealed in lost]).delete()


def _put(report: Report, body: SealedWriter, original: SealedWriter | None) -> None:
    """Point a version to its sealed bytes, which are its patient's as far as she is known."""
    patient = report.study.patient if report.study else None
    report.body = body.row(patient)
    report.original = original.row(patient) if original else None


def _study_named(facility: Facility, study_uid: str, accession_number: str) -> Study | None:
    studies = Study.objects.filter(facility=facility).select_related("patient")
    if study_uid:
        return studies.filter(study_uid=study_uid).first()
    found = studies.filter(accession_number=accession_number)[:2]
    if len(found) > 1:
        # Accession numbers come back after some years: to guess would show a person somebody else's report.
        raise Conflict(
            _("Several studies have this accession number."), hint=_("Send the report again with study_uid.")
        )
    return found[0] if found else None


def _waiting(study: Study) -> list[Report]:
    """Those that wait for this study and no other. Where several studies share an accession number, only a Study
    Instance UID says which is meant; and a document of another patient is never hers, whatever it is called."""
    named = Q(study_uid=study.study_uid)
    if study.accession_number and not _is_shared(study):
        named |= Q(study_uid="", accession_number=study.accession_number)
    waiting = Report.objects.filter(named, facility=study.facility, study=None).exclude(body__wrapped_key=b"")
    hers = waiting.filter(patient_id__in=("", study.patient.patient_id))
    return list(
        hers.select_related("body__patient", "original__patient", "facility").order_by("received_at", "version")
    )


def _is_shared(study: Study) -> bool:
    same = Study.objects.filter(facility=study.facility, accession_number=study.accession_number)
    return same.exclude(pk=study.pk).exists()


def _siblings(report: Report) -> QuerySet[Report]:
    if report.study:
        return report.study.reports.filter(kind=report.kind)
    named = {"study_uid": report.study_uid, "accession_number": report.accession_number}
    return Report.objects.filter(facility=report.facility, study=None, kind=report.kind, **named)


def _last_version(reports: QuerySet[Report]) -> int:
    return reports.aggregate(last=Max("version"))["last"] or 0


def seal(facility: Facility, content: bytes) -> SealedWriter:
    """Make the bytes durable before any row, and outside the transaction: an fsync is slow."""
    writer = SealedWriter(facility.pk, SealedObject.Kind.REPORT)
    try:
        writer.write(content)
        writer.commit_bytes()
    finally:
        writer.discard()
    return writer


def _hand_over(sealed: SealedObject, study: Study) -> None:
    """Wrap an object's key by the patient's, now that she is known: shredding hers shreds this too."""
    sealed.wrapped_key = keys.wrap_for(study.patient, keys.object_key(sealed))
    sealed.patient = study.patient
    sealed.save(update_fields=["wrapped_key", "patient"])


def write_down(report: Report, way: str) -> None:
    """Record that a version came, in the caller's transaction, and tell those above once it stands."""
    if (study_id := report.study_id) is not None:
        transaction.on_commit(lambda: report_written.send(sender=Report, study_id=study_id), robust=True)
    audit.record(
        Action.REPORT_RECEIVED,
        actor=Actor.facility(report.facility),
        facility_id=report.facility_id,
        study_id=report.study_id,
        way=way,
        report=str(report.pk),
        version=report.version,
        status=report.status,
    )
