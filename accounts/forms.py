"""Forms about a person: her birth date in three fields, sign-up, her details."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dates import MONTHS
from django.utils.translation import gettext_lazy as _

from accounts.models import PatientRecord, User

OLDEST_YEAR = 1880
DATE_FIELDS = ("birth_day", "birth_month", "birth_year")


class BirthDateForm(forms.Form):
    """A birth date in three fields: no picker to scroll through eighty years, and no order to guess.

    A whole date comes out as `cleaned_data["birth_date"]`.
    """

    birth_day = forms.IntegerField(
        label=_("Day of birth"),
        min_value=1,
        max_value=31,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "bday-day", "size": 2}),
    )
    birth_month = forms.TypedChoiceField(
        label=_("Month of birth"),
        choices=[("", _("Month")), *MONTHS.items()],
        coerce=int,
        widget=forms.Select(attrs={"autocomplete": "bday-month"}),
    )
    birth_year = forms.IntegerField(
        label=_("Year of birth"),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "bday-year", "size": 4}),
    )

    def clean_birth_year(self) -> int:
        """Four digits: nobody guesses a century, and nobody is born tomorrow."""
        year: int = self.cleaned_data["birth_year"]
        if not OLDEST_YEAR <= year <= timezone.localdate().year:
            raise forms.ValidationError(_("Type the year with four digits, for example 1980."))
        return year

    def clean(self) -> dict[str, Any]:
        """Join the three fields into `birth_date`."""
        super().clean()
        found = self.cleaned_data
        if {"birth_year", "birth_month", "birth_day"} <= found.keys():
            self._join(found["birth_year"], found["birth_month"], found["birth_day"])
        return found

    @property
    def birth_date_errors(self) -> list[str]:
        """What is wrong with the three fields, each sentence once: an empty date is one mistake, not three."""
        said = (str(error) for name in DATE_FIELDS for error in self.errors.get(name, []))
        return list(dict.fromkeys(said))

    def _join(self, year: int, month: int, day: int) -> None:
        try:
            birth_date = date(year, month, day)
        except ValueError:
            self.add_error("birth_day", _("That month does not have so many days."))
            return
        if birth_date > timezone.localdate():
            self.add_error("birth_day", _("That day is still to come."))
            return
        self.cleaned_data["birth_date"] = birth_date


class SignupForm(BirthDateForm):
    """What sign-up asks besides address and password. allauth puts its own fields in by inheriting from this."""

    name = forms.CharField(label=_("Your name"), max_length=200, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    field_order = ["name", "birth_day", "birth_month", "birth_year", "email", "password1"]

    def signup(self, request: HttpRequest, user: User) -> None:
        """Asked for by allauth; `AccountAdapter.save_user` has opened the record already, in one transaction."""


class DetailsForm(BirthDateForm):
    """What a person says of herself, to correct."""

    name = forms.CharField(
        label=_("Your name"),
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    field_order = ["name", "birth_day", "birth_month", "birth_year"]

    @classmethod
    def showing(cls, record: PatientRecord) -> DetailsForm:
        """The form filled with what the record holds now."""
        born = record.birth_date
        initial: dict[str, Any] = {"name": record.name}
        if born is not None:
            initial |= {"birth_day": born.day, "birth_month": born.month, "birth_year": born.year}
        return cls(initial=initial)
