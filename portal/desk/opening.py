"""When images open: a facility's rules, and what a new one would change. For its administrators."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST

from accounts import facilities
from accounts.errors import BadRequest, NotAllowed
from sharing import desk, opening_times, releases, rules
from sharing.access import Staff
from sharing.models import ReleaseRule
from studies.words import MODALITIES


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]
    """One rule: for which exams, when, and why."""

    modality = forms.ChoiceField(
        label=gettext_lazy("Kind of exam"),
        choices=[("", gettext_lazy("Any")), *((code, words) for code, words in MODALITIES.items())],
        required=False,
    )

    class Meta:
        model = ReleaseRule
        fields = (
            *("modality", "words", "youngest", "oldest"),
            *("images", "images_hours", "report", "report_hours", "reason"),
        )
        labels = {
            "words": gettext_lazy("Words in what the exam is called"),
            "youngest": gettext_lazy("Youngest age, in years"),
            "oldest": gettext_lazy("Oldest age, in years"),
            "images": gettext_lazy("Images open"),
            "images_hours": gettext_lazy("After how many hours"),
            "report": gettext_lazy("The report opens"),
            "report_hours": gettext_lazy("After how many hours"),
            "reason": gettext_lazy("Why it waits, as the patient reads it"),
        }
        help_texts = {"words": gettext_lazy("All of them must stand there. Empty: whatever it is called.")}

    def clean(self) -> dict[str, Any]:
        """What `rules.make` would refuse, said at the form."""
        found: dict[str, Any] = super().clean() or {}
        if not self.errors:
            try:
                rules.check(ReleaseRule(**found))
            except BadRequest as refused:
                raise forms.ValidationError(f"{refused.message} {refused.hint}") from refused
        return found


@require_http_methods(["GET", "HEAD", "POST"])
def opening(request: HttpRequest) -> HttpResponse:
    """The rules in force. A POST shows what a new one would change, and with `sure` puts it in force."""
    staff = administrator(request)
    form = RuleForm(request.POST if request.method == "POST" else None)
    drafted = form.save(commit=False) if form.is_valid() else None
    if drafted is not None and "sure" in request.POST:
        rules.make(staff.facility, actor=staff.actor, **form.cleaned_data)
        return _changed(request, staff)
    in_force = rules.in_force(staff.facility)
    context = {
        "rules": [{"rule": one, "words": opening_times.of_rule(one)} for one in in_force],
        "form": form,
        "drafted": opening_times.of_rule(drafted) if drafted else "",
        "would_move": releases.would_move(staff.facility, [*in_force, drafted]) if drafted else 0,
    }
    return render(request, "desk/opening.html", context, status=422 if form.errors else 200)


@require_POST
def end_rule(request: HttpRequest, rule_id: UUID) -> HttpResponse:
    """End a rule; what waited by it is decided anew."""
    staff = administrator(request)
    rules.end(staff.facility, rule_id, actor=staff.actor)
    return _changed(request, staff)


@require_POST
def put_first(request: HttpRequest, rule_id: UUID) -> HttpResponse:
    """Let a rule be asked before the others."""
    staff = administrator(request)
    rules.put_first(staff.facility, rule_id, actor=staff.actor)
    return _changed(request, staff)


def _changed(request: HttpRequest, staff: Staff) -> HttpResponse:
    moved = releases.reconsider_all(staff.facility)
    words = ngettext("Saved. %(count)s exam that waited moved.", "Saved. %(count)s exams that waited moved.", moved)
    messages.success(request, words % {"count": moved})
    return HttpResponseRedirect(reverse("desk_opening"), status=303)


def administrator(request: HttpRequest) -> Staff:
    """Who looks, if she administers her facility; NotAllowed for its other staff."""
    staff = desk.staff_for(request.user)
    if not facilities.administers(staff.user, staff.facility):
        raise NotAllowed
    return staff
