"""What patients are told of: an exam is there, its report, a change of it. Nothing says whose, or of what.

Each exam is told of when it opens, by itself and never with others that are late: `tell_due` looks every few seconds
for what has opened, so that a hold that ends is told of as an exam is that was released by hand. Whoever has claimed
hears at her account, whoever has not at the contact that her facility has on file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone, translation

from accounts import texts
from accounts.models import PatientRecord, Representative
from sharing import contacts, emails
from sharing.models import ClaimCode, Grant, Link, Notice, Release
from studies import reports
from studies.models import FacilityPatient, Report, Study

Kind = Notice.Kind
AT_ONCE: Final = 100  # exams of one round
MISSED: Final = timedelta(days=1)  # how far back a round looks for reports whose news got lost
CORRECTIONS: Final = (Report.Status.AMENDED, Report.Status.CORRECTED, Report.Status.APPENDED)


@dataclass(frozen=True)
class Mailbox:
    """Where somebody is reached, and in which language."""

    email: str
    phone: str
    language: str


def tell_due() -> int:
    """Tell of every exam that has opened and every report that is there since the last round; how many were told."""
    opened = list(_opened().select_related("study__patient__facility").order_by("study__patient", "pk")[:AT_ONCE])
    for patient, releases in groupby(opened, key=lambda one: one.study.patient):
        _tell_of_exams(patient, list(releases))
    news = list(_with_news().select_related("study__patient__facility").order_by("news_at")[:AT_ONCE])
    for release in news:
        _tell_of_reports(release)
    return len(opened) + len(news)


def note_news(study_id: UUID) -> None:
    """A version of a report came: the next round tells of it."""
    Release.objects.filter(study=study_id).update(news_at=timezone.now())


def note_missed() -> int:
    """The same for reports of the last day whose news got lost with a worker; how many exams these were."""
    lately = Report.objects.filter(received_at__gt=timezone.now() - MISSED, study__isnull=False)
    shown = lately.exclude(reports.HIDDEN).filter(kind__in=reports.READ_FIRST)
    quiet = Release.objects.filter(study__in=shown.values("study"), news_at=None).select_related("study")
    missed = [one.pk for one in quiet if len(_versions(one.study)) > one.told_reports]
    return Release.objects.filter(pk__in=missed).update(news_at=timezone.now())


def of(patient: FacilityPatient) -> QuerySet[Notice]:
    """What a patient was told, the newest first."""
    return Notice.objects.filter(patient=patient).select_related("study").order_by("-made_at", "pk")


def note_outcome(message_id: UUID, outcome: str, trouble: str) -> None:
    """What became of the message behind a notice, if there is one behind it."""
    Notice.objects.filter(message_id=message_id).update(
        state=Notice.State(outcome), trouble=trouble[:80], settled_at=timezone.now()
    )


def again(notice: Notice) -> bool:
    """Tell once more, to whom it is told now: after an address was corrected. Whether there is anybody."""
    told = [notice.study] if notice.study else [None]
    with transaction.atomic():
        return _tell(notice.patient, Kind(notice.kind), told)


def tell_contact(patient: FacilityPatient, kind: Kind, token: str) -> bool:
    """Tell the contact on file that images went to an account, or that a new code was made, with a way to say no.

    Whether there is a contact. In the caller's transaction.
    """
    contact = contacts.of(patient)
    if contact is None:
        return False
    mailbox = Mailbox(contact.email, contact.phone, contact.language)
    return _write(mailbox, patient, kind, [None], not_me=emails.not_me_link(token))


# --- who is told, of what


def _opened() -> QuerySet[Release]:
    return Release.objects.filter(told_at=None, withdrawn_at=None, available_at__lte=timezone.now())


def _with_news() -> QuerySet[Release]:
    now = timezone.now()
    open_now = Release.objects.filter(withdrawn_at=None, available_at__lte=now, report_at__lte=now)
    return open_now.filter(news_at__isnull=False).exclude(told_at=None)


def _tell_of_exams(patient: FacilityPatient, opened: list[Release]) -> None:
    with transaction.atomic():
        mine = [one for one in opened if _opened().filter(pk=one.pk).update(told_at=timezone.now())]
        for one in mine:
            _settle_reports(one)
        if mine:
            _tell(patient, Kind.EXAM, [one.study for one in mine])


def _settle_reports(release: Release) -> None:
    """A report that is open is told of with its exam; one that opens later is news when it does."""
    versions, this = len(_versions(release.study)), Release.objects.filter(pk=release.pk)
    if release.report_at is not None and release.report_at <= timezone.now():
        this.update(told_reports=versions, news_at=None)
    elif versions:
        this.update(news_at=timezone.now())


def _tell_of_reports(release: Release) -> None:
    with transaction.atomic():
        if not Release.objects.filter(pk=release.pk, news_at=release.news_at).update(news_at=None):
            return
        versions = _versions(release.study)
        told = Release.objects.filter(pk=release.pk, told_reports__lt=len(versions))
        if not told.update(told_reports=len(versions)):
            return
        is_change = release.told_reports > 0 and any(one.status in CORRECTIONS for one in versions)
        _tell(release.study.patient, Kind.CHANGED if is_change else Kind.REPORT, [release.study])
        if is_change:
            _tell_borrowers(release.study)


def _versions(study: Study) -> list[Report]:
    return [one for one in reports.released(study) if one.kind in reports.READ_FIRST]


def _tell(patient: FacilityPatient, kind: Kind, studies: Iterable[Study | None]) -> bool:
    """Write to whoever is told of this patient's exams; whether there is anybody."""
    told = list(studies)
    written = [_write(mailbox, patient, kind, told) for mailbox in _mailboxes(patient)]
    return any(written)


