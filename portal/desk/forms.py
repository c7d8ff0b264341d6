"""The forms of the desk."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts.errors import BadRequest
from accounts.forms import BirthDateForm
from accounts.models import Facility
from sharing import contacts
from sharing.desk import Document
from sharing.models import Consent, Contact, Release
from studies.models import FacilityPatient
from studies.names import parts_of, pn_of

PATIENT_ID = r"^[^\\\x00-\x1f]{1,64}\Z"  # a DICOM LO (PS3.5 §6.2)
ISSUER = r"^[^\\^=\x00-\x1f]*\Z"
QUIET = {"autocomplete": "off", "spellcheck": "false"}  # the browser remembers no patient


class SearchForm(forms.Form):
    """One box for whatever is at hand."""

    text = forms.CharField(
        label=_("Name, MRN, accession number or date of birth"),
        max_length=200,
        widget=forms.TextInput(attrs={**QUIET, "type": "search", "autofocus": True}),
    )

    def clean_text(self) -> str:
        """At least two letters or digits: one would list half the patients. A character may be a whole name."""
        text: str = self.cleaned_data["text"]
        if sum(letter.isalnum() for letter in text) < 2 and text.isascii():
            raise forms.ValidationError(_("Type at least two letters or numbers."))
        return text


class DetailsForm(BirthDateForm):
    """Who a patient is."""

    family = forms.CharField(label=_("Family name"), max_length=64, widget=forms.TextInput(attrs=QUIET))
    given = forms.CharField(label=_("Given names"), max_length=64, required=False, widget=forms.TextInput(attrs=QUIET))
    field_order = ["family", "given", "birth_day", "birth_month", "birth_year"]

    @classmethod
    def showing(cls, patient: FacilityPatient) -> DetailsForm:
        """The form filled with what is known."""
        family, given = parts_of(patient.name)
        born = patient.birth_date
        return cls(initial={"family": family, "given": given} | (_three(born) if born else {}))

    @property
    def name(self) -> str:
        """The name as a PN."""
        return pn_of(self.cleaned_data["family"], self.cleaned_data["given"])


class OnFileForm(forms.Form):
    """How a patient is reached."""

    email = forms.EmailField(label=_("E-mail"), required=False, widget=forms.EmailInput(attrs=QUIET))
    phone = forms.CharField(
        label=_("Mobile phone"),
        max_length=40,
        required=False,
        help_text=_("With the country, like +1 555 123 4567."),
        widget=forms.TextInput(attrs={**QUIET, "inputmode": "tel"}),
    )
    language = forms.ChoiceField(
        label=_("Language of letters"), choices=[("", _("Not said")), *settings.LANGUAGES], required=False
    )

    @classmethod
    def showing(cls, contact: Contact | None) -> OnFileForm:
        """The form filled with what is on file."""
        if contact is None:
            return cls()
        return cls(initial={"email": contact.email, "phone": contact.phone, "language": contact.language})

    def clean_phone(self) -> str:
        """A number that can be dialled from anywhere."""
        try:
            return contacts.number(self.cleaned_data["phone"])
        except BadRequest as refused:
            raise forms.ValidationError(refused.message) from refused


class AnswerForm(forms.Form):
    """What whoever asked will read."""

    answer = forms.CharField(
        label=_("Answer"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("The patient reads it."),
        error_messages={"required": _("Write an answer: the patient waits for it.")},
    )


class RegisterForm(DetailsForm):
    """A patient of whom nothing has arrived yet."""

    patient_id = forms.RegexField(
        PATIENT_ID,
        label=_("MRN"),
        help_text=_("Exactly as the scanner will send it, with leading zeros."),
        widget=forms.TextInput(attrs={**QUIET, "autofocus": True}),
    )
    issuer = forms.RegexField(
        ISSUER,
        label=_("Issuer of the MRN"),
        max_length=200,
        required=False,
        help_text=_("Only where your scanners name another one than usual."),
        widget=forms.TextInput(attrs=QUIET),
    )
    field_order = ["patient_id", "family", "given", "birth_day", "birth_month", "birth_year", "issuer"]


CONSENTS: Final = [
    ("signed-later", _("Signed: these exams, and those that come later")),
    ("signed-once", _("Signed: these exams only")),
    ("spoken-later", _("Said at the desk: these exams, and those that come later")),
    ("spoken-once", _("Said at the desk: these exams only")),
]


class HandOutForm(forms.Form):
    """What must be true before a code is printed, and in which language it is explained."""

    document = forms.ChoiceField(label=_("Identity seen"), choices=Document.choices, widget=forms.RadioSelect)
    language = forms.ChoiceField(label=_("Language of the sheet"), choices=settings.LANGUAGES, widget=forms.RadioSelect)
    replacing = forms.UUIDField(required=False, widget=forms.HiddenInput)
    consent = forms.ChoiceField(label=_("What the patient agrees to"), choices=CONSENTS, widget=forms.RadioSelect)

    def __init__(self, *args: Any, is_asked: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not is_asked:
            del self.fields["consent"]

    @property
    def agreed(self) -> tuple[Consent.Method, bool] | None:
        """How the patient agreed, and whether to later exams too; None where she was not asked."""
        said = self.cleaned_data.get("consent", "")
        if not said:
            return None
        method, _dash, scope = said.partition("-")
        return Consent.Method(method), scope == "later"


class UrgencyForm(forms.Form):
    """How one exam is sent."""

    urgency = forms.ChoiceField(choices=Release.Urgency.choices, required=False)


class WithdrawForm(forms.Form):
    """Why an exam is taken back."""

    reason = forms.CharField(
        label=_("Why is it withdrawn?"),
        help_text=_("Only your facility's staff read this."),
        max_length=400,
        error_messages={"required": _("Say why it is withdrawn.")},
        widget=forms.TextInput(attrs=QUIET),
    )


class ContactForm(forms.Form):
    """How patients reach the facility."""

    phone = forms.CharField(label=_("Phone"), max_length=40, required=False)
    hours = forms.CharField(
        label=_("Opening hours"),
        max_length=200,
        required=False,
        help_text=_("In words, for example: Monday to Friday, 8 to 18"),
    )

    @classmethod
    def showing(cls, facility: Facility) -> ContactForm:
        """The form filled with what is known."""
        return cls(initial={"phone": facility.phone, "hours": facility.hours})


def _three(born: date) -> dict[str, Any]:
    return {"birth_day": born.day, "birth_month": born.month, "birth_year": born.year}
