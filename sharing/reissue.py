"""A code that ended is made good: asked for in one tap, made at the desk in two."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.audit import Actor
from accounts.errors import Conflict
from accounts.models import User
from sharing import alarms, cases, claims, contacts, emails, releases
from sharing.models import Case
from studies.models import FacilityPatient


class NobodyOnFile(Conflict):
    """There is no address to write to."""

    code = "nobody_on_file"
    message = _("There is no e-mail address on file for this patient.")
    hint = _("Add one under Contact, or print the code and hand it out.")


def by_mail(case: Case, *, user: User, actor: Actor) -> None:
    """Send a new code to the contact on file, as a link, and answer whoever asked. NobodyOnFile without an address."""
    patient, contact = case.patient, contacts.of(case.patient)
    if contact is None or not contact.email:
        raise NobodyOnFile
    with transaction.atomic():
        code, issued = claims.issue(patient, actor=actor, is_told=True)
        with translation.override(contact.language or settings.LANGUAGE_CODE):
            emails.new_code(contact.email, patient.facility, code, not_me=alarms.link_about(issued))
            said = gettext("A new code is on its way to %(address)s.") % {"address": contacts.hinted(contact)}
        cases.answer(case, said, user=user, actor=actor)
    releases.release_ready(patient, actor=actor)  # after the commit: see claims.issue


def note_printed(patient: FacilityPatient, *, user: User, actor: Actor) -> None:
    """A code was handed out at the desk: whoever asked for one has her answer. In the caller's transaction."""
    for case in Case.objects.filter(patient=patient, kind=Case.Kind.CODE, closed_at=None):
        cases.answer(case, gettext("A new code was printed at the desk."), user=user, actor=actor)