def _mailboxes(patient: FacilityPatient) -> list[Mailbox]:
    """The accounts in which a patient's images are; else the contact on file, while a code is out for her."""
    contact = contacts.of(patient)
    phone, language = (contact.phone, contact.language) if contact else ("", "")
    link = Link.objects.filter(patient=patient, ended_at=None).select_related("record__user").first()
    if link is not None:
        addresses = _addresses(link.record)
        return [Mailbox(address, "" if place else phone, language) for place, address in enumerate(addresses)]
    is_awaited = ClaimCode.objects.filter(patient=patient, used_at=None, revoked_at=None)
    if contact is None or not is_awaited.filter(expires_at__gt=timezone.now()).exists():
        return []
    return [Mailbox(contact.email, phone, language)]


def _addresses(record: PatientRecord) -> list[str]:
    """Of whoever owns a record, and of those who may do all with it in her place."""
    now = timezone.now()
    managers = Representative.objects.filter(
        Q(ends_at=None) | Q(ends_at__gt=now), record=record, level=Representative.Level.MANAGE
    )
    owner = [record.user.email] if record.user else []
    return [*owner, *managers.order_by("pk").values_list("user__email", flat=True)]


def _tell_borrowers(study: Study) -> None:
    """Whoever could read the older version by a loan is told that there is a newer one."""
    later = Q(scope=Grant.Scope.ALL_AND_LATER, record__links__patient=study.patient_id, record__links__ended_at=None)
    over = Grant.objects.live().filter(Q(items__study=study) | later, kind=Grant.Kind.EMAIL, may_report=True)
    for address in over.values_list(F("email"), flat=True).distinct():
        emails.lent_report_changed(address)


# --- how


def _write(mailbox: Mailbox, patient: FacilityPatient, kind: Kind, studies: list[Study | None], **more: str) -> bool:
    """One letter and one text for all of these exams, and a notice for each."""
    written: list[tuple[Notice.Channel, UUID]] = []
    has_claimed = Link.objects.filter(patient=patient, ended_at=None).exists()
    with translation.override(mailbox.language or settings.LANGUAGE_CODE):
        if mailbox.email:
            letter = emails.notice(mailbox.email, kind, patient.facility, has_claimed=has_claimed, **more)
            written.append((Notice.Channel.EMAIL, letter.pk))
        if mailbox.phone and texts.are_on():
            words = emails.text_of(kind, patient.facility, has_claimed=has_claimed)
            written.append((Notice.Channel.SMS, texts.write(mailbox.phone, words).pk))
    Notice.objects.bulk_create(
        Notice(patient=patient, study=study, kind=kind, channel=channel, message_id=message_id)
        for channel, message_id in written
        for study in studies
    )
    return bool(written)


def bounced(patient: FacilityPatient) -> Notice | None:
    """The last notice, if it came back or could not be sent: the address on file is wrong."""
    newest = of(patient).first()
    return newest if newest and newest.state in (Notice.State.BOUNCED, Notice.State.FAILED) else None
