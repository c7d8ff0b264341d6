"""QIDO-RS (PS3.18 §10.6): queries as clients write them, and their answers."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Final
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.translation import gettext_lazy as _

from accounts.errors import BadRequest
from portal import delivery, packing
from portal.dicomweb import accepting, addresses, scope
from sharing import access
from sharing.access import Right, Viewer
from studies import matching
from studies.matching import Matches, Share
from studies.models import Study
from studies.query import KEYWORDS, MOST, Query

JSON: Final = "application/dicom+json"
NOT_KEYS: Final = frozenset({"includefield", "limit", "offset", "fuzzymatching", "accept"})
LARGEST: Final = 10**9
TAGS: Final = frozenset(KEYWORDS.values())


def studies(request: HttpRequest, study_id: UUID | None = None) -> HttpResponse:
    """Every study that this viewer may see and that matches."""
    viewer, query = delivery.viewer_of(request), _query(request.GET)
    seen = _share(viewer, Right.SEE, access.visible_to(viewer), study_id)
    return _answer(request, matching.studies(seen, _readable(viewer), query), study_id)


def series(
    request: HttpRequest, study_uid: str = "", study_id: UUID | None = None, *, pictures_only: bool = False
) -> HttpResponse:
    """The series that match, of one study or all; `pictures_only` for a viewer that stumbles over words."""
    query = _query(request.GET)
    seen, read = _among(request, study_uid, study_id)
    return _answer(request, matching.series(seen, read, query, pictures_only=pictures_only), study_id)


def instances(
    request: HttpRequest, study_uid: str = "", series_uid: str = "", study_id: UUID | None = None
) -> HttpResponse:
    """The instances that match, of one series, one study or all."""
    query = _query(request.GET, series_uid)
    seen, read = _among(request, study_uid, study_id)
    return _answer(request, matching.instances(seen, read, query), study_id)


def _among(request: HttpRequest, study_uid: str, study_id: UUID | None) -> tuple[Share, Share]:
    """What is searched, and where what is written may be read: one that is opened, or every one she sees."""
    viewer = delivery.viewer_of(request)
    if not study_uid:
        seen = _share(viewer, Right.SEE, access.visible_to(viewer), study_id)
        return replace(seen, studies=matching.alone(seen.studies)), _readable(viewer)
    leave = scope.admit(request, study_uid, study_id, Right.SEE)
    one = Study.objects.filter(pk=leave.study.pk)
    may_read = access.allows(viewer, leave.study, Right.REPORT)
    read = _share(viewer, Right.REPORT, one) if may_read else Share(one.none())
    return _share(viewer, Right.SEE, one), read


def _readable(viewer: Viewer) -> Share:
    return _share(viewer, Right.REPORT, access.visible_to(viewer, Right.REPORT))


def _share(viewer: Viewer, right: Right, studies: QuerySet[Study], study_id: UUID | None = None) -> Share:
    if study_id is not None:
        studies = studies.filter(pk=study_id)
    return Share(studies, lambda: access.parts_of(viewer, right))


def _query(said: QueryDict, series_uid: str = "") -> Query:
    """Attributes by keyword or tag. What cannot be matched is left out, and said so (§8.3.4.1)."""
    keys = {tag: said.get(name, "").strip() for name in said if (tag := _tag(name)) in TAGS}
    if series_uid:
        keys["0020000E"] = series_uid
    limit = _count(said.get("limit"), MOST)
    return Query(keys=keys, limit=limit, offset=_count(said.get("offset"), 0))


def _tag(name: str) -> str:
    return KEYWORDS.get(name, name.upper())


def _count(said: str | None, default: int) -> int:
    if not said:
        return default
    if not re.fullmatch(r"\d{1,18}", said, re.ASCII):
        raise BadRequest(_("limit and offset are whole numbers."))
    return min(int(said), LARGEST)


def _answer(request: HttpRequest, found: Matches, study_id: UUID | None) -> HttpResponse:
    accepting.choose(request, JSON, "application/json")
    rows = [{**row, **addresses.of_row(request, row, study_id)} for row in found.rows]
    answer = HttpResponse(json.dumps(rows, ensure_ascii=False, allow_nan=False), content_type=JSON)
    answer.headers["Cache-Control"] = "no-store"
    if warnings := list(_warnings(request.GET, found)):
        answer.headers["Warning"] = ", ".join(f'299 lightbox "{words}"' for words in warnings)
    return packing.packed(request, answer)


def _warnings(said: QueryDict, found: Matches) -> list[str]:
    unknown = [name for name in said if name not in NOT_KEYS and _tag(name) not in TAGS]
    words = []
    if found.is_cut:
        words.append("There are additional results that can be requested")
    if said.get("fuzzymatching", "").lower() == "true":
        words.append("Fuzzy matching is not supported; names match without regard to case and accents")
    if unknown:
        words.append("Some attributes of the query cannot be matched, and were left out")
    return words
