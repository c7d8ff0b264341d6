"""What a facility sent as a report: which form it has, what people read of it, and what it says of itself.

Text is looked at here. A PDF is opened, and anything DICOM is taken apart, in the sandbox; its answer is a stranger's
word, and cut to size before it becomes a row.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from django.utils import timezone as clock
from django.utils.translation import gettext_lazy as _

from accounts.errors import BadRequest, Unavailable
from studies import sandbox
from studies.documents import trees
from studies.models import Report
from studies.refusals import Refusal
from studies.sandbox import Result, SandboxBusy, SandboxDied, SandboxRefused
from studies.values import dicom_date, dicom_time, is_uid

logger = logging.getLogger("lightbox.sandbox")

TEXT_LIMIT: Final = 2**20
FILE_LIMIT: Final = 50 * 2**20
SECONDS: Final[dict[str, float]] = {"pdf_facts": 8, "document": 20}
"""For each task: the dose report of a long intervention has some twenty thousand items."""

Turn = Mapping[str, Any]
"""Whose turn in the sandbox it is, and how long one waits for it."""
ADMISSION: Final[Turn] = {"lane": sandbox.ADMISSION, "patience": 15}
LEISURE: Final[Turn] = {}
"""For the worker: nobody waits for its answer, and what comes in goes first."""

_ZONE: Final = re.compile(r"([+-])(\d{2})(\d{2})")
_MOST_PREDECESSORS: Final = 50

Form, Kind, Status = Report.Form, Report.Kind, Report.Status


class ReportRefused(BadRequest):
    """A report that nobody could read."""

    code = "report_refused"
    message = _("This report cannot be read.")
    hint = _("Send text, or a file that is PDF, a DICOM structured report or a DICOM encapsulated PDF.")


class NotMeant(ReportRefused):
    """A DICOM document that is none to a patient: CAD marks, a scanner's protocol."""

    message = _("This file was made for programs, not for people to read.")
    hint = _("Publish it with its study, where it is kept as it is.")


@dataclass(frozen=True)
class Reading:
    """A report as it will be kept. What it says of itself is empty for what is no DICOM."""

    form: Report.Form
    body: bytes
    kind: Report.Kind = Kind.REPORT
    status: Report.Status = Status.FINAL
    title: str = ""
    sop_uid: str = ""
    study_uid: str = ""
    accession_number: str = ""
    patient_id: str = ""
    predecessors: list[str] = field(default_factory=list)
    written_at: datetime | None = None


def read_file(content: bytes, whose: Hashable = None) -> Reading:
    """Tell what a file is, whatever its name; those `whose` files wait to be read take turns. Raises ReportRefused."""
    turn = {**ADMISSION, "whose": whose}
    if len(content) > FILE_LIMIT:
        raise ReportRefused(_("This report is larger than 50 MiB."), hint=_("Send a smaller PDF."))
    if content[128:132] == b"DICM":
        return read_dicom(content, turn)
    if content.startswith(b"%PDF"):
        return read_pdf(content, turn)
    return read_text(content)


def read_text(content: bytes) -> Reading:
    """Text in UTF-8. Raises ReportRefused."""
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
    return Reading(Form.TEXT, content)


def read_pdf(content: bytes, turn: Turn = ADMISSION) -> Reading:
    """A PDF that opens. Raises ReportRefused for a damaged one, Unavailable.

    One with a password, or too long to be drawn, is whole all the same: people read it in another program.
    """
    try:
        _ask("pdf_facts", {"most": 0}, content, turn)
    except SandboxRefused as refusal:
        if refusal.code == "unreadable":
            raise ReportRefused(
                _("This PDF is damaged: it does not open."), hint=_("Make the file again, and send it anew.")
            ) from refusal
    except SandboxDied as death:
        logger.warning("%s, over a report that came", death)
    return Reading(Form.PDF, content)


def read_dicom(content: bytes, turn: Turn = ADMISSION) -> Reading:
    """A DICOM document, taken apart. Raises ReportRefused, NotMeant, Unavailable."""
    try:
        answer = _ask("document", {}, content, turn)
    except (Refusal, SandboxDied) as error:
        raise ReportRefused from error
    match answer.values, answer.blobs:
        case {"media_type": str(media_type), "about": dict(about)}, [body] if media_type in Form.values:
            return _reading(Form(media_type), body, about, turn)
    raise ReportRefused


def _ask(task: str, args: dict[str, Any], content: bytes, turn: Turn) -> Result:
    try:
        return sandbox.run(task, args, [content], seconds=SECONDS[task], **turn)
    except SandboxBusy as busy:
        raise Unavailable(_("Too many files are being read just now."), retry_after=10) from busy


def _reading(form: Report.Form, body: bytes, about: dict[str, Any], turn: Turn) -> Reading:
    kind, status = _word(about, "kind"), _word(about, "status")
    if kind not in Kind.values or status not in Status.values:
        raise NotMeant
    if form == Form.DICOM:
        _check(body)
    elif form == Form.PDF:
        read_pdf(body, turn)
    named = about.get("predecessors")
    predecessors = [_uid(one) for one in named[:_MOST_PREDECESSORS]] if isinstance(named, list) else []
    return Reading(
        form=form,
        body=body,
        kind=Kind(kind),
        status=Status(status),
        title=_word(about, "title")[:200],
        sop_uid=_uid(about.get("sop_uid")),
        study_uid=_uid(about.get("study_uid")),
        accession_number=_word(about, "accession_number")[:64],
        patient_id=_word(about, "patient_id")[:128],
        predecessors=[one for one in predecessors if one],
        written_at=_moment(*(_word(about, part) for part in ("date", "time", "zone"))),
    )


def _check(body: bytes) -> None:
    try:
        tree = trees.parse(body)
    except trees.Senseless as error:
        raise ReportRefused from error
    if not tree.items:
        raise ReportRefused(_("This report is empty."), hint=_("Send its text, or a file."))


def _word(about: dict[str, Any], name: str) -> str:
    said = about.get(name)
    return said.replace("\0", "").strip() if isinstance(said, str) else ""


def _uid(said: object) -> str:
    return said if isinstance(said, str) and is_uid(said) else ""


def _moment(day: str, time: str, zone: str) -> datetime | None:
    """When it was written, by the facility's own clock; None where that is not said, or lies ahead."""
    date, at = dicom_date(day), dicom_time(time)
    if date is None:
        return None
    moment = datetime.combine(date, at or datetime.min.time(), _zone(zone) or clock.get_current_timezone())
    return moment if moment < clock.now() + timedelta(days=1) else None


def _zone(said: str) -> timezone | None:
    found = _ZONE.fullmatch(said)
    if not found or int(found[2]) > 14 or int(found[3]) > 59:
        return None
    offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return timezone(-offset if found[1] == "-" else offset)
