"""Where things are found again: absolute addresses under the base by which they were asked for."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest

from portal import delivery
from studies.matching import Row

LEVELS: Final = (("0020000D", "studies"), ("0020000E", "series"), ("00080018", "instances"))


def base(request: HttpRequest, study_id: UUID | None) -> str:
    """The root of this DICOMweb service as the world reaches it, without a slash at its end."""
    place = f"/studies/{study_id}/dicom-web" if study_id else "/dicom-web"
    if delivery.capability_of(request) and request.resolver_match:
        place = f"/c/{request.resolver_match.kwargs['capability']}{place}"
    return f"{settings.PUBLIC_URL}{place}"


def of_row(request: HttpRequest, row: Row, study_id: UUID | None) -> dict[str, Any]:
    """RetrieveURL (0008,1190) of what a row of a search names."""
    named = [(level, row[tag]["Value"][0]) for tag, level in LEVELS if "Value" in row.get(tag, {})]
    path = "".join(f"/{level}/{uid}" for level, uid in named)
    return {"00081190": {"vr": "UR", "Value": [f"{base(request, study_id)}{path}"]}}
