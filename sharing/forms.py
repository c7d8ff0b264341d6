"""The claim form."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.forms import BirthDateForm
from sharing import codes


class ClaimForm(BirthDateForm):
    """A code and a birth date. A mistyped code is told here, before it costs a try."""

    code = forms.CharField(
        label=_("Code"), max_length=40, widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"})
    )
    field_order = ["code", "birth_day", "birth_month", "birth_year"]

    def clean_code(self) -> str:
        """The code's 13 symbols. The check symbol tells slips of the finger from codes that are refused."""
        symbols = codes.tidy(self.cleaned_data["code"])
        if len(symbols) != codes.LENGTH:
            raise forms.ValidationError(_("A code has 13 letters and numbers, like K7QM-2XPA-09ZD-4."))
        if not codes.is_whole(symbols):
            raise forms.ValidationError(
                _("One letter or number does not fit. Please compare it with your letter once more.")
            )
        return symbols
