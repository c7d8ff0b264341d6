"""“Why doesn't this patient see it?”: the last thing that happened, in words, and what mends it.

From stored rows alone, as an ordered list of questions: first about the patient and her code, then about each exam. One
exam that is stuck silences none of the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from accounts import gateways, people
from accounts.audit import Action
from accounts.models import AuditEvent
from sharing import claims, consents, notices, opening_times, releases
from sharing.models import ClaimCode, Link
from studies import catalog, completeness, identity
from studies.models import FacilityPatient, Job, Study

LOOKS: Final = (Action.VIEWED, Action.REPORT_VIEWED, Action.DOWNLOADED)


class Fix(StrEnum):
    """What mends it, in one click."""

    CODE = "code"
    CONTACT = "contact"
    QUESTION = "question"
    RELEASE = "release"
    NONE = ""


@dataclass(frozen=True)
class Answer:
    """One thing that happened; `tone` is ok where the patient does see it."""

    words: str
    tone: str = "warn"
    fix: Fix = Fix.NONE
    study: Study | None = None

    @property
    def title(self) -> str:
        """Of the exam that it is about, once a file of it was read."""
        study = self.study
        is_unread = study is not None and not (study.modalities or study.description)
        return catalog.title(study) if study and not is_unread else ""


def answers(patient: FacilityPatient, studies: list[Study]) -> list[Answer]:
    """About the patient first, then about each of her exams, as `desk.studies_of` lists them."""
    link = Link.objects.filter(patient=patient, ended_at=None).select_related("record__user").first()
    about_her = [] if link and _is_well(link) else [_of_link(link) if link else _of_code(patient)]
    if bounced := notices.bounced(patient):
        told = _("The last letter to her came back on %(day)s.") % {"day": _day(bounced.settled_at or bounced.made_at)}
        about_her.append(Answer(told, "bad", Fix.CONTACT))
    if not studies:
        about_her.append(_nothing_came(patient))
    seen = _seen(studies, link)
    arrived = completeness.incomplete(studies)
    return [*about_her, *(_of_study(study, link, seen.get(study.pk), arrived.get(study.pk)) for study in studies)]


def _is_well(link: Link) -> bool:
    return link.record.user is None or people.is_proved(link.record.user)


def _of_link(link: Link) -> Answer:
    day = {"day": _day(link.created_at)}
    return Answer(
        _("She claimed on %(day)s, and has not confirmed her e-mail address yet: she looks, and does no more.") % day
    )


def _of_code(patient: FacilityPatient) -> Answer:
    """Where she stands without a link."""
    frozen = Link.objects.filter(patient=patient).exclude(frozen_at=None).order_by("-frozen_at").first()
    code = ClaimCode.objects.filter(patient=patient).order_by("-issued_at", "-pk").first()
    if frozen and frozen.frozen_at and (code is None or code.issued_at < frozen.frozen_at):
        words = _("Somebody said “this was not me” on %(day)s: the images were taken out of the account.")
        return Answer(words % {"day": _day(frozen.frozen_at)}, "bad", Fix.QUESTION)
    if code is None:
        return Answer(_("No code has been handed out."), "warn", Fix.CODE)
    return _of_one_code(code)


def _of_one_code(code: ClaimCode) -> Answer:
    if code.used_at is not None:
        words = _("Her code was used on %(day)s, and the images are in nobody's account now.")
        return Answer(words % {"day": _day(code.used_at)}, "warn", Fix.CODE)
    if code.revoked_at is not None:
        return Answer(_("Her code was ended on %(day)s.") % {"day": _day(code.revoked_at)}, "warn", Fix.CODE)
    if code.expires_at <= timezone.now():
        return Answer(_("Her code ended on %(day)s.") % {"day": _day(code.expires_at)}, "warn", Fix.CODE)
    if code.wrong_tries >= claims.LIFETIME_CAP:
        return Answer(_("Her code is locked after too many wrong tries."), "bad", Fix.CODE)
    words = _("Her code was handed out on %(day)s, and nobody has used it yet.")
    return Answer(words % {"day": _day(code.issued_at)}, "warn", Fix.CODE)


def _nothing_came(patient: FacilityPatient) -> Answer:
    heard = [one.heard_at for one in gateways.of(patient.facility)]
    if not heard:
        return Answer(_("No exam of hers has arrived."))
    words = _("No exam of hers has arrived. The gateway was heard %(time)s ago.")
    return Answer(words % {"time": timesince(max(heard))})


def _of_study(study: Study, link: Link | None, seen: AuditEvent | None, arrived: completeness.Arrived | None) -> Answer:
    """The first of these that is so."""
    offer = getattr(study, "release", None)
    job: Job | None = getattr(study, "job", None)
    if job is not None and job.dead_at:
        return Answer(_("Its pictures could not be prepared: tell your operator."), "bad", study=study)
    if not identity.is_settled(study):
        return Answer(_("Its files are of somebody else than this patient."), "bad", Fix.QUESTION, study)
    if offer is not None and offer.withdrawn_at:
        words = _("It was withdrawn on %(day)s: %(reason)s")
        return Answer(words % {"day": _day(offer.withdrawn_at), "reason": offer.withdrawn_reason}, "bad", study=study)
    if study.state != Study.State.READY:
        if arrived is None:
            return Answer(_("It is still arriving."), study=study)
        counts = {"here": arrived.here, "expected": arrived.expected}
        return Answer(_("It is still arriving: %(here)s of %(expected)s files are here.") % counts, study=study)
    if offer is None:
        if consents.text_of(study.facility) and not consents.valid(study.patient):
            return Answer(_("It is ready, and she has not agreed to it."), "warn", Fix.CODE, study)
        return Answer(_("It is ready, and not released."), "warn", Fix.RELEASE, study)
    if offer.available_at is None or offer.available_at > timezone.now():
        return Answer(opening_times.of_decision(offer), study=study)
    return _of_open_study(study, link, seen)


def _of_open_study(study: Study, link: Link | None, seen: AuditEvent | None) -> Answer:
    if link is None:
        return Answer(_("It is released, and waits for her code."), study=study)
    if waits := releases.report_waits(study):
        return Answer(opening_times.of_decision(waits), study=study)
    if seen is None:
        return Answer(_("It is in her account, and nobody has opened it yet."), "ok", study=study)
    return Answer(_("It was opened on %(day)s: it is seen.") % {"day": _day(seen.at)}, "ok", study=study)


def _seen(studies: list[Study], link: Link | None) -> dict[object, AuditEvent]:
    """The last look at each, by whoever has the record."""
    if link is None or not studies:
        return {}
    looks = AuditEvent.objects.filter(study_id__in=[one.pk for one in studies], action__in=LOOKS, actor_kind="person")
    return {look.study_id: look for look in looks.filter(record_id=link.record_id).order_by("at")}


def _day(moment: datetime) -> str:
    return date_format(moment, "DATE_FORMAT")
