"""The forms of claiming and lending."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID

from allauth.account.adapter import get_adapter
from django import forms
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.forms import BirthDateForm
from accounts.models import User
from sharing import codes, drafts, links, openings, wording
from sharing.models import Grant
from studies.catalog import SeriesView
from studies.models import Study

SCOPES: Final = [
    (Grant.Scope.CHOSEN, _("Only these")),
    (Grant.Scope.ALL, _("All that are here today")),
    (Grant.Scope.ALL_AND_LATER, _("All, and those that come later")),
]
BY: Final = [
    (Grant.Kind.EMAIL, _("By e-mail: they sign in, so that nobody else can look")),
    (Grant.Kind.LINK, _("By a link, or on a sheet of paper: they need no account")),
]
OTHER_DAY: Final = "other"
APPOINTMENT: Final = "appointment"
AFTER_APPOINTMENT: Final = 30  # days
PERIODS: Final = {"7": _("1 week"), "30": _("30 days"), "90": _("3 months")}


def _whole(code: str) -> str:
    symbols = codes.tidy(code)
    if len(symbols) != codes.LENGTH:
        raise forms.ValidationError(_("A code has 13 letters and numbers, like K7QM-2XPA-09ZD-4."))
    if not codes.is_whole(symbols):
        raise forms.ValidationError(
            _("One letter or number does not fit. Please compare it with your letter once more.")
        )
    return symbols


class ClaimForm(BirthDateForm):
    """A code and a birth date. A mistyped code is told here, before it costs a try."""

    code = forms.CharField(
        label=_("Code"), max_length=40, widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"})
    )
    field_order = ["code", "birth_day", "birth_month", "birth_year"]

    @property
    def whose(self) -> str:
        """Whose images she says these are, where she was asked: her own, or initials."""
        return " ".join(str(self.data.get("whose", "")).split())[:40]

    def clean_code(self) -> str:
        """The code's 13 symbols. The check symbol tells slips of the finger from codes that are refused."""
        return _whole(self.cleaned_data["code"])


