"""Reports: what a facility says about a study, version after version, each kept as it was received.

A report may come before its study. It is kept and attached when the study is indexed, by Study Instance UID or by
accession number, and only ever within its own facility.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator
from uuid import UUID

from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.audit import Action, Actor
from accounts.errors import BadRequest, Conflict
from accounts.models import Facility
from studies import keys, objects, sandbox
from studies.models import Report, SealedObject, Study
from studies.objects import SealedWriter
from studies.refusals import Refusal
from studies.room import Allowance
from studies.sandbox import SandboxDied

TEXT_LIMIT = 2**20
FILE_LIMIT = 50 * 2**20

Form = Report.Form


class ReportRefused(BadRequest):
    """A report that nobody could read."""

    code = "report_refused"
    message = _("This report cannot be read.")
    hint = _("Send text, or a file that is PDF, a DICOM structured report or a DICOM encapsulated PDF.")


def receive(
    facility: Facility,
    *,
    status: Report.Status,
    content: bytes | str,
    study_uid: str = "",
    accession_number: str = "",
) -> tuple[Report, bool]:
    """Keep one version of a report; True when it is a new one. The same bytes and status again change nothing.

    `content` is text, or a file: PDF, UTF-8 text, or DICOM (PS3.10) holding either. Of DICOM what people read is
    kept: whoever wants the object kept publishes it with the study. Raises ReportRefused; Conflict when several
    studies carry the accession number; TooMuch, Full, StorageUnavailable.
    """
    received = content.encode() if isinstance(content, str) else content
    sha256 = hashlib.sha256(received).digest()
    named = {"study_uid": study_uid, "accession_number": "" if study_uid else accession_number}
    if known := _known(facility, named, status, sha256):
        return known, False
    Allowance(facility, len(received)).spend(len(received))
    form, readable = _read_text(received) if isinstance(content, str) else _read_file(received)
    writer = _seal(facility, readable)
    with transaction.atomic():
        _lock(facility)
        if known := _known(facility, named, status, sha256):
            return known, False  # somebody sent the same meanwhile; the sealed bytes are swept
        study = _study_named(facility, **named)
        report = Report(facility=facility, study=study, **named, status=status, form=form, sha256=sha256)
        report.version = 1 + _last_version(_siblings(report))
        report.body = writer.row(study.patient if study else None)
        report.save()
        _write_down(report, way="api")
    return report, True


def attach(study: Study) -> None:
    """Give a study the reports that came before it, oldest first.

    The facility's lock makes this and `receive` take turns: a report finds the study or is found by it.
    """
    with transaction.atomic():
        _lock(study.facility)
        for report in _waiting(study):
            report.study = study
            report.version = 1 + _last_version(study.reports.all())
            report.save(update_fields=["study", "version"])
            _hand_over(report.body, study)
            _write_down(report, way="task")


def released(study: Study) -> list[Report]:
    """The versions a patient may read, newest first. A preliminary one is not meant for her yet."""
    versions = study.reports.exclude(status=Report.Status.PRELIMINARY)
    return list(versions.select_related("body__patient"))


def with_released(studies: Collection[Study]) -> set[UUID]:
    """The ids of those of these studies that have a released report, in one query."""
    shown = Report.objects.filter(study__in=studies).exclude(status=Report.Status.PRELIMINARY)
    return set(shown.values_list("study_id", flat=True))


def blocks(report: Report) -> Iterator[bytes]:
    """The body as received: UTF-8 text or PDF, by `report.form`."""
    return objects.read(report.body)


def text(report: Report) -> str:
    """The text of a text report, with one kind of line end; '' for a PDF."""
    if report.form != Form.TEXT:
        return ""
    received = b"".join(blocks(report)).decode("utf-8-sig")
    return received.replace("\r\n", "\n").replace("\r", "\n").strip()


def paragraphs(report: Report) -> list[str]:
    """The text cut at its empty lines."""
    return [part.strip() for part in re.split(r"\n\s*\n", text(report)) if part.strip()]


def _read_file(content: bytes) -> tuple[Report.Form, bytes]:
    """Tell what a file is, whatever its name, and return what people read of it."""
    if len(content) > FILE_LIMIT:
        raise ReportRefused(_("This report is larger than 50 MiB."), hint=_("Send a smaller PDF."))
    if content.startswith(b"%PDF"):
        return Form.PDF, content
    if content[128:132] == b"DICM":
        return _read_dicom(content)
    return _read_text(content)


def _read_text(content: bytes) -> tuple[Report.Form, bytes]:
    if len(content) > TEXT_LIMIT:
        raise ReportRefused(_("This text is longer than 1 MiB."), hint=_("Send it as PDF."))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ReportRefused from None
    if "\0" in text:
        raise ReportRefused
    if not text.strip():
        raise ReportRefused(_("This report is empty."), hint=_("Send its text, or a file."))
    return Form.TEXT, content


def _read_dicom(content: bytes) -> tuple[Report.Form, bytes]:
    """Have the sandbox take out what people read."""
    try:
        document = sandbox.run("document", {}, [content])
    except (Refusal, SandboxDied) as error:
        raise ReportRefused from error
    (readable,) = document.blobs
    return Form(document.values["media_type"]), readable


def _known(facility: Facility, named: dict[str, str], status: str, sha256: bytes) -> Report | None:
    """The same version, sent before under the same name. Any earlier one: a late repeat must not undo what follows."""
    return Report.objects.filter(facility=facility, **named, status=status, sha256=sha256).first()


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


def _waiting(study: Study) -> QuerySet[Report]:
    named = Q(study_uid=study.study_uid)
    if study.accession_number:
        named |= Q(study_uid="", accession_number=study.accession_number)
    waiting = Report.objects.filter(named, facility=study.facility, study=None)
    return waiting.select_related("body__patient", "facility").order_by("received_at", "version")


def _siblings(report: Report) -> QuerySet[Report]:
    if report.study:
        return report.study.reports.all()
    named = {"study_uid": report.study_uid, "accession_number": report.accession_number}
    return Report.objects.filter(facility=report.facility, study=None, **named)


def _last_version(reports: QuerySet[Report]) -> int:
    return reports.aggregate(last=Max("version"))["last"] or 0


def _seal(facility: Facility, content: bytes) -> SealedWriter:
    """Make the bytes durable before any row, and outside the transaction: an fsync is slow."""
    writer = SealedWriter(facility.pk, SealedObject.Kind.REPORT)
    try:
        writer.write(content)
        writer.commit_bytes()
    finally:
        writer.discard()
    return writer


def _hand_over(body: SealedObject, study: Study) -> None:
    """Wrap the body's key by the patient's, now that she is known: shredding hers shreds this too."""
    body.wrapped_key = keys.wrap_for(study.patient, keys.object_key(body))
    body.patient = study.patient
    body.save(update_fields=["wrapped_key", "patient"])


def _lock(facility: Facility) -> None:
    Facility.objects.select_for_update(no_key=True).only("pk").get(pk=facility.pk)


def _write_down(report: Report, way: str) -> None:
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
