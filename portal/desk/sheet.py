"""The sheet of paper that is handed out: a code, and what to do with it, in the reader's language."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.safestring import SafeString

from sharing import codes
from sharing.models import ClaimCode
from sharing.qr import qr
from studies.models import FacilityPatient
from studies.names import initials


def sheet(patient: FacilityPatient, text: str, code: ClaimCode, *, language: str) -> SafeString:
    """The sheet as HTML. It carries neither the patient's name nor her birth date: whoever finds it has half a key."""
    context = {
        "language": language,
        "facility": patient.facility,
        "initials": initials(patient.name),
        "code": text,
        "qr": qr(claim_link(text)),
        "address": urlsplit(settings.PUBLIC_URL).netloc,  # short enough to type; its first page asks for the code
        "expires_at": code.expires_at,
    }
    with translation.override(language):
        return render_to_string("desk/sheet.html", context)


def claim_link(text: str) -> str:
    """The claim page with the code behind the #, where it reaches no server's log."""
    return f"{settings.PUBLIC_URL}{reverse('claim')}#{codes.tidy(text)}"
