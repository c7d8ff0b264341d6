"""Who looked: every event of a person's images in words, on a page and as a table to keep."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import UTC
from typing import Any, Final, cast
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.audit import Actor
from accounts.errors import NotFound
from accounts.models import AuditEvent, User
from sharing import access, disclosures, paging, wording
from sharing.disclosures import Look
from studies.documents.printing import print_text
from studies.models import Study

# What a spreadsheet would run, also behind a semicolon, which ends a cell in much of Europe. Wide signs count too.
FORMULA: Final = re.compile(r"(^|[;\t\r\n])(\s*)(?=[=+\-@＝＋－＠])")


class Echo:
    """A file that hands back what is written to it, so that csv can write into a stream."""

    def write(self, row: str) -> str:
        """The row itself."""
        return row


@require_safe
def activity(request: HttpRequest) -> HttpResponse:
    """The newest first; `?study=` and `?others=1` narrow it."""
    user = cast(User, request.user)
    study, others_only = _asked(request)
    events = disclosures.activity(user, study=study, others_only=others_only)
    page = paging.page(events, before=request.GET.get("before", ""), after=request.GET.get("after", ""))
    context: dict[str, Any] = {
        "page": page,
        "looks": list(disclosures.tell(page.events, user)),
        "study": study,
        "others_only": others_only,
        "studies": [(one.pk, wording.exam(one)) for one in access.newest_first(access.kept_by(user))],
        "query": _query(request),
    }
    return render(request, "sharing/activity.html", context)


@require_safe
def activity_csv(request: HttpRequest) -> HttpResponseBase:
    """The same as a table, whole."""
    user = cast(User, request.user)
    study, others_only = _asked(request)
    events = disclosures.activity(user, study=study, others_only=others_only)
    response = StreamingHttpResponse(_rows(events.iterator(), user), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="activity.csv"'
    return response


@require_safe
def activity_pdf(request: HttpRequest) -> HttpResponse:
    """The same on paper, for a file or for somebody who asks: an accounting of disclosures (45 CFR 164.528)."""
    user = cast(User, request.user)
    study, others_only = _asked(request)
    events = disclosures.activity(user, study=study, others_only=others_only)
    text = "\n\n".join(_line(one) for one in disclosures.tell(events.iterator(), user))
    made = date_format(timezone.localtime(), "DATETIME_FORMAT")
    lines = [
        _("Everything that happened to the images of %(who)s, the newest first.") % {"who": Actor.person(user).label},
        *([_("Only about %(exam)s.") % {"exam": wording.exam(study)}] if study else []),
        *([_("Only what others did.")] if others_only else []),
        _("Made on %(day)s by %(site)s. Times are UTC.") % {"day": made, "site": settings.PUBLIC_URL},
    ]
    pdf = print_text(text or _("Nothing."), _("Who looked at my images"), lines)
    headers = {"Content-Disposition": 'attachment; filename="activity.pdf"'}
    return HttpResponse(pdf, content_type="application/pdf", headers=headers)


def _line(look: Look) -> str:
    at = look.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    about = ": ".join(str(part) for part in (look.what, look.study) if part)
    return f"{at}  {look.who}\n{about}" + (f" ({look.how})" if look.how else "")


def _rows(events: Iterator[AuditEvent], reader: User) -> Iterator[str]:
    writer = csv.writer(Echo())
    yield "\ufeff" + writer.writerow([_("When (UTC)"), _("Who"), _("What"), _("How"), _("Exam")])
    for one in disclosures.tell(events, reader):
        at = one.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        yield writer.writerow([at, *(harmless(str(cell)) for cell in (one.who, one.what, one.how, one.study))])


def harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: people choose their own names."""
    return FORMULA.sub(r"\1\2'", cell)


def _asked(request: HttpRequest) -> tuple[Study | None, bool]:
    """The study and the filter asked for; NotFound for a study that is not hers to ask about."""
    wanted, others_only = request.GET.get("study", ""), request.GET.get("others") == "1"
    if not wanted:
        return None, others_only
    try:
        study_id = UUID(wanted)
    except ValueError as error:
        raise NotFound from error
    return access.kept_study(cast(User, request.user), study_id), others_only


def _query(request: HttpRequest) -> str:
    """What the links to other pages carry along."""
    kept = request.GET.copy()
    for place in ("before", "after"):
        kept.pop(place, None)
    return kept.urlencode()
