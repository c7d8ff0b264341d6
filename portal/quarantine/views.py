"""What was set aside: the queue, one group of it, and the two decisions. For one facility's staff, as the desk is."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from portal.desk.forms import RegisterForm, SearchForm
from portal.desk.rows import PatientRow
from portal.quarantine import rows
from portal.quarantine.forms import LeaveOutForm, TakeInForm, registering
from portal.quarantine.rows import HeldRow
from sharing import desk
from sharing.access import Staff
from studies import quarantine
from studies.quarantine import Waiting, Why

page = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
def waiting(request: HttpRequest) -> HttpResponse:
    """Everything that waits, the newest first."""
    staff = desk.staff_for(request.user)
    return render(request, "desk/waiting.html", {"rows": [HeldRow.of(one) for one in desk.waiting_at(staff)]})


@page
def held(request: HttpRequest, held_id: int) -> HttpResponse:
    """One group: whose it says it is beside whose it may be, and a search for whom it belongs to."""
    staff = desk.staff_for(request.user)
    group = desk.held_for(staff, held_id)
    form = SearchForm(request.POST if request.method == "POST" else None)
    form.fields["text"].widget.attrs.pop("autofocus", None)
    found = desk.find(staff, form.cleaned_data["text"]) if group.study is None and form.is_valid() else None
    context = {
        "row": _read(staff, group),
        "known": _patient(staff, group),
        "is_open": group.study is None,
        "form": form,
        "found": None if found is None else [PatientRow.of(one) for one in found[: desk.MOST_FOUND]],
    }
    return render(request, "desk/held.html", context, status=422 if form.errors else 200)


@page
def new_patient(request: HttpRequest, held_id: int) -> HttpResponse:
    """Register whom the images belong to; straight on to the question whether to take them in."""
    staff = desk.staff_for(request.user)
    group = desk.held_for(staff, held_id)
    form = RegisterForm(request.POST) if request.method == "POST" else registering(group, _said(staff, group))
    refused: desk.AlreadyKnown | None = None
    if form.is_valid():
        try:
            return _to("desk_take_in", group.key, _registered(staff, form))
        except desk.AlreadyKnown as refusal:
            refused = refusal
    known = PatientRow.of(desk.patient_for(staff, refused.patient.pk)) if refused else None
    context = {"form": form, "row": HeldRow.of(group), "known": known, "refused": refused}
    return render(request, "desk/held_new.html", context, status=409 if refused else 422 if form.errors else 200)


@page
def take_in(request: HttpRequest, held_id: int, patient_id: UUID) -> HttpResponse:
    """Read back what taking in means, and who will see it; then do it."""
    staff = desk.staff_for(request.user)
    patient = desk.patient_for(staff, patient_id)
    form = TakeInForm(request.POST or None)
    if form.is_valid():
        upto = form.cleaned_data["upto"]
        count = quarantine.take_in(staff.facility, held_id, upto, patient, actor=staff.actor)
        words = ngettext("%(count)d image taken in.", "%(count)d images taken in.", count)
        messages.success(request, words % {"count": count})
        return _to("desk_patient", patient.pk)
    group = desk.held_for(staff, held_id)
    quarantine.check(group, patient)
    row, person = _read(staff, group), PatientRow.of(patient)
    left = quarantine.replaced(staff.facility, group.key, group.upto)
    context = {
        "row": row,
        "patient": person,
        "sentence": rows.sentence(row, person, group.study),
        "leaving": [rows.leaving(study, count) for study, count in left.items()],
        "seen_by": rows.seen_by(desk.audience_of(patient, group.study)),
    }
    return render(request, "desk/take_in.html", context)


@page
def leave_out(request: HttpRequest, held_id: int) -> HttpResponse:
    """Read back what leaving out means, and ask why; then do it."""
    staff = desk.staff_for(request.user)
    form = LeaveOutForm(request.POST or None)
    if form.is_valid():
        asked = form.cleaned_data
        count = quarantine.leave_out(staff.facility, held_id, asked["upto"], Why(asked["why"]), actor=staff.actor)
        words = ngettext("%(count)d image left out.", "%(count)d images left out.", count)
        messages.success(request, words % {"count": count})
        return _to("desk_waiting")
    row = _read(staff, desk.held_for(staff, held_id))
    context = {"row": row, "form": form, "sentence": rows.left_out(row)}
    return render(request, "desk/leave_out.html", context, status=422 if form.errors else 200)


def _read(staff: Staff, group: Waiting) -> HeldRow:
    return HeldRow.of(group, _said(staff, group))


def _said(staff: Staff, group: Waiting) -> quarantine.Said | None:
    return quarantine.read(quarantine.sample(staff.facility, group.key))


def _patient(staff: Staff, group: Waiting) -> PatientRow | None:
    """Whose the images can only be, or are likely to be; looking at her is written down for her."""
    likely = quarantine.likely_patient(group, staff.facility)
    return PatientRow.of(desk.patient_for(staff, likely.pk)) if likely else None


def _registered(staff: Staff, form: RegisterForm) -> UUID:
    asked = form.cleaned_data
    patient = desk.register(
        staff, asked["patient_id"], issuer=asked["issuer"], name=form.name, birth_date=asked["birth_date"]
    )
    return patient.pk


def _to(name: str, *ids: Any) -> HttpResponse:
    return HttpResponseRedirect(reverse(name, args=ids), status=303)
