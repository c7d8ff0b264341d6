"""The desk's pages, for the staff of one facility. Searches and results go by POST: no address holds a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import facilities, gateways
from accounts.errors import BadRequest, Conflict, NotAllowed
from portal.desk.forms import (
    ContactForm,
    DetailsForm,
    HandOutForm,
    RegisterForm,
    SearchForm,
    UrgencyForm,
    WithdrawForm,
)
from portal.desk.rows import CodeView, ExamRow, GatewayRow, PatientRow, StudyRow, study_rows
from portal.desk.sheet import sheet
from sharing import consents, deciding, desk, opening_times, releases, why
from sharing.access import Staff
from sharing.models import Release
from studies import quarantine
from studies.models import FacilityPatient
from studies.orders import merges

page = require_http_methods(["GET", "HEAD", "POST"])


@page
def search(request: HttpRequest) -> HttpResponse:
    """Look somebody up; the only one who fits is opened at once."""
    staff = desk.staff_for(request.user)
    form = SearchForm(request.POST if request.method == "POST" else None)
    found = desk.find(staff, form.cleaned_data["text"]) if form.is_valid() else None
    if found and len(found) == 1:
        return _to_patient(found[0])
    context = {
        "form": form,
        "facility": staff.facility,
        "administers": facilities.administers(staff.user, staff.facility),
        "waiting": quarantine.count(staff.facility),
        "questions": len(deciding.waiting_at(staff)) if found is None else 0,
        "gateways": gateways.of(staff.facility),
        "in_trouble": gateways.in_trouble(staff.facility),
        "stuck": [StudyRow.of(study) for study in desk.stuck(staff)],
        "found": None if found is None else [PatientRow.of(one) for one in found[: desk.MOST_FOUND]],
        "more": bool(found and len(found) > desk.MOST_FOUND),
    }
    return _answer(request, "desk/search.html", context)


@require_safe
def gateways_page(request: HttpRequest) -> HttpResponse:
    """The facility's gateways: who speaks, what waits there, what the portal does not take."""
    staff = desk.staff_for(request.user)
    return render(request, "desk/gateways.html", {"rows": [GatewayRow.of(one) for one in gateways.of(staff.facility)]})


@require_POST
def ask_gateway(request: HttpRequest, gateway_id: int) -> HttpResponse:
    """Want a letter tried again, or the gateway to test itself."""
    staff = desk.staff_for(request.user)
    gateways.ask(staff.facility, gateway_id, retry=request.POST.get("retry", ""), actor=staff.actor)
    messages.success(request, _("The gateway hears of it within a minute."))
    return HttpResponseRedirect(reverse("desk_gateways"), status=303)


