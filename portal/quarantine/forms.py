"""The forms of what waits for a check."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.desk.forms import RegisterForm
from studies.names import parts_of
from studies.quarantine import Said, Waiting, Why


class TakeInForm(forms.Form):
    """Nothing to fill in: how far the list went that the clerk has seen."""

    upto = forms.IntegerField(widget=forms.HiddenInput)


class LeaveOutForm(TakeInForm):
    """Why images are left out."""

    why = forms.ChoiceField(
        label=_("Why are they left out?"),
        choices=Why.choices,
        widget=forms.RadioSelect,
        error_messages={"required": _("Say why they are left out.")},
    )


def registering(waiting: Waiting, said: Said | None) -> RegisterForm:
    """The form of a new patient, filled with what the files say."""
    family, given = parts_of(said.patient_name if said else waiting.patient_name)
    known: dict[str, Any] = {"patient_id": waiting.patient_id, "family": family, "given": given}
    born = said.birth_date if said else waiting.birth_date
    if born:
        known |= {"birth_day": born.day, "birth_month": born.month, "birth_year": born.year}
    return RegisterForm(initial={**known, "issuer": waiting.issuer})
