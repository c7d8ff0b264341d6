"""“Put it in my PACS”: an address from which a machine fetches what somebody was lent with leave to download."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from accounts.audit import Actor
from accounts.errors import NotAllowed
from sharing import access, capabilities, guests
from sharing.access import Right
from sharing.models import Grant
from studies import burned_in, catalog
from studies.models import Study


@require_http_methods(["GET", "HEAD", "POST"])
def pull(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """GET says what it does; POST makes the address and shows it, this once, or ends those that were made."""
    viewer = guests.viewer_of(request)
    study = access.study_for(viewer, study_id, Right.DOWNLOAD)
    way = access.way_of(viewer, study, Right.DOWNLOAD)
    if way.grant is None:  # her own: she takes it home, and lends it to who has a PACS
        raise NotAllowed
    is_end = request.method == "POST" and "end" in request.POST
    ended = capabilities.end(way.grant, actor=way.actor) if is_end else 0
    context = {
        "study": study,
        "title": catalog.title(study),
        "image_count": catalog.image_count(study, catalog.series_of(study)),
        "burned_in": burned_in.may_be_in([study]),
        "end": capabilities.end_of(way.grant),
        "ended": ended,
        **(_made(way.grant, way.actor, study) if request.method == "POST" and not is_end else {}),
        "running": capabilities.running(way.grant, actor=way.actor).count(),
    }
    return render(request, "sharing/pull.html", context)


def _made(grant: Grant, actor: Actor, study: Study) -> dict[str, Any]:
    """The address, and what to type in two programs that many have."""
    made = capabilities.make(grant, actor=actor)
    return {
        "made": made,
        "orthanc": json.dumps({"DicomWeb": {"Servers": {"lightbox": {"Url": f"{made.base}/"}}}}, indent=2),
        "client": f'DICOMwebClient("{made.base}").retrieve_study("{study.study_uid}")',
    }
