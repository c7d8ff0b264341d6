"""The life of an exam, as its patient reads it: from the order to the newest version of its report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.errors import Words
from accounts.models import Facility, User
from sharing import access
from sharing.models import Link, Release
from sharing.steps import of_exam
from studies import reports
from studies.models import Exam, Study
from studies.orders import exams
from studies.orders.states import State
from studies.words import modality_words

GONE: Final = timedelta(days=30)
"""For so long what was cancelled, or brings no images, is told of."""
SAID: Final[dict[str, Words]] = {
    State.ORDERED: gettext_lazy("Ordered"),
    State.SCHEDULED: gettext_lazy("An appointment was made"),
    State.IN_PROGRESS: gettext_lazy("Begun"),
    State.COMPLETED: gettext_lazy("Done"),
    State.DICTATED: gettext_lazy("Looked at by a radiologist"),
    State.PRELIMINARY: gettext_lazy("A first reading was written"),
    State.FINAL: gettext_lazy("The report is final"),
    State.NON_REPORTABLE: gettext_lazy("No report is written here"),
    State.REVISED: gettext_lazy("The report was revised"),
    State.ADDENDED: gettext_lazy("Something was added to the report"),
    State.CANCELLED: gettext_lazy("Cancelled"),
}


@dataclass(frozen=True)
class Moment:
    """Something that happened to an exam, and when."""

    at: datetime
    words: Words


@dataclass(frozen=True)
class Ahead:
    """An exam of which no images are here yet."""

    facility: Facility
    kind: str
    words: str


def of_study(study: Study) -> list[Moment]:
    """What happened to an exam, in order, as far as its patient may know: nothing of a report that she may not read."""
    said = [event for exam in study.exams.all() for event in exams.history(exam)]
    offer = Release.objects.filter(study=study, withdrawn_at=None).first()
    read = _reads(offer)
    moments = [Moment(one.said_at, SAID[one.state]) for one in said if read or one.state not in exams.READ]
    moments.append(Moment(study.received_at, _("The images came")))
    if offer is not None and offer.available_at is not None and offer.available_at <= timezone.now():
        moments.append(Moment(offer.available_at, _("Opened to you")))
    if read:
        moments += [Moment(one.received_at, _report(one.version)) for one in reports.released(study)]
    return sorted(moments, key=lambda one: one.at)


def ahead_of(user: User) -> list[Ahead]:
    """Exams of hers, and of whom she cares for, that have no images yet; but for those of long ago."""
    links = Link.objects.filter(record__in=access.records_of(user), ended_at=None)
    since = timezone.now() - GONE
    found = Exam.objects.filter(patient__in=links.values("patient"), study=None).filter(state_at__gt=since)
    ordered = found.select_related("facility").order_by("scheduled_for", "state_at", "pk")
    return [Ahead(exam.facility, _kind(exam), _words(exam)) for exam in ordered]


def _reads(offer: Release | None) -> bool:
    return offer is not None and offer.report_at is not None and offer.report_at <= timezone.now()


def _report(version: int) -> str:
    return _("The report came") if version == 1 else _("A new version of the report came")


def _kind(exam: Exam) -> str:
    return modality_words(exam.modality) if exam.modality else _("An exam")


def _words(exam: Exam) -> str:
    """Its step, and the day where one is set and still to come."""
    step = str(of_exam(exam).patient)
    if exam.state == State.SCHEDULED and exam.scheduled_for is not None and exam.scheduled_for > timezone.now():
        when = date_format(timezone.localtime(exam.scheduled_for), "DATETIME_FORMAT")
        return _("Your appointment: %(when)s.") % {"when": when}
    return step
