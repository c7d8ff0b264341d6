"""Claims: a code on paper puts a facility's patient on a person's record, once."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import audit, people, throttle
from accounts.audit import Action, Actor
from accounts.errors import BadRequest, PortalError
from accounts.models import PatientRecord, User
from sharing import alarms, codes, emails, releases
from sharing.models import ClaimCode, Link
from studies.models import FacilityPatient, Study

LIFETIME_CAP: Final = 10  # wrong tries that a code survives
PER_ACCOUNT: Final = 20  # tries an hour
PER_NETWORK: Final = 100  # tries an hour from one address; families and clinics share one
HOUR: Final = timedelta(hours=1)
MOST_DAYS: Final = 90


class ClaimRefused(PortalError):
    """One answer for every code that does not claim: wrong, unknown, used, ended, or for another birth date."""

    status, code = 422, "claim_refused"
    message = _("This code and birth date do not go together, or the code is no longer good.")
    hint = _("Compare both with your letter. A code works once and ends; the facility can make a new one at once.")


class OtherBirthDate(PortalError):
    """The birth date typed is not the one on the person's own record. Costs no try and tells nothing of any code."""

    status, code = 422, "other_birth_date"
    message = _("This birth date differs from the one in your account.")
    hint = _("If your account has it wrong, correct it under Account. Images of another person need her own account.")


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
            patient=patient, selector=selector, digest=stored, issued_at=now, expires_at=now + life
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


def claim(user: User, code: str, birth_date: date, *, address: str) -> Link:
    """Put the code's patient on the person's record: all that is released now and all that follows.

    ClaimRefused for every failure, after the same work; TooManyTries beyond a rate. A code that cannot be one, and a
    birth date that contradicts the person's own record, are refused before a try is spent. Not for use within a
    transaction: tries and refusals must stand whatever happens after them.
    """
    symbols = codes.tidy(code)
    if not codes.is_whole(symbols):
        raise ClaimRefused
    record = people.record_of(user)
    if record.birth_date not in (None, birth_date):
        raise OtherBirthDate
    found = _spend_try(user, codes.selector(symbols), address)
    # Exactly one argon2, whether or not there is anything to compare with: the time must not tell.
    fits = codes.matches(symbols, found.digest if found else codes.dummy_digest())
    link = _take(found, record, user) if found and fits and found.patient.birth_date == birth_date else None
    if link is None:
        _note_refusal(user, record, found, fits=fits)
        raise ClaimRefused
    return link


def _spend_try(user: User, selector: str, address: str) -> ClaimCode | None:
    """Count the try everywhere before anything is compared, so that parallel tries cannot pass a cap.

    Returns the open code with that selector, or None. One transaction either way, so both cost one commit.
    """
    with transaction.atomic(durable=True):
        throttle.hit("claim by account", str(user.pk), cap=PER_ACCOUNT, within=HOUR)
        throttle.hit("claim from network", throttle.network_of(address), cap=PER_NETWORK, within=HOUR)
        open_codes = _open(timezone.now()).filter(selector=selector)
        spent = open_codes.filter(wrong_tries__lt=LIFETIME_CAP).update(wrong_tries=F("wrong_tries") + 1)
        found = open_codes.select_related("patient").first()
    return found if spent else None


def _open(now: datetime) -> QuerySet[ClaimCode]:
    return ClaimCode.objects.filter(used_at=None, revoked_at=None, expires_at__gt=now)


def _take(code: ClaimCode, record: PatientRecord, user: User) -> Link | None:
    """Use the code up and link; None when somebody else was quicker or the code ended meanwhile."""
    now = timezone.now()
    with transaction.atomic(durable=True):
        FacilityPatient.objects.select_for_update().get(pk=code.patient_id)
        mine = _open(now).filter(pk=code.pk)
        if not mine.update(used_at=now, wrong_tries=F("wrong_tries") - 1):  # this try was not a wrong one
            return None
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


def _link(patient: FacilityPatient, record: PatientRecord, user: User) -> Link:
    """The patient's one live link. A facility that issues a new code after a claim says who the person really is,
    so the newer claim moves her there."""
    present = Link.objects.filter(patient=patient, ended_at=None).first()
    if present is not None and present.record_id == record.pk:
        return present
    if present is not None:
        unlink(present, actor=Actor.person(user))
    return Link.objects.create(patient=patient, record=record, claimed_by=user)


def unlink(link: Link, *, actor: Actor) -> None:
    """Take a facility's patient off a record, and tell the record's owner. Twice changes nothing."""
    with transaction.atomic():
        if not Link.objects.filter(pk=link.pk, ended_at=None).update(ended_at=timezone.now()):
            return
        releases.end_looks(Study.objects.filter(patient=link.patient_id))
        facility_id = link.patient.facility_id
        audit.record(Action.UNLINKED, actor=actor, facility_id=facility_id, record_id=link.record_id)
        if link.record.user is not None:
            emails.unlinked(link.record.user)


def _note_refusal(user: User, record: PatientRecord, found: ClaimCode | None, *, fits: bool) -> None:
    """The refusal's own event, in a transaction of its own: nothing that follows can undo it."""
    reason = "unknown" if found is None else "birth_date or late" if fits else "verifier"
    with transaction.atomic(durable=True):
        audit.record(
            Action.CLAIM_REFUSED,
            actor=Actor.person(user),
            facility_id=found.patient.facility_id if found else None,
            record_id=record.pk,
            reason=reason,
        )
