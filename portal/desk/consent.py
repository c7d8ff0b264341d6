"""What patients agree to, word for word; for administrators."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from portal.desk.opening import administrator
from sharing import consents


class ConsentForm(forms.Form):
    """The words, and how long they hold."""

    text = forms.CharField(
        label=gettext_lazy("What patients agree to"),
        max_length=consents.LONGEST,
        widget=forms.Textarea(attrs={"rows": 10}),
        help_text=gettext_lazy("It is read to them or signed at the desk. A change is a new version."),
    )
    lasts_days = forms.IntegerField(
        label=gettext_lazy("For how many days"), min_value=1, max_value=consents.MOST_DAYS, initial=365
    )


@require_http_methods(["GET", "HEAD", "POST"])
def consent(request: HttpRequest) -> HttpResponse:
    """The words in force. A POST puts others in force."""
    staff = administrator(request)
    present = consents.text_of(staff.facility)
    initial = {"text": present.text, "lasts_days": present.lasts_days} if present else None
    form = ConsentForm(request.POST) if request.method == "POST" else ConsentForm(initial=initial)
    if form.is_valid():
        asked = form.cleaned_data
        consents.write(staff.facility, asked["text"], lasts_days=asked["lasts_days"], actor=staff.actor)
        messages.success(request, _("Saved. Patients are asked by these words from now on."))
        return HttpResponseRedirect(reverse("desk_consent"), status=303)
    context = {"form": form, "present": present}
    return render(request, "desk/consent.html", context, status=422 if form.errors else 200)