class StartForm(forms.Form):
    """An account for whoever has proved a code: the birth date is known already."""

    name = forms.CharField(label=_("Your name"), max_length=200, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    email = forms.EmailField(label=_("E-mail"), widget=forms.EmailInput(attrs={"autocomplete": "email"}))
    password = forms.CharField(
        label=_("Choose a password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("At least 12 characters. Four words that only you would put together are good."),
    )
    initials = forms.CharField(
        label=_("Initials of the child, or of whom you care for"),
        max_length=40,
        required=False,
        help_text=_("Only if the images are not yours. You will find them under these initials."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def clean_password(self) -> str:
        """By the site's own rules: not her address either."""
        user = User(email=self.cleaned_data.get("email", ""))
        password: str = get_adapter().clean_password(self.cleaned_data["password"], user=user)
        return password


class QuestionForm(forms.Form):
    """What is missing or wrong, by choice and in one's own words."""

    about = forms.ChoiceField(
        label=_("What is it?"),
        choices=[
            ("pictures", _("Pictures are missing")),
            ("report", _("The report is missing")),
            ("person", _("These are not my images")),
            ("else", _("Something else")),
        ],
        widget=forms.RadioSelect,
    )
    text = forms.CharField(
        label=_("In your words"),
        max_length=1800,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("What you expected, and what you see. The facility reads it, nobody else."),
    )

    @property
    def said(self) -> str:
        """Both as the desk reads them."""
        chosen = dict(self.fields["about"].choices)[self.cleaned_data["about"]]  # type: ignore[attr-defined]
        return "\n".join(str(part) for part in (chosen, self.cleaned_data["text"].strip()) if part)


class DayInput(forms.DateInput):
    """The browser's own calendar, which offers the days on which sharing may end."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")

    def build_attrs(self, base_attrs: dict[str, Any], extra_attrs: dict[str, Any] | None = None) -> dict[str, Any]:
        """The days are counted at each showing, for a field lives as long as the process."""
        today = timezone.localdate()
        last = today + drafts.LONGEST - timedelta(days=1)
        return super().build_attrs({**base_attrs, "min": str(today), "max": str(last)}, extra_attrs)


def _after(days: int) -> datetime:
    return wording.end_of(timezone.localdate() + timedelta(days=days))


def _periods() -> list[tuple[str, str]]:
    until = gettext("until")
    ends = [(days, f"{words}, {until} {wording.moment(_after(int(days)))}") for days, words in PERIODS.items()]
    after = gettext("Until %(days)d days after my appointment") % {"days": AFTER_APPOINTMENT}
    return [*ends, (APPOINTMENT, after), (OTHER_DAY, gettext("Another day"))]


class LendForm(forms.Form):
    """Three decisions: whom, what with which rights, until when. A note if she likes.

    `key` makes the form one deed, however often it is sent.
    """

    by = forms.ChoiceField(label=_("How do they get in?"), choices=BY, widget=forms.RadioSelect, initial="email")
    whom = forms.CharField(
        label=_("Whom is it for?"),
        max_length=drafts.WHOM_LENGTH,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_("For your own list; nobody else reads it."),
    )
    passcode = forms.BooleanField(label=_("Ask for a passcode"), required=False, initial=True)
    most_openings = forms.IntegerField(
        label=_("How many people or devices may open it, at most?"),
        min_value=1,
        max_value=links.MOST_OPENINGS,
        required=False,
        help_text=_("Leave it empty if that does not matter."),
    )
    email = forms.EmailField(
        label=_("E-mail address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off", "list": "known"}),
        help_text=_("A letter with the way in goes there. They need no account yet."),
    )
    scope = forms.ChoiceField(
        label=_("Which exams"), choices=SCOPES, widget=forms.RadioSelect, initial=Grant.Scope.CHOSEN
    )
    studies = forms.TypedMultipleChoiceField(
        label=_("Exams"), coerce=UUID, required=False, widget=forms.CheckboxSelectMultiple
    )
    series = forms.TypedMultipleChoiceField(
        label=_("Only some of its series"), coerce=UUID, required=False, widget=forms.CheckboxSelectMultiple
    )
    report = forms.BooleanField(label=_("Read the report"), required=False, initial=True)
    download = forms.BooleanField(label=_("Download everything"), required=False)
    period = forms.ChoiceField(label=_("Until when"), choices=_periods, widget=forms.RadioSelect, initial="30")
    appointment = forms.DateField(label=_("Day of the appointment"), required=False, widget=DayInput)
    until = forms.DateField(label=_("Last day"), required=False, widget=DayInput)
    starts = forms.DateField(label=_("First day, if it is not today"), required=False, widget=DayInput)
    purpose = forms.ChoiceField(
        label=_("What is it for?"), required=False, choices=[("", _("I would rather not say")), *Grant.Purpose.choices]
    )
    tell_each = forms.BooleanField(label=_("Tell me by e-mail each time they look"), required=False)
    note = forms.CharField(
        label=_("A note to go with it"),
        max_length=drafts.NOTE_LENGTH,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Shown on the page with the images, never in the letter."),
    )
    key = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(
        self,
        answers: QueryDict | None,
        lendable: Sequence[Study],
        chosen: Sequence[UUID] = (),
        series: Sequence[SeriesView] = (),
    ) -> None:
        """`series` are those of the one exam that is chosen, where it is one."""
        super().__init__(answers, initial={"studies": list(chosen), "key": uuid.uuid4()})
        self.fields["email"].required = answers is None or answers.get("by") != Grant.Kind.LINK
        studies = cast(forms.TypedMultipleChoiceField, self.fields["studies"])
        studies.choices = [(study.pk, wording.exam(study)) for study in lendable]
        parts = cast(forms.TypedMultipleChoiceField, self.fields["series"])
        parts.choices = [(one.id, one.title) for one in series] if len(series) > 1 else []

    def clean(self) -> dict[str, Any]:
        """What no single field can say: which exams, and until which moment."""
        super().clean()
        found = self.cleaned_data
        if found.get("scope") == Grant.Scope.CHOSEN and not found.get("studies") and "studies" not in self.errors:
            self.add_error("studies", _("Choose at least one exam."))
        if found.get("period") and not {"until", "appointment"} & set(self.errors):
            self._end(found["period"])
        if found.get("starts") and found.get("expires_at"):
            self._start(found["starts"], found["expires_at"])
        return found

    def _end(self, period: str) -> None:
        """The last second of the last day, by whichever of the periods is chosen."""
        field = {OTHER_DAY: "until", APPOINTMENT: "appointment"}.get(period, "until")
        day: date | None = self.cleaned_data.get(field)
        if period in PERIODS:
            end = _after(int(period))
        elif day is None:
            self.add_error(field, _("Choose the day."))
            return
        else:
            end = wording.end_of(day + timedelta(days=AFTER_APPOINTMENT if period == APPOINTMENT else 0))
        if not timezone.now() < end <= timezone.now() + drafts.LONGEST:
            self.add_error(field, _("Choose a day from today on, within a year."))
        self.cleaned_data["expires_at"] = end

    def _start(self, day: date, end: datetime) -> None:
        start = wording.start_of(day)
        if start >= end:
            self.add_error("starts", _("The first day lies after the last one."))
        self.cleaned_data["starts_at"] = max(start, timezone.now())

    @property
    def wanted(self) -> dict[str, Any]:
        """What `drafts.draft` takes, and with it `grants.grant` and `links.make`."""
        found = self.cleaned_data
        asked = [(drafts.VIEW, True), (drafts.REPORT, found["report"]), (drafts.DOWNLOAD, found["download"])]
        return {
            "studies": found["studies"] if found["scope"] == Grant.Scope.CHOSEN else found["scope"],
            "series": found["series"] if found["scope"] == Grant.Scope.CHOSEN else (),
            **({"whom": found["whom"]} if self.is_by_link else {"email": found["email"]}),
            "rights": [right for right, is_asked in asked if is_asked],
            "expires_at": found["expires_at"],
            **({"starts_at": found["starts_at"]} if "starts_at" in found else {}),
            "purpose": found["purpose"],
            "note": found["note"],
            "tell_each": found["tell_each"],
        }

    @property
    def is_by_link(self) -> bool:
        """Whether whoever has the link may look."""
        return bool(self.cleaned_data["by"] == Grant.Kind.LINK)

    @property
    def of_link(self) -> dict[str, Any]:
        """What `links.make` takes besides."""
        found = self.cleaned_data
        return {"passcode": found["passcode"], "most_openings": found["most_openings"]}

    @property
    def answers(self) -> list[tuple[str, str]]:
        """Everything that was filled in, to be sent along with the second step."""
        sent = cast(QueryDict, self.data)
        return [(name, value) for name in self.fields for value in sent.getlist(name)]


class MoreForm(forms.Form):
    """More exams for what is shared already."""

    studies = forms.TypedMultipleChoiceField(label=_("Exams"), coerce=UUID, widget=forms.CheckboxSelectMultiple)
    report = forms.BooleanField(label=_("They may read the reports, too"), required=False)

    def __init__(self, answers: QueryDict | None, addable: Iterable[Study]) -> None:
        super().__init__(answers)
        studies = cast(forms.TypedMultipleChoiceField, self.fields["studies"])
        studies.choices = [(study.pk, wording.exam(study)) for study in addable]


class EndForm(forms.Form):
    """Another end for what is shared already."""

    until = forms.DateField(label=_("Last day"), widget=DayInput)

    @classmethod
    def showing(cls, grant: Grant) -> EndForm:
        """The form with its present end; a page has one for each grant, so each has ids of its own."""
        return cls(auto_id=f"end-{grant.pk}-%s", initial={"until": timezone.localdate(grant.expires_at)})


class AcceptForm(forms.Form):
    """What an account of a physician needs, besides the address that her letter has proved."""

    name = forms.CharField(label=_("Your name"), max_length=200, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    practice = forms.CharField(
        label=_("Practice or hospital"),
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    password = forms.CharField(
        label=_("Choose a password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("At least 12 characters. Four words that only you would put together are good."),
    )

    def __init__(self, answers: QueryDict | None, email: str) -> None:
        super().__init__(answers)
        self.user = User(email=email)

    def clean_password(self) -> str:
        """By the site's own rules: not her address either."""
        password: str = get_adapter().clean_password(self.cleaned_data["password"], user=self.user)
        return password


class CodeForm(forms.Form):
    """The code from a sheet of paper, and the passcode that was told with it."""

    code = forms.CharField(
        label=_("Code"),
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}),
        help_text=_("13 letters and numbers. Capitals and dashes do not matter."),
    )
    passcode = forms.CharField(
        label=_("Passcode"),
        max_length=20,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "numeric"}),
        help_text=_("Six digits, if you were told any."),
    )

    def clean_code(self) -> str:
        """The code's 13 symbols, with the same words for a slip of the finger as for a claim."""
        return _whole(self.cleaned_data["code"])


class WhoForm(forms.Form):
    """Who somebody says she is that opened a link. All of it is hers to leave out."""

    name = forms.CharField(
        label=_("Your name"), max_length=200, required=False, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    practice = forms.CharField(
        label=_("Practice or hospital"),
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    npi = forms.CharField(
        label=_("NPI"),
        max_length=20,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "numeric"}),
        help_text=_("In the United States: ten digits."),
    )

    def clean_npi(self) -> str:
        """Ten digits whose last one fits."""
        digits = "".join(self.cleaned_data["npi"].split())
        if digits and not openings.is_npi(digits):
            raise forms.ValidationError(_("This is not an NPI: a digit does not fit, or some are missing."))
        return digits
