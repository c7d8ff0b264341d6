"""Questions to the facility: what waits, and one of them with what is known, to be answered."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.errors import Conflict
from portal.desk.forms import AnswerForm, OnFileForm
from portal.desk.rows import CodeView, PatientRow
from sharing import contacts, deciding, desk, disagreements, notices
from sharing.deciding import Verdict
from sharing.models import Case
from studies import catalog

page = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
def questions(request: HttpRequest) -> HttpResponse:
    """Everything that waits for an answer, the oldest first."""
    rows = [_row(case) for case in deciding.waiting_at(desk.staff_for(request.user))]
    return render(request, "desk/questions.html", {"rows": rows})


@page
def question(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """One question with what is known of its patient. A POST answers it, and does what the button says."""
    staff = desk.staff_for(request.user)
    case = deciding.question_for(staff, case_id)
    verdict = Verdict(request.POST.get("verdict", Verdict.ANSWER)) if _is_verdict(request) else None
    form = AnswerForm(request.POST if verdict not in (None, Verdict.MAIL) else None)
    refused: Conflict | None = None
    if verdict is Verdict.MAIL or (verdict and form.is_valid()):
        try:
            deciding.decide(staff, case, verdict, form.cleaned_data["answer"] if form.is_bound else "")
            messages.success(request, _("Answered."))
            return HttpResponseRedirect(reverse("desk_questions"), status=303)
        except Conflict as refusal:
            refused = refusal
    status = refused.status if refused else 422 if form.errors else 200
    return render(request, "desk/question.html", {**_about(case), "form": form, "refused": refused}, status=status)


@page
def on_file(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """How the patient is reached, and what she was told so far."""
    staff = desk.staff_for(request.user)
    patient = desk.patient_for(staff, patient_id)
    form = OnFileForm(request.POST) if request.method == "POST" else OnFileForm.showing(contacts.of(patient))
    if form.is_valid():
        desk.keep_contact(staff, patient, **form.cleaned_data)
        messages.success(request, _("Saved."))
        return HttpResponseRedirect(reverse("desk_contact", args=[patient.pk]), status=303)
    context = {
        "form": form,
        "patient": PatientRow.of(patient),
        "told": list(notices.of(patient)[:20]),
        "bounced": notices.bounced(patient),
    }
    return render(request, "desk/on_file.html", context, status=422 if form.errors else 200)


@require_POST
def tell_again(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """The last notice once more, to the address that is on file now."""
    patient = desk.patient_for(desk.staff_for(request.user), patient_id)
    told = notices.of(patient).first()
    if told is not None and notices.again(told):
        messages.success(request, _("It is on its way again."))
    else:
        messages.warning(request, _("There is nobody to tell: no address is on file, or no code is out."))
    return HttpResponseRedirect(reverse("desk_contact", args=[patient.pk]), status=303)


@page
def undo_claim(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """GET asks whether; POST takes the images out of the account that they went to."""
    staff = desk.staff_for(request.user)
    patient = desk.patient_for(staff, patient_id)
    if request.method == "POST":
        desk.undo_claim(staff, patient)
        messages.success(request, _("Undone. Nobody outside your facility sees these images now."))
        return HttpResponseRedirect(reverse("desk_patient", args=[patient.pk]), status=303)
    context = {"patient": PatientRow.of(patient), "code": CodeView.of(desk.standing_of(patient))}
    return render(request, "desk/undo.html", context)


def _is_verdict(request: HttpRequest) -> bool:
    return request.method == "POST" and request.POST.get("verdict", Verdict.ANSWER) in Verdict.values


def _row(case: Case) -> dict[str, Any]:
    return {"case": case, "patient": PatientRow.of(case.patient), "kind": case.get_kind_display()}


def _about(case: Case) -> dict[str, Any]:
    """What a page shows of a question."""
    said = disagreements.said_in(case) if case.kind == Case.Kind.DISAGREES else None
    return {
        **_row(case),
        "title": catalog.title(case.study) if case.study else "",
        "code": CodeView.of(desk.standing_of(case.patient)),
        "address": contacts.hinted(contacts.of(case.patient)),
        "said": said,
        "verdicts": deciding.verdicts_on(case),
    }
