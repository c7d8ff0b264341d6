"""OHIF's shell: a page of ours around its scripts, over the studies that a viewer may see."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.errors import NotFound
from portal import delivery
from portal.dicomweb import scope
from portal.ohif import installed
from sharing.access import Right, Viewer, allows
from studies import catalog, reports
from studies.models import Study

UIDS: Final = "StudyInstanceUIDs"

# Codecs are WebAssembly, its parts bring styles of their own, and pictures pass through blobs. Nothing comes from
# elsewhere, and nothing goes there.
POLICY: Final = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' blob: data:; font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
    "media-src 'self' blob:; object-src 'self' blob:; frame-src blob:; manifest-src 'self'; "
    "frame-ancestors 'none'; form-action 'none'; base-uri 'none'"
)


@require_safe
def start(request: HttpRequest) -> HttpResponse:
    """`?StudyInstanceUIDs=`: into OHIF, or into our own viewer where it is not installed."""
    wanted = request.GET.get(UIDS, "")
    study = scope.newest(request, wanted.partition(",")[0], None)
    if installed.entry() is None:
        return redirect("viewer", study.pk)
    return HttpResponseRedirect(f"/viewer/viewer?{urlencode({UIDS: wanted}, safe=',')}")


@require_safe
def shell(request: HttpRequest, place: str = "", study_id: UUID | None = None) -> HttpResponse:
    """The page that OHIF lives in; its own addresses below this one are the same page."""
    entry, wanted = installed.entry(), request.GET.get(UIDS, "").partition(",")[0]
    if entry is None or place not in ("viewer", "notfoundstudy"):
        raise NotFound
    study = scope.newest(request, wanted, study_id)
    viewer = delivery.viewer_of(request)
    base = f"/viewer/of/{study_id}" if study_id else "/viewer"
    context = {
        "entry": entry,
        "assets": installed.URL,
        "base": base,
        "study": study,
        "title": catalog.title(study),
        "report_url": reverse("report", args=[study.pk]) if _has_report(viewer, study) else "",
    }
    page = render(request, "portal/ohif.html", context)
    page.headers["Content-Security-Policy"] = POLICY
    return page


def _has_report(viewer: Viewer, study: Study) -> bool:
    return allows(viewer, study, Right.REPORT) and bool(reports.with_released([study]))


@require_safe
def ended(request: HttpRequest) -> HttpResponse:
    """Where OHIF leads when what it shows is not given out any more."""
    return render(request, "portal/ohif_ended.html")


def address(study: Study) -> str:
    """Where OHIF opens this study, and no other with its UID; "" where it is not installed."""
    if installed.entry() is None:
        return ""
    return f"{reverse('ohif_of_one', args=[study.pk, 'viewer'])}?{urlencode({UIDS: study.study_uid})}"
