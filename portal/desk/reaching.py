"""How exams reach their patients, month by month; for administrators, as a page and as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.models import Facility
from portal.desk.opening import administrator
from sharing import funnel, turnaround
from sharing.turnaround import ALL, STEPS, Span
from studies.words import modality_words


@require_safe
def reaching(request: HttpRequest) -> HttpResponse:
    """The numbers of the last twelve months."""
    staff = administrator(request)
    context = {"months": funnel.months(staff.facility), "steps": STEPS.values(), "rows": _rows(staff.facility)}
    return render(request, "desk/reaching.html", context)


@require_safe
def reaching_csv(request: HttpRequest) -> HttpResponse:
    """The same for a spreadsheet."""
    return _table(funnel.rows(administrator(request).facility), "reaching-patients")


@require_safe
def turnaround_csv(request: HttpRequest) -> HttpResponse:
    """How long exams take, in hours, for a spreadsheet."""
    rows: list[list[object]] = [["modality", "step", "exams", "p50_hours", "p90_hours"]]
    for modality, spans in turnaround.by_modality(administrator(request).facility).items():
        for step, span in spans.items():
            hours = [round(one.total_seconds() / 3600, 2) if one is not None else "" for one in (span.p50, span.p90)]
            rows.append([modality or "all", step, span.count, *hours])
    return _table(rows, "turnaround")


def _table(rows: Iterable[Sequence[object]], name: str) -> HttpResponse:
    table = io.StringIO()
    csv.writer(table).writerows(rows)
    answer = HttpResponse(table.getvalue(), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return answer


def _rows(facility: Facility) -> list[tuple[str, list[str]]]:
    """Of each modality its name, and how long each step took."""
    return [
        (_("All exams") if modality == ALL else modality_words(modality), [_span(one) for one in spans.values()])
        for modality, spans in turnaround.by_modality(facility).items()
    ]


def _span(span: Span) -> str:
    if span.p50 is None or span.p90 is None:
        return "–"
    return f"{_long(span.p50)} · {_long(span.p90)}"


def _long(time: timedelta) -> str:
    """Minutes below two hours, hours below three days, then days."""
    minutes = round(time.total_seconds() / 60)
    if minutes < 120:
        return _("%(count)s min") % {"count": minutes}
    if minutes < 72 * 60:
        return _("%(count)s h") % {"count": round(minutes / 60)}
    return _("%(count)s d") % {"count": round(minutes / 60 / 24)}