@require_safe
def patient(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """One patient: her exams and her code."""
    staff = desk.staff_for(request.user)
    return _patient_page(request, desk.patient_for(staff, patient_id))


@page
def register(request: HttpRequest) -> HttpResponse:
    """A patient before her first image; straight on to her code."""
    staff = desk.staff_for(request.user)
    form = RegisterForm(request.POST if request.method == "POST" else None)
    refused: desk.AlreadyKnown | None = None
    if form.is_valid():
        asked = form.cleaned_data
        try:
            known = desk.register(
                staff, asked["patient_id"], issuer=asked["issuer"], name=form.name, birth_date=asked["birth_date"]
            )
            return HttpResponseRedirect(reverse("desk_code", args=[known.pk]), status=303)
        except desk.AlreadyKnown as refusal:
            refused = refusal
    known_as = PatientRow.of(desk.patient_for(staff, refused.patient.pk)) if refused else None
    context = {"form": form, "known": known_as}
    return _answer(request, "desk/register.html", context, refused)


@page
def details(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """Correct a name or a birth date."""
    staff = desk.staff_for(request.user)
    known = desk.patient_for(staff, patient_id)
    form = DetailsForm(request.POST) if request.method == "POST" else DetailsForm.showing(known)
    if form.is_valid():
        desk.correct(staff, known, name=form.name, birth_date=form.cleaned_data["birth_date"])
        messages.success(request, _("Saved."))
        return _to_patient(known)
    return _answer(request, "desk/details.html", {"form": form, "patient": PatientRow.of(known)})


@page
def hand_out(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """Confirm who stands here, then print a code. The sheet is this one answer and no address."""
    staff = desk.staff_for(request.user)
    known = desk.patient_for(staff, patient_id)
    if known.birth_date is None:
        messages.warning(request, _("Add the date of birth first: the patient will be asked for it."))
        return HttpResponseRedirect(reverse("desk_details", args=[known.pk]), status=303)
    asked = consents.is_asked(known)
    form = HandOutForm(request.POST, is_asked=bool(asked)) if request.method == "POST" else _new_form(known)
    refused: desk.HandedOut | None = None
    if form.is_valid():
        try:
            return _sheet(request, staff, known, form)
        except desk.HandedOut as refusal:
            form, refused = _new_form(known), refusal
    context = {
        "form": form,
        "patient": PatientRow.of(known),
        "code": CodeView.of(desk.standing_of(known)),
        "waiting": releases.waiting(known),
        "asked": asked,
    }
    return _answer(request, "desk/hand_out.html", context, refused)


@require_POST
def release(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Offer one exam to its patient, by the facility's rules or as the clerk chose."""
    staff = desk.staff_for(request.user)
    study = desk.study_for(staff, study_id)
    form = UrgencyForm(request.POST)
    if not form.is_valid():
        raise BadRequest
    desk.release(staff, study, Release.Urgency(form.cleaned_data["urgency"] or Release.Urgency.ROUTINE))
    study.refresh_from_db()
    messages.success(request, opening_times.of_decision(study.release))
    return _to_patient(study.patient)


@require_POST
def release_all(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """Offer all that is ready."""
    staff = desk.staff_for(request.user)
    known = desk.patient_for(staff, patient_id)
    count = desk.release_all(staff, known)
    words = ngettext("%(count)s exam released.", "%(count)s exams released.", count)
    messages.success(request, words % {"count": count})
    return _to_patient(known)


@require_POST
def part(request: HttpRequest, merge_id: UUID) -> HttpResponse:
    """Take a merge back: two patients again."""
    staff = desk.staff_for(request.user)
    merge = desk.merge_for(staff, merge_id)
    desk.part(staff, merge)
    messages.success(request, _("They are two patients again."))
    return _to_patient(merge.survivor)


@require_POST
def withdraw(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Take an exam back, with a reason."""
    staff = desk.staff_for(request.user)
    study = desk.study_for(staff, study_id)
    form = WithdrawForm(request.POST, auto_id=f"id_%s_{study.pk}")
    if not form.is_valid():
        return _patient_page(request, desk.patient_for(staff, study.patient_id), wrong={study.pk: form})
    desk.withdraw(staff, study, form.cleaned_data["reason"])
    messages.success(request, _("Withdrawn. Nobody outside your facility can see it any more."))
    return _to_patient(study.patient)


@page
def contact(request: HttpRequest) -> HttpResponse:
    """What the sheets say of the facility; for its administrators."""
    staff = desk.staff_for(request.user)
    if not facilities.administers(staff.user, staff.facility):
        raise NotAllowed
    form = ContactForm(request.POST) if request.method == "POST" else ContactForm.showing(staff.facility)
    if form.is_valid():
        facilities.change_contact(staff.facility, **form.cleaned_data, actor=staff.actor)
        messages.success(request, _("Saved. New sheets say so."))
        return HttpResponseRedirect(reverse("desk"), status=303)
    return _answer(request, "desk/contact.html", {"form": form, "facility": staff.facility})


def _sheet(request: HttpRequest, staff: Staff, known: FacilityPatient, form: HandOutForm) -> HttpResponse:
    asked = form.cleaned_data
    document, replacing = desk.Document(asked["document"]), asked["replacing"]
    text, code = desk.hand_out(staff, known, document, replacing=replacing, agreed=form.agreed)
    printed = sheet(known, text, code, language=asked["language"])
    return render(request, "desk/printed.html", {"sheet": printed, "patient": PatientRow.of(known)})


def _new_form(known: FacilityPatient) -> HandOutForm:
    newest = CodeView.of(desk.standing_of(known)).newest
    is_asked = bool(consents.is_asked(known))
    return HandOutForm(initial={"language": get_language(), "replacing": newest}, is_asked=is_asked)


def _patient_page(
    request: HttpRequest, known: FacilityPatient, wrong: dict[UUID, WithdrawForm] | None = None
) -> HttpResponse:
    wrong = wrong or {}
    studies = desk.studies_of(known)
    rows = study_rows(studies, wrong)
    context = {
        "patient": PatientRow.of(known),
        "code": CodeView.of(desk.standing_of(known)),
        "rows": rows,
        "ordered": [ExamRow.of(one) for one in desk.ordered_for(known)],
        "merges": [(one, PatientRow.of(one.survivor), PatientRow.of(one.merged)) for one in merges.of(known)],
        "answers": why.answers(known, studies),
        "consent": consents.newest(known),
        "several": sum(row.may_release and not row.reason for row in rows) > 1,
    }
    return render(request, "desk/patient.html", context, status=422 if wrong else 200)


def _to_patient(known: FacilityPatient) -> HttpResponse:
    return HttpResponseRedirect(reverse("desk_patient", args=[known.pk]), status=303)


def _answer(
    request: HttpRequest, template: str, context: Mapping[str, Any], refused: Conflict | None = None
) -> HttpResponse:
    """The page of `context["form"]`: 200 when asked for, 422 when a field is wrong, 409 when something contradicts."""
    status = refused.status if refused else 422 if context["form"].errors else 200
    return render(request, template, {**context, "refused": refused}, status=status)
