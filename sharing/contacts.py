"""How a facility reaches a patient: what it has on file, and nobody else changes."""

from __future__ import annotations

import re
from typing import Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.audit import Action, Actor
from accounts.errors import BadRequest
from sharing import emails, releases
from sharing.models import Contact
from studies.models import FacilityPatient

PHONE: Final = re.compile(r"\+[1-9][0-9]{6,14}")  # ITU-T E.164
_BETWEEN_DIGITS: Final = re.compile(r"[\s().\u2010-\u2015/-]")


def of(patient: FacilityPatient) -> Contact | None:
    """What is on file; None where nothing is."""
    return Contact.objects.filter(patient=patient).first()


def keep(patient: FacilityPatient, *, email: str, phone: str, language: str, actor: Actor) -> Contact:
    """Put on file how a patient is reached, all of it anew; BadRequest for what is no address or number."""
    said = {"email": _address(email), "phone": number(phone), "language": language}
    with transaction.atomic():
        contact, created = Contact.objects.select_for_update().get_or_create(patient=patient, defaults=said)
        if contact.email and contact.email != said["email"]:
            _tell_the_old_one(contact)
        changed = [name for name, value in said.items() if getattr(contact, name) != value]
        if changed:
            Contact.objects.filter(pk=patient.pk).update(**said, changed_at=timezone.now())
        if created or changed:
            audit.record(
                Action.CONTACT_KEPT,
                actor=actor,
                facility_id=patient.facility_id,
                record_id=releases.record_of(patient.pk),
                way="desk",
                patient=str(patient.pk),
            )
    contact.refresh_from_db()
    return contact


def hinted(contact: Contact | None) -> str:
    """Enough to know one's own mailbox by, and too little to write to: m…@example.org; "" for none."""
    if contact is None or not contact.email:
        return ""
    name, _at, host = contact.email.partition("@")
    return f"{name[:1]}…@{host}"


def _tell_the_old_one(contact: Contact) -> None:
    """Whoever changes an address could have a code sent to it: who has been there until now hears of it."""
    with translation.override(contact.language or settings.LANGUAGE_CODE):
        emails.contact_changed(contact.email, contact.patient.facility)


def _address(said: str) -> str:
    address = said.strip().lower()
    if address:
        try:
            validate_email(address)
        except ValidationError as error:
            raise BadRequest(_("This is no e-mail address."), hint=_("Write it like name@example.org.")) from error
    return address


def number(said: str) -> str:
    """A phone number as it is dialled from anywhere; BadRequest for what is none."""
    number = _BETWEEN_DIGITS.sub("", said)
    if number and not PHONE.fullmatch(number):
        raise BadRequest(_("This is no phone number."), hint=_("Write it with the country, like +1 555 123 4567."))
    return number
