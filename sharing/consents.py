"""What patients agreed to: by which words, whether for later exams too, how, and until when.

A facility that has written no text asks nobody. Where it has, exams that come later are offered by themselves only
while the patient agrees to that; she takes it back on-line, and what she has stays hers.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Max, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.audit import Action, Actor
from accounts.errors import BadRequest, NotFound
from accounts.models import Facility, User
from sharing import access
from sharing.models import Consent, ConsentText, Link
from studies.models import FacilityPatient

LONGEST: Final = 5000
MOST_DAYS: Final = 3650


def text_of(facility: Facility) -> ConsentText | None:
    """The words in force; None where nobody is asked."""
    return ConsentText.objects.filter(facility=facility).order_by("-version").first()


def write(facility: Facility, text: str, *, lasts_days: int, actor: Actor) -> ConsentText:
    """Put words in force, as a new version; the same again changes nothing. BadRequest for none, or for a life of less
    than a day or more than ten years."""
    said, present = text.strip(), text_of(facility)
    if not said or len(said) > LONGEST or not 1 <= lasts_days <= MOST_DAYS:
        raise BadRequest(_("Write what patients agree to, and for how many days."), hint=_("1 to 3,650 days."))
    if present and (present.text, present.lasts_days) == (said, lasts_days):
        return present
    with transaction.atomic():
        Facility.objects.select_for_update().get(pk=facility.pk)
        last = ConsentText.objects.filter(facility=facility).aggregate(last=Max("version"))["last"] or 0
        made = ConsentText.objects.create(facility=facility, version=last + 1, text=said, lasts_days=lasts_days)
        audit.record(Action.CONSENT_WRITTEN, actor=actor, facility_id=facility.pk, way="desk", version=made.version)
    return made


def valid(patient: FacilityPatient) -> Consent | None:
    """What a patient agrees to now; None for nothing."""
    standing = Consent.objects.filter(_stands(), patient=patient).select_related("text")
    return standing.order_by("-given_at").first()


def newest(patient: FacilityPatient) -> Consent | None:
    """What she agreed to last, whatever became of it."""
    return Consent.objects.filter(patient=patient).select_related("text").order_by("-given_at").first()


def is_asked(patient: FacilityPatient) -> ConsentText | None:
    """The words to be agreed to, where that is still to be done."""
    return None if valid(patient) else text_of(patient.facility)


def give(
    patient: FacilityPatient, text: ConsentText, method: Consent.Method, *, later_too: bool, user: User, actor: Actor
) -> Consent:
    """Write down at the desk that a patient agrees. In the caller's transaction."""
    ends = timezone.now() + timedelta(days=text.lasts_days)
    given = Consent.objects.create(
        patient=patient, text=text, method=method, later_too=later_too, taken_by=user, expires_at=ends
    )
    _note(Action.CONSENT_GIVEN, given, actor)
    return given


def of(user: User) -> list[Consent]:
    """What was agreed to for records of hers and in her care, the newest first."""
    links = Link.objects.filter(record__in=access.records_of(user), ended_at=None)
    hers = Consent.objects.filter(patient__in=links.values("patient"))
    return list(hers.select_related("text", "patient__facility").order_by("-given_at"))


def withdraw(user: User, consent_id: UUID) -> None:
    """She takes it back: exams that come later stop at once. NotFound for what is not hers; twice changes nothing."""
    consent = next((one for one in of(user) if one.pk == consent_id), None)
    if consent is None:
        raise NotFound
    with transaction.atomic():
        if Consent.objects.filter(pk=consent.pk, withdrawn_at=None).update(withdrawn_at=timezone.now()):
            _note(Action.CONSENT_WITHDRAWN, consent, Actor.person(user))


def _stands() -> Q:
    return Q(withdrawn_at=None, expires_at__gt=timezone.now())


def _note(action: Action, consent: Consent, actor: Actor) -> None:
    link = Link.objects.filter(patient=consent.patient_id, ended_at=None).first()
    audit.record(
        action,
        actor=actor,
        facility_id=consent.patient.facility_id,
        record_id=link.record_id if link else None,
        way="page",
        version=consent.text.version,
        later_too=consent.later_too,
    )
