"""How exams reach their patients, month by month; for administrators, as a page and as a table."""

from __future__ import annotations

import csv
import io

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.desk.opening import administrator
from sharing import funnel


@require_safe
def reaching(request: HttpRequest) -> HttpResponse:
    """The numbers of the last twelve months."""
    staff = administrator(request)
    return render(request, "desk/reaching.html", {"months": funnel.months(staff.facility)})


@require_safe
def reaching_csv(request: HttpRequest) -> HttpResponse:
    """The same for a spreadsheet."""
    staff, table = administrator(request), io.StringIO()
    csv.writer(table).writerows(funnel.rows(staff.facility))
    answer = HttpResponse(table.getvalue(), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = 'attachment; filename="reaching-patients.csv"'
    return answer
