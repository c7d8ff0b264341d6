"""Today: the day's patients, and the missing sheets printed in one go."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.views.decorators.http import require_http_methods

from accounts.errors import PortalError
from portal.desk.rows import CodeView, PatientRow, StudyRow
from portal.desk.sheet import sheet
from sharing import desk, today
from sharing.access import Staff
from sharing.desk import Document
from sharing.today import Visit


@require_http_methods(["GET", "HEAD", "POST"])
def today_page(request: HttpRequest) -> HttpResponse:
    """GET lists the day. POST prints a sheet for each whose document was seen: this one answer, and no address."""
    staff = desk.staff_for(request.user)
    visits = today.visits(staff)
    if request.method == "POST":
        return _print(request, staff, visits)
    return render(request, "desk/today.html", {"rows": [_row(one) for one in visits], "documents": Document.choices})


def _print(request: HttpRequest, staff: Staff, visits: list[Visit]) -> HttpResponse:
    sheets, refused = [], []
    for visit in visits:
        seen = request.POST.get(f"document-{visit.patient.pk}", "")
        if not visit.lacks_sheet or seen not in Document.values:
            continue
        try:
            text, code = desk.hand_out(staff, visit.patient, Document(seen), replacing=None)
        except PortalError as refusal:  # somebody else was quicker; the others are printed all the same
            refused.append({"patient": PatientRow.of(visit.patient), "refusal": refusal})
            continue
        sheets.append(sheet(visit.patient, text, code, language=visit.language or get_language() or "en"))
    return render(request, "desk/printed_today.html", {"sheets": sheets, "refused": refused})


def _row(visit: Visit) -> dict[str, Any]:
    return {
        "patient": PatientRow.of(visit.patient),
        "code": CodeView.of(visit.standing),
        "lacks_sheet": visit.lacks_sheet,
        "exams": [StudyRow.brief(study) for study in visit.exams[:3]],
    }
