"""The desk: what a facility's staff do for its own patients. Another facility's patients do not exist here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import audit, throttle
from accounts.audit import Action
from accounts.errors import BadRequest, Conflict, NotFound
from accounts.models import User
from sharing import access, claims, consents, contacts, reissue, releases, wrong_person
from sharing.access import Staff
from sharing.models import ClaimCode, Consent, Link, Release
from studies import identity, patients, quarantine, reports
from studies.models import Exam, FacilityPatient, Merge, Study
from studies.names import folded
from studies.orders import exams, merges
from studies.orders.groups import group
from studies.patients import Source
from studies.quarantine import Waiting
from studies.search import search

WAY: Final = "desk"
MOST_FOUND: Final = 30
SEARCHES_AN_HOUR: Final = 300  # a busy desk needs fewer; whoever leafs through a facility's patients more
ONE_LOOK: Final = timedelta(minutes=15)


class Document(models.TextChoices):
    """By what somebody at the desk showed who she is."""

    PASSPORT = "passport", _("Passport")
    ID_CARD = "id_card", _("Identity card")
    DRIVING_LICENCE = "driving_licence", _("Driving licence")
    RESIDENCE_PERMIT = "residence_permit", _("Residence permit")
    OTHER = "other", _("Another document with a photo")
    KNOWN = "known", _("I know this person")


class AlreadyKnown(Conflict):
    """Somebody else has this MRN: to go on would give one person's images to another."""

    code = "already_known"
    message = _("This MRN belongs to a patient with another name or birth date.")
    hint = _("Compare the two. If it is the same person, correct the details there; else correct the MRN here.")

    def __init__(self, patient: FacilityPatient) -> None:
        super().__init__()
        self.patient = patient


class HandedOut(Conflict):
    """The form is older than the newest code: sent twice, or by two people at once."""

    code = "handed_out"
    message = _("A code has been handed out already, and it cannot be shown again.")
    hint = _("If that sheet is lost, print a new one. The one before ends then.")


class Audience(Enum):
    """Who outside the facility sees what is added to an exam."""

    NOBODY = "the exam is withdrawn"
    WITH_CODE = "whoever claims the patient's images"
    LATER = "the patient, from the day on which the exam opens"
    PATIENT = "the patient, and whoever she shares with"


@dataclass(frozen=True)
class Standing:
    """Whether a patient has her images yet, and by which code."""

    claimed_at: datetime | None
    code: ClaimCode | None  # the newest, whatever became of it

    @property
    def is_locked(self) -> bool:
        """Whether the code has had its wrong tries."""
        return self.code is not None and self.code.wrong_tries >= claims.LIFETIME_CAP


def staff_for(user: User | AnonymousUser) -> Staff:
    """The viewer that somebody is at her facility's desk; NotFound for everybody else."""
    viewer = access.viewer_for(user)
    if not isinstance(viewer, Staff):
        raise NotFound
    return viewer


def find(staff: Staff, text: str) -> list[FacilityPatient]:
    """The patients that fit, at most one more than MOST_FOUND. Written down without what was looked for."""
    _count_search(staff)
    found = list(search(staff.facility, text)[: MOST_FOUND + 1])
    with transaction.atomic():
        audit.record(Action.DESK_SEARCHED, actor=staff.actor, facility_id=staff.facility.pk, way=WAY, found=len(found))
    return found


def patient_for(staff: Staff, patient_id: UUID) -> FacilityPatient:
    """A patient of this facility, else NotFound. One event for the patient per member of staff and 15 minutes."""
    patient = staff.facility.patients.filter(pk=patient_id).first()
    if patient is None:
        raise NotFound
    look = f"{staff.key}|patient {patient.pk}"
    if not audit.seen(look, ONE_LOOK):
        with transaction.atomic():
            if audit.once(look, ONE_LOOK):
                _note(Action.PATIENT_VIEWED, staff, patient)
    return patient


def studies_of(patient: FacilityPatient) -> list[Study]:
    """All her studies, the newest first, with what a list shows of them."""
    hers = Study.objects.filter(patient__in=group(patient)).select_related("release", "job", "facility", "patient")
    known = hers.prefetch_related(reports.prefetched())
    return list(known.order_by(models.F("study_date").desc(nulls_last=True), "-received_at", "pk"))


