"""What a base can do (PS3.18 §8.9), for programs that ask: a description in WADL."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portal import delivery
from portal.dicomweb import accepting, addresses
from portal.dicomweb.forms import DICOM, JPEG, JSON, OCTETS, XML
from sharing import access

WADL: Final = "application/vnd.sun.wadl+xml"
PARTS: Final = 'multipart/related; type="{}"'
RESOURCES: Final = (
    ("studies", [JSON]),
    ("series", [JSON]),
    ("instances", [JSON]),
    ("studies/{study}", [PARTS.format(DICOM)]),
    ("studies/{study}/series", [JSON]),
    ("studies/{study}/instances", [JSON]),
    ("studies/{study}/metadata", [JSON, PARTS.format(XML)]),
    ("studies/{study}/rendered", [PARTS.format(JPEG)]),
    ("studies/{study}/thumbnail", [JPEG]),
    ("studies/{study}/series/{series}", [PARTS.format(DICOM)]),
    ("studies/{study}/series/{series}/instances", [JSON]),
    ("studies/{study}/series/{series}/metadata", [JSON, PARTS.format(XML)]),
    ("studies/{study}/series/{series}/rendered", [PARTS.format(JPEG)]),
    ("studies/{study}/series/{series}/thumbnail", [JPEG]),
    ("studies/{study}/series/{series}/instances/{instance}", [PARTS.format(DICOM), DICOM]),
    ("studies/{study}/series/{series}/instances/{instance}/metadata", [JSON, PARTS.format(XML)]),
    ("studies/{study}/series/{series}/instances/{instance}/rendered", [JPEG, "application/pdf"]),
    ("studies/{study}/series/{series}/instances/{instance}/thumbnail", [JPEG]),
    ("studies/{study}/series/{series}/instances/{instance}/frames/{frames}", [PARTS.format(OCTETS), OCTETS]),
    ("studies/{study}/series/{series}/instances/{instance}/frames/{frame}/rendered", [JPEG]),
    ("studies/{study}/series/{series}/instances/{instance}/frames/{frame}/thumbnail", [JPEG]),
    ("studies/{study}/series/{series}/instances/{instance}/bulkdata/{path}", [PARTS.format(OCTETS), OCTETS]),
)


def capabilities(request: HttpRequest, study_id: UUID | None = None) -> HttpResponse:
    """Every resource that can be asked for below this base, and its forms. NotFound for what is not visible."""
    accepting.choose(request, WADL, "application/xml")
    if study_id is not None:
        access.study_for(delivery.viewer_of(request), study_id)
    told = {"base": addresses.base(request, study_id), "resources": RESOURCES}
    return render(request, "portal/dicomweb/capabilities.xml", told, content_type=WADL)
