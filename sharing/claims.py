"""Claims: a code on paper puts a facility's patient on a person's record, once."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import audit, people
from accounts.audit import Action, Actor
from accounts.errors import BadRequest, PortalError
from accounts.models import PatientRecord, User
from sharing import alarms, codes, emails, merging, proving, releases
from sharing.models import ClaimCode, Link
from sharing.proving import LIFETIME_CAP, ClaimRefused, CodeUsed
from studies.models import FacilityPatient, Study

__all__ = ["LIFETIME_CAP", "ClaimRefused", "OtherBirthDate", "claim", "issue", "revoke", "take", "unlink"]

MOST_DAYS: Final = 90


ME: Final = "me"


class OtherBirthDate(PortalError):
    """Whose images these are is not certain: the birth date typed is not the one on the person's own record, or that
    has none and others are in her care. Costs no try and tells nothing of any code."""

    status, code = 422, "other_birth_date"
    message = _("This birth date differs from the one in your account.")
    hint = _("If your account has it wrong, correct it under Account. If you care for somebody, say for whom.")


def issue(patient: FacilityPatient, *, actor: Actor, days: int = 30, is_told: bool = False) -> tuple[str, ClaimCode]:
    """A new code, shown this once only, and its row; an older one that is still open ends.

    Whom the facility has on file is told of each but the first, unless she `is_told` otherwise.

    BadRequest without a birth date to ask for, or for a life outside 1 to 90 days. Call `releases.release_ready`
    afterwards: in this order a study that becomes ready meanwhile is missed by neither.
    """
    if patient.birth_date is None:
        raise BadRequest(
            _("This patient has no birth date yet, and a claim asks for it."),
            hint=_("Give the birth date, or send an image that has it."),
        )
    if not 1 <= days <= MOST_DAYS:
        raise BadRequest(_("A code lives 1 to 90 days."), hint=_("Choose a number from 1 to 90."))
    while True:
        text = codes.make()
        symbols = codes.tidy(text)
        stored = codes.digest(symbols)  # slow on purpose, so it stays out of the transaction
        try:
            selector, life = codes.selector(symbols), timedelta(days=days)
            return text, _replace(patient, selector, stored, life, actor, is_told=is_told)
        except IntegrityError:
            continue  # another patient's open code begins with the same four symbols


def _replace(
    patient: FacilityPatient, selector: str, stored: str, life: timedelta, actor: Actor, *, is_told: bool
) -> ClaimCode:
    now = timezone.now()
    with transaction.atomic():
        FacilityPatient.objects.select_for_update().get(pk=patient.pk)  # one issue or claim of her at a time
        is_anew = ClaimCode.objects.filter(patient=patient).exists()
        unused = ClaimCode.objects.filter(used_at=None, revoked_at=None)
        unused.filter(selector=selector, expires_at__lte=now).update(revoked_at=now)
        for older in unused.filter(patient=patient):
            revoke(older, actor=actor)
        issued = ClaimCode.objects.create(
            patient=patient, selector=selector, digest=stored, days=life.days, issued_at=now, expires_at=now + life
        )
        audit.record(
            Action.CODE_ISSUED,
            actor=actor,
            facility_id=patient.facility_id,
            record_id=releases.record_of(patient.pk),
            claim_code=str(issued.pk),
        )
        if is_anew and not is_told:
            alarms.tell_of_code(issued)
    return issued


def revoke(code: ClaimCode, *, actor: Actor) -> None:
    """End a code that nobody has used. Twice changes nothing."""
    with transaction.atomic():
        unused = ClaimCode.objects.filter(pk=code.pk, used_at=None, revoked_at=None)
        if unused.update(revoked_at=timezone.now()):
            facility_id = code.patient.facility_id
            audit.record(Action.CODE_REVOKED, actor=actor, facility_id=facility_id, claim_code=str(code.pk))


def record_for(user: User, birth_date: date, whose: str = "") -> PatientRecord:
    """The record that images of somebody born on a day belong on: her own, or by initials that of one in her care.

    OtherBirthDate where she must say which; `whose` is ME or initials.
    """
    own = people.record_of(user)
    if whose and whose != ME:
        return people.record_in_care(user, whose, birth_date)
    if own.birth_date == birth_date:
        return own
    if own.birth_date is None and (whose == ME or not people.cares_for_somebody(user)):
        return own
    raise OtherBirthDate


def claim(user: User, code: str, birth_date: date, *, address: str, whose: str = "") -> Link:
    """Put the code's patient on the person's record: all that is released now and all that follows.

    Refuses as `proving.prove` does. A code that cannot be one, and a birth date that contradicts the person's own
    record, are refused before a try is spent. Whoever has claimed by this code already has her link again. Not for use
    within a transaction.
    """
    symbols = codes.tidy(code)
    if not codes.is_whole(symbols):
        raise ClaimRefused
    if not whose or whose == ME:
        record_for(user, birth_date, whose)  # before a try is spent
    found = proving.prove(symbols, birth_date, address=address, user=user)
    return take(found, record_for(user, birth_date, whose), user)


def take(code: ClaimCode, record: PatientRecord, user: User, *, secret: str = "") -> Link:
    """Use a proved code up, and link. CodeUsed when somebody else was quicker, or it ended meanwhile."""
    now = timezone.now()
    with transaction.atomic(durable=True):
        FacilityPatient.objects.select_for_update().get(pk=code.patient_id)
        mine = proving.open_codes(now).filter(proving.free_for(secret, now), pk=code.pk)
        if mine.update(used_at=now):
            link = _link(code.patient, record, user)
            audit.record(
                Action.CLAIMED,
                actor=Actor.person(user),
                facility_id=code.patient.facility_id,
                record_id=record.pk,
                claim_code=str(code.pk),
            )
            alarms.tell_of_claim(link)
            return link
    proving.note_refusal(user, code, "late")
    raise CodeUsed(code)


def _link(patient: FacilityPatient, record: PatientRecord, user: User) -> Link:
    """The patient's one live link. A facility that issues a new code after a claim says who the person really is,
    so the newer claim moves her there."""
    present = Link.objects.filter(patient=patient, ended_at=None).first()
    if present is not None and present.record_id == record.pk:
        return present
    if present is not None:
        unlink(present, actor=Actor.person(user))
    link = Link.objects.create(patient=patient, record=record, claimed_by=user)
    merging.follow(link)
    return link


def unlink(link: Link, *, actor: Actor) -> None:
    """Take a facility's patient off a record, and tell the record's owner. Twice changes nothing."""
    with transaction.atomic():
        if not Link.objects.filter(pk=link.pk, ended_at=None).update(ended_at=timezone.now()):
            return
        releases.end_looks(Study.objects.filter(patient=link.patient_id))
        merging.leave(link)
        facility_id = link.patient.facility_id
        audit.record(Action.UNLINKED, actor=actor, facility_id=facility_id, record_id=link.record_id)
        if link.record.user is not None:
            emails.unlinked(link.record.user)