def ordered_for(patient: FacilityPatient) -> list[Exam]:
    """Her exams as the RIS tells of them, of which no images have come, the newest first."""
    return list(exams.of(patient).filter(study=None).select_related("facility"))


def merge_for(staff: Staff, merge_id: UUID) -> Merge:
    """A merge of this facility, else NotFound."""
    return merges.merge_for(staff.facility, merge_id)


def part(staff: Staff, merge: Merge) -> None:
    """Two people after all: see `merges.part`."""
    merges.part(merge, actor=staff.actor)


def stuck(staff: Staff) -> list[Study]:
    """Exams whose pictures could not be prepared, the newest first: an operator must look."""
    given_up = staff.facility.studies.filter(job__dead_at__isnull=False).select_related("release", "job")
    return list(given_up.prefetch_related(reports.prefetched()).order_by("-received_at")[:MOST_FOUND])


def standing_of(patient: FacilityPatient) -> Standing:
    """Whether she has claimed, and the newest code handed out for her."""
    link = Link.objects.filter(patient=patient, ended_at=None).first()
    return Standing(link.created_at if link else None, _newest_code(patient))


def register(staff: Staff, patient_id: str, *, issuer: str, name: str, birth_date: date) -> FacilityPatient:
    """A patient for whom nothing may have arrived yet; one who is known already is left as she is.

    AlreadyKnown when the MRN is somebody else's: by a slip of one digit, the wrong person would get the code. As that
    answers whose it is, it counts as a search.
    """
    _count_search(staff)
    with transaction.atomic():
        known = patients.find(staff.facility, patient_id, issuer)
        if known is not None and _contradicts(known, name, birth_date):
            raise AlreadyKnown(known)
        return patients.register(
            staff.facility,
            patient_id,
            issuer=issuer,
            name="" if known and known.name else name,
            birth_date=birth_date,
            source=Source.DESK,
            actor=staff.actor,
        )


def correct(staff: Staff, patient: FacilityPatient, *, name: str, birth_date: date) -> None:
    """Name and birth date as the desk knows them. What was said before stays in the history."""
    with transaction.atomic():
        if patients.learn(patient, name=name, birth_date=birth_date, source=Source.DESK):
            _note(Action.PATIENT_CORRECTED, staff, patient)


def hand_out(
    staff: Staff,
    patient: FacilityPatient,
    document: Document,
    *,
    replacing: UUID | None,
    agreed: tuple[Consent.Method, bool] | None = None,
) -> tuple[str, ClaimCode]:
    """A new code, shown this once only, for somebody whose identity was seen; then release what is ready.

    `agreed` is how she consented, and whether to later exams too. Conflict where she is to be asked and was not.

    `replacing` is the newest code that the clerk knew of: HandedOut when there is a newer one, so that a page loaded
    again, or a second tap, does not silently end the code on the sheet just printed.
    """
    with transaction.atomic():
        # The slow digest of the code is made under this lock; at a desk 40 ms are nothing, a lost sheet is not.
        FacilityPatient.objects.select_for_update().get(pk=patient.pk)
        newest = _newest_code(patient)
        if (newest.pk if newest else None) != replacing:
            raise HandedOut
        _note(Action.IDENTITY_CONFIRMED, staff, patient, document=document.value)
        _keep_consent(staff, patient, agreed)
        issued = claims.issue(patient, actor=staff.actor)
        reissue.note_printed(patient, user=staff.user, actor=staff.actor)
    releases.release_ready(patient, actor=staff.actor)  # after the commit: see claims.issue
    return issued


def _keep_consent(staff: Staff, patient: FacilityPatient, agreed: tuple[Consent.Method, bool] | None) -> None:
    text = consents.is_asked(patient)
    if text is None:
        return
    if agreed is None:
        raise Conflict(_("The patient has not agreed yet."), hint=_("Read the text to her, and choose her answer."))
    method, later_too = agreed
    consents.give(patient, text, method, later_too=later_too, user=staff.user, actor=staff.actor)


def study_for(staff: Staff, study_id: UUID) -> Study:
    """A study of this facility, else NotFound."""
    study = staff.facility.studies.select_related("facility", "patient").filter(pk=study_id).first()
    if study is None:
        raise NotFound
    return study


