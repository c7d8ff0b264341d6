"""“Something is missing or wrong”: a patient asks her facility, and reads what it answers."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.audit import Actor
from accounts.models import User
from sharing import access, cases
from sharing.forms import QuestionForm
from sharing.models import Case
from studies import catalog


@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Say what is missing or wrong about an exam that one keeps."""
    user = cast(User, request.user)
    study = access.kept_study(user, study_id)
    form = QuestionForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        actor = Actor.person(user)
        cases.open_case(Case.Kind.PROBLEM, study.patient, actor=actor, user=user, text=form.said, study=study)
        messages.success(request, _("It is with them now. You will find the answer here."))
        return HttpResponseRedirect(reverse("questions"), status=303)
    context = {"form": form, "study": study, "title": catalog.title(study), "facility": study.facility}
    return render(request, "sharing/ask_facility.html", context, status=422 if form.errors else 200)


@require_safe
def questions(request: HttpRequest) -> HttpResponse:
    """What one has asked, and the answers."""
    asked = list(cases.asked_by(cast(User, request.user))[:100])
    rows = [{"case": case, "title": catalog.title(case.study) if case.study else ""} for case in asked]
    return render(request, "sharing/questions.html", {"rows": rows})
