"""What the desk's pages show: patients, their exams and their codes, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from accounts import gateways
from accounts.errors import Words
from accounts.models import Gateway
from portal.desk.forms import WithdrawForm
from sharing import opening_times, releases, rules, steps
from sharing.desk import Standing
from sharing.models import Release
from studies import catalog, completeness, names, rejections, words
from studies.completeness import Arrived
from studies.models import Exam, FacilityPatient, Job, Report, Study
from studies.rejections import Rejected


@dataclass(frozen=True)
class PatientRow:
    """One patient, as a list shows her."""

    id: UUID
    name: str
    birth_date: date | None
    mrn: str
    issuer: str  # only where it is not the facility's own

    @classmethod
    def of(cls, patient: FacilityPatient) -> PatientRow:
        usual = patient.issuer == patient.facility.issuer
        name = names.listed(patient.name) or _("Name not known")
        return cls(patient.pk, name, patient.birth_date, patient.patient_id, "" if usual else patient.issuer)


def _ago(at: datetime) -> str:
    if timezone.now() - at < timedelta(minutes=1):
        return _("just now")
    return _("%(time)s ago") % {"time": timesince(at)}


@dataclass(frozen=True)
class MachineRow:
    """One that sends to a gateway, and when it last did."""

    name: str
    heard_at: datetime | None

    @property
    def ago(self) -> str:
        """When that was, in words; "" for never since the gateway was started."""
        return _ago(self.heard_at) if self.heard_at else ""


@dataclass(frozen=True)
class GatewayRow:
    """One gateway: whether it speaks, what waits there, and what the portal does not take."""

    gateway: Gateway
    is_silent: bool
    machines: Sequence[MachineRow]

    @property
    def ago(self) -> str:
        """When it was heard last, in words."""
        return _ago(self.gateway.heard_at)

    @property
    def letters(self) -> list[dict[str, Any]]:
        """What the portal does not take; `is_asked` where somebody wants it tried again."""
        asked = set(self.gateway.to_retry)
        letters = self.gateway.letters
        return [{**one, "at": parse_datetime(one["since"]), "is_asked": one["id"] in asked} for one in letters]

    @classmethod
    def of(cls, gateway: Gateway) -> GatewayRow:
        machines = [MachineRow(one["name"], parse_datetime(one["heard_at"])) for one in gateway.machines]
        return cls(gateway, gateways.is_silent(gateway), machines)


@dataclass(frozen=True)
class ExamRow:
    """One exam that the RIS tells of, and of which no images have come."""

    exam: Exam
    title: str
    state: Words
    words: Words  # what somebody may do about it, else what the patient reads
    tone: str

    @classmethod
    def of(cls, exam: Exam) -> ExamRow:
        step = steps.of_exam(exam)
        kind = words.modality_words(exam.modality) if exam.modality else _("An exam")
        tone = "bad" if step.staff else ""
        return cls(exam, exam.description or kind, exam.get_state_display(), step.staff or step.patient, tone)


@dataclass(frozen=True)
class Brief:
    """One exam in a list of many patients."""

    title: str
    state: Words


@dataclass(frozen=True)
class StudyRow:
    """One exam at the desk: what has become of it, and what may be done."""

    study: Study
    title: str
    kind: str
    state: Words
    tone: str
    reason: str
    report: Words
    rejected: Sequence[Rejected]
    arrived: Arrived | None  # when less has come than was announced
    may_release: bool
    may_withdraw: bool
    form: WithdrawForm
    opens: str  # when it would open, or will
    urgencies: Sequence[tuple[str, Words, str]]  # by which it may be sent instead, and when it would open then

    @property
    def is_unread(self) -> bool:
        """Whether nothing is known of it yet: it has just come, or was just taken in, and no file of it was read."""
        study = self.study
        return study.state == Study.State.STORED and not (study.modalities or study.description)

    @staticmethod
    def brief(study: Study) -> Brief:
        """What a list of many patients says of one exam."""
        return Brief(catalog.title(study), study.get_state_display())

    @classmethod
    def of(
        cls,
        study: Study,
        form: WithdrawForm | None = None,
        *,
        rejected: Sequence[Rejected] = (),
        arrived: Arrived | None = None,
    ) -> StudyRow:
        offer: Release | None = getattr(study, "release", None)
        withdrawn = offer is not None and offer.withdrawn_at is not None
        state, tone = _state(study, offer)
        may_release = study.state == Study.State.READY and (offer is None or withdrawn)
        waits = offer is not None and not withdrawn and releases.waits(offer)
        return cls(
            study=study,
            title=catalog.title(study),
            kind=catalog.kind_words(study),
            state=state,
            tone=tone,
            reason=offer.withdrawn_reason if offer else "",
            report=_report(study),
            rejected=rejected,
            arrived=arrived,
            may_release=may_release,
            may_withdraw=not withdrawn,
            form=form or WithdrawForm(auto_id=f"id_%s_{study.pk}"),
            opens=opening_times.of_decision(offer if offer and waits else rules.decide(study))
            if waits or may_release
            else "",
            urgencies=_urgencies(study, offer) if waits or may_release else (),
        )


def study_rows(studies: Sequence[Study], wrong: Mapping[UUID, WithdrawForm]) -> list[StudyRow]:
    """The exams of a list, with what is missing and what was taken back; `wrong` holds the forms to be corrected."""
    rejected, arrived = rejections.counts(studies), completeness.incomplete(studies)
    return [
        StudyRow.of(study, wrong.get(study.pk), rejected=rejected.get(study.pk, ()), arrived=arrived.get(study.pk))
        for study in studies
    ]


@dataclass(frozen=True)
class CodeView:
    """Where a patient stands with her code."""

    words: Words
    tone: str
    is_claimed: bool
    is_live: bool
    newest: UUID | None

    @classmethod
    def of(cls, standing: Standing) -> CodeView:
        code = standing.code
        is_live = code is not None and not code.used_at and not code.revoked_at and code.expires_at > timezone.now()
        words, tone = _code(standing, is_live=is_live)
        return cls(words, tone, standing.claimed_at is not None, is_live, code.pk if code else None)


def _urgencies(study: Study, offer: Release | None) -> list[tuple[str, Words, str]]:
    """How else an exam may be sent, each with the moment at which it would open."""
    chosen = offer.urgency if offer is not None else Release.Urgency.ROUTINE
    others = [urgency for urgency in Release.Urgency if urgency != chosen]
    return [
        (urgency.value, urgency.label, opening_times.of_decision(rules.decide(study, urgency=urgency)))
        for urgency in others
    ]


def _state(study: Study, offer: Release | None) -> tuple[Words, str]:
    job: Job | None = getattr(study, "job", None)
    if offer is not None and offer.withdrawn_at:
        return _("Withdrawn"), "bad"
    if job is not None and job.dead_at:
        return _("Stuck: tell your operator"), "bad"
    if study.state != Study.State.READY:
        return study.get_state_display(), "warn"
    if offer is None:
        return _("Ready, not released"), "warn"
    if offer.available_at is None:
        return _("Opens with the final report"), ""
    if offer.available_at > timezone.now():
        return _("Opens on %(day)s") % {"day": _day(offer.available_at)}, ""
    return _("Released"), "ok"


def _report(study: Study) -> Words:
    newest = next(iter(study.reports.all()), None)
    if newest is None:
        return _("No report yet")
    if newest.status == Report.Status.PRELIMINARY:
        return _("Report: preliminary, not shown to the patient")
    return _("Report: %(status)s") % {"status": newest.get_status_display()}


def _code(standing: Standing, *, is_live: bool) -> tuple[Words, str]:
    code = standing.code
    if standing.claimed_at:
        return _("In the patient's account since %(day)s") % {"day": _day(standing.claimed_at)}, "ok"
    if code is None:
        return _("No code handed out yet"), ""
    if not is_live:
        return _("The last code has ended"), "warn"
    if standing.is_locked:
        return _("The code is locked after too many wrong tries"), "bad"
    days = {"day": _day(code.issued_at), "end": _day(code.expires_at)}
    return _("Code handed out on %(day)s, not used yet, good until %(end)s") % days, "warn"


def _day(moment: date) -> str:
    return date_format(moment, "DATE_FORMAT")