def release(staff: Staff, study: Study, urgency: Release.Urgency = Release.Urgency.ROUTINE) -> None:
    """Offer one study to its patient, by the facility's rules or another urgency. Conflict while it is arriving."""
    if study.state != Study.State.READY:
        raise Conflict(_("This exam is still arriving."), hint=_("Release it when its pictures are ready."))
    if not identity.is_settled(study):
        raise Conflict(
            _("Its files are of somebody else than this patient."), hint=_("Decide first whose it is, under Questions.")
        )
    releases.release(study, actor=staff.actor, urgency=urgency)


def release_all(staff: Staff, patient: FacilityPatient) -> int:
    """Offer whatever of a patient is ready and was neither offered nor held back; returns how many."""
    return releases.release_ready(patient, actor=staff.actor)


def withdraw(staff: Staff, study: Study, reason: str) -> None:
    """Take a study back, from everybody it was lent to as well. BadRequest without a reason."""
    if not reason.strip():
        raise BadRequest(_("Say why it is withdrawn."), hint=_("Only your facility's staff read the reason."))
    releases.withdraw(study, reason.strip(), actor=staff.actor)


def waiting_at(staff: Staff) -> list[Waiting]:
    """What was set aside at this facility and waits for somebody to decide. One event per member of staff as below."""
    _note_held(staff, "all")
    return quarantine.waiting(staff.facility)


def held_for(staff: Staff, key: int) -> Waiting:
    """A group of what waits, else NotFound; Settled when it does no more. One event per group and 15 minutes."""
    found = quarantine.group(staff.facility, key)
    _note_held(staff, str(found.key))
    return found


def keep_contact(staff: Staff, patient: FacilityPatient, *, email: str, phone: str, language: str) -> None:
    """Put on file how a patient is reached."""
    contacts.keep(patient, email=email, phone=phone, language=language, actor=staff.actor)


def undo_claim(staff: Staff, patient: FacilityPatient) -> int:
    """Take a patient's images out of the account they went to; how many loans ended. Conflict where nobody claimed."""
    live = Link.objects.select_related("patient__facility", "record__user")
    link = live.filter(patient=patient, ended_at=None).first()
    if link is None:
        raise Conflict(_("These images are in nobody's account."), hint=_("There is nothing to undo."))
    return wrong_person.undo(link, actor=staff.actor)


def audience_of(patient: FacilityPatient, study: Study | None) -> Audience:
    """Who outside the facility will see what is added to a study of this patient; None for a study that is new."""
    offer = Release.objects.filter(study=study).first() if study else None
    if offer is not None and offer.withdrawn_at is not None:
        return Audience.NOBODY
    if not Link.objects.filter(patient=patient, ended_at=None).exists():
        return Audience.WITH_CODE
    waits = offer is not None and (offer.available_at is None or offer.available_at > timezone.now())
    return Audience.LATER if waits else Audience.PATIENT


def _note_held(staff: Staff, which: str) -> None:
    look = f"{staff.key}|held {which}"
    if not audit.seen(look, ONE_LOOK):
        with transaction.atomic():
            if audit.once(look, ONE_LOOK):
                audit.record(Action.HELD_VIEWED, actor=staff.actor, facility_id=staff.facility.pk, way=WAY, held=which)


def _count_search(staff: Staff) -> None:
    throttle.hit("desk search", str(staff.user.pk), cap=SEARCHES_AN_HOUR, within=timedelta(hours=1))


def _newest_code(patient: FacilityPatient) -> ClaimCode | None:
    return ClaimCode.objects.filter(patient=patient).order_by("-issued_at", "-pk").first()


def _contradicts(known: FacilityPatient, name: str, birth_date: date) -> bool:
    """Whether two descriptions are of two people. Scanners add middle names and titles, so one name may hold more."""
    theirs, given = set(known.name_words.split()), set(folded(name).split())
    return not (theirs <= given or given <= theirs) or known.birth_date not in (None, birth_date)


def _note(action: Action, staff: Staff, patient: FacilityPatient, **detail: Any) -> None:
    audit.record(
        action,
        actor=staff.actor,
        facility_id=patient.facility_id,
        record_id=releases.record_of(patient.pk),
        way=WAY,
        patient=str(patient.pk),
        **detail,
    )
