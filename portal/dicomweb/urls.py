"""Addresses of DICOMweb: the bare base over everything that a viewer may see, and a base over one study.

Both are the same views; the second knows which of two studies with one UID is meant.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import URLPattern, path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from portal import delivery
from portal.dicomweb import capabilities, retrieving, searching
from sharing import guests
from studies import api

STUDY: Final = "studies/<str:study_uid>"
SERIES: Final = f"{STUDY}/series/<str:series_uid>"
INSTANCE: Final = f"{SERIES}/instances/<str:sop_uid>"
FRAME: Final = f"{INSTANCE}/frames/<int:number>"

ROUTES: Final[dict[str, tuple[str, Callable[..., HttpResponseBase]]]] = {
    "search_all_series": ("series", searching.series),
    "search_all_instances": ("instances", searching.instances),
    "search_series": (f"{STUDY}/series", searching.series),
    "search_study_instances": (f"{STUDY}/instances", searching.instances),
    "search_instances": (f"{SERIES}/instances", searching.instances),
    "series": (SERIES, retrieving.instances),
    "instance": (INSTANCE, retrieving.instances),
    "study_metadata": (f"{STUDY}/metadata", retrieving.metadata),
    "series_metadata": (f"{SERIES}/metadata", retrieving.metadata),
    "instance_metadata": (f"{INSTANCE}/metadata", retrieving.metadata),
    "frames": (f"{INSTANCE}/frames/<str:numbers>", retrieving.frames),
    "bulk_data": (f"{INSTANCE}/bulkdata/<path:path>", retrieving.bulk_data),
    "study_rendered": (f"{STUDY}/rendered", retrieving.all_rendered),
    "series_rendered": (f"{SERIES}/rendered", retrieving.all_rendered),
    "rendered": (f"{INSTANCE}/rendered", retrieving.rendered),
    "frame_rendered": (f"{FRAME}/rendered", retrieving.rendered),
    "study_thumbnail": (f"{STUDY}/thumbnail", retrieving.thumbnail),
    "series_thumbnail": (f"{SERIES}/thumbnail", retrieving.thumbnail),
    "instance_thumbnail": (f"{INSTANCE}/thumbnail", retrieving.thumbnail),
    "frame_thumbnail": (f"{FRAME}/thumbnail", retrieving.thumbnail),
}


CAPABILITIES: Final = require_http_methods(["GET", "HEAD", "OPTIONS"])(capabilities.capabilities)
SEARCHES_OF_SERIES: Final = ("search_all_series", "search_series")


@csrf_exempt
def studies(request: HttpRequest) -> HttpResponse:
    """STOW-RS for facilities; a search for whoever may look."""
    return _stored(request) if request.method == "POST" else _searched(request)


@csrf_exempt
def study(request: HttpRequest, study_uid: str) -> HttpResponseBase:
    """STOW-RS into one study; the study itself for whoever may take it home."""
    return _stored(request, study_uid) if request.method == "POST" else _retrieved(request, study_uid)


def _stored(request: HttpRequest, study_uid: str | None = None) -> HttpResponse:
    return api.store(request, study_uid, is_guest=guests.session_of(request) is not None)


@require_safe
def _searched(request: HttpRequest) -> HttpResponse:
    _needs_viewer(request)
    return searching.studies(request)


@require_safe
def _retrieved(request: HttpRequest, study_uid: str) -> HttpResponseBase:
    _needs_viewer(request)
    return retrieving.instances(request, study_uid)


View = Callable[..., HttpResponseBase]


def _as_it_is(view: View) -> View:
    return view


def _needs_viewer(request: HttpRequest) -> None:
    """Raise KeyOnlyPublishes unless somebody is there to look: where facilities publish, others read."""
    if not request.user.is_authenticated and guests.session_of(request) is None:
        raise api.KeyOnlyPublishes


def base(
    place: str, prefix: str, *, pictures_only: bool = False, asked: Callable[[View], View] = _as_it_is
) -> list[URLPattern]:
    """Every address below a base, but for the search of studies and the study itself; `asked` goes around each view."""
    words = {"pictures_only": True} if pictures_only else {}
    return [
        path(place, asked(CAPABILITIES), name=f"{prefix}capabilities"),
        *(
            path(
                f"{place}{route}",
                asked(require_safe(partial(view, **words) if name in SEARCHES_OF_SERIES else view)),
                name=f"{prefix}{name}",
            )
            for name, (route, view) in ROUTES.items()
        ),
    ]


def base_for_machines() -> list[URLPattern]:
    """A whole base for a machine that pulls: what its capability lends, and nothing else."""
    place, asked = "c/<str:capability>/dicom-web/", delivery.under_capability
    return [
        path(f"{place}studies", asked(require_safe(searching.studies)), name="capability_search_studies"),
        path(f"{place}{STUDY}", asked(require_safe(retrieving.instances)), name="capability_study"),
        *base(place, "capability_", asked=asked),
    ]


def base_for_pictures(place: str, prefix: str) -> list[Any]:
    """A whole base for OHIF, which falls over the first structured report that its series name."""
    return [
        path(f"{place}studies", require_safe(searching.studies), name=f"{prefix}search_studies"),
        path(f"{place}{STUDY}", require_safe(retrieving.instances), name=f"{prefix}study"),
        *base(place, prefix, pictures_only=True),
    ]


OF_ONE: Final = "studies/<uuid:study_id>/dicom-web/"

urlpatterns: list[Any] = [
    path("dicom-web/studies", studies, name="stow"),
    path("dicom-web/studies/<str:study_uid>", study, name="stow_study"),
    *base("dicom-web/", "dicomweb_"),
    path(f"{OF_ONE}studies", require_safe(searching.studies), name="one_search_studies"),
    path(f"{OF_ONE}{STUDY}", require_safe(retrieving.instances), name="one_study"),
    *base(OF_ONE, "one_"),
    *base_for_machines(),
]
