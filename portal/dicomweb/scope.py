"""What a viewer may see, found by the UIDs that DICOMweb speaks of.

A Study Instance UID may stand for the studies of two facilities. The bare base answers with the newest that this
viewer may see, whole; a base that names the study answers with that one. Never with a mixture.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from uuid import UUID

from django.http import HttpRequest

from accounts.errors import NotFound
from portal import delivery
from sharing import access
from sharing.access import Right
from studies import retrieving
from studies.models import Study
from studies.retrieving import Gone, Stored
from studies.values import is_uid

WAY = "dicomweb"
RIDE_SECONDS = 0.9


@dataclass(frozen=True)
class Found:
    """Leave to read a study, and the instances that were asked for."""

    leave: delivery.Pass
    instances: list[Stored]

    @property
    def one(self) -> Stored:
        """The one that was asked for."""
        return self.instances[0]


def admit(request: HttpRequest, study_uid: str, study_id: UUID | None, right: Right) -> delivery.Pass:
    """The one door, by UID. NotFound for what is not there for this viewer, Gone for what was taken back from her."""
    viewer = delivery.viewer_of(request)
    return delivery.admit(viewer, _newest(viewer, study_uid, study_id), right, WAY)


def newest(request: HttpRequest, study_uid: str, study_id: UUID | None) -> Study:
    """The study that a UID stands for, to be spoken of and not opened yet. NotFound or Gone as above."""
    viewer = delivery.viewer_of(request)
    return access.study_for(viewer, _newest(viewer, study_uid, study_id))


def _newest(viewer: access.Viewer, study_uid: str, study_id: UUID | None) -> UUID:
    candidates = _candidates(study_uid, study_id)
    for pk in candidates:
        if access.has(viewer, pk):
            return pk
    raise Gone if access.are_taken_back(viewer, candidates) else NotFound


def find(
    request: HttpRequest,
    study_uid: str,
    series_uid: str = "",
    sop_uid: str = "",
    *,
    study_id: UUID | None,
    right: Right,
) -> Found:
    """The instances of a study, a series, or one of them; those that are written only for who may read reports."""
    if any(uid and not is_uid(uid) for uid in (series_uid, sop_uid)):
        raise NotFound
    leave = admit(request, study_uid, study_id, right)
    documents = access.allows(leave.viewer, leave.study, Right.REPORT)
    found = retrieving.instances(leave.study, series_uid=series_uid, sop_uid=sop_uid, documents=documents)
    if right is Right.SEE and any(one.is_document for one in found):
        delivery.admit(leave.viewer, leave.study.pk, Right.REPORT, WAY)  # words are read, and that is written down
    return Found(leave, found)


# --- what comes by the hundred


@dataclass
class Ride:
    """Leave that was given less than a second ago, and what was found under it. More frames go along on it.

    So a right that ends is dead within that second, in every process, and a look is asked and written down once for
    all frames that a viewer draws meanwhile. Who is signed in is asked each time.
    """

    until: float
    leave: delivery.Pass
    documents: bool
    found: dict[tuple[str, str], Stored] = field(default_factory=dict)
    series: set[str] = field(default_factory=set)  # those of which everything was found


_rides: dict[tuple[str, str, UUID | None], Ride] = {}


def ride(request: HttpRequest, study_uid: str, study_id: UUID | None) -> Ride:
    """A ride that is on its way, or a new one. NotFound and Gone as in `admit`."""
    viewer, began = delivery.viewer_of(request), monotonic()
    key = viewer.key, study_uid, study_id
    going = _rides.get(key)
    if going is None or going.until < began:
        leave = admit(request, study_uid, study_id, Right.SEE)
        going = Ride(began + RIDE_SECONDS, leave, access.allows(viewer, leave.study, Right.REPORT))
        for over in [key for key, one in list(_rides.items()) if one.until < began]:
            _rides.pop(over, None)
        _rides[key] = going
    return going


def picture(request: HttpRequest, study_uid: str, series_uid: str, sop_uid: str, study_id: UUID | None) -> Found:
    """One instance with pictures. The first of a series is looked up alone, those after it together."""
    going = ride(request, study_uid, study_id)
    one = going.found.get((series_uid, sop_uid))
    if one is None and series_uid not in going.series and going.found:
        _find_all(going, series_uid)
        one = going.found.get((series_uid, sop_uid))
    if one is None or one.is_document:
        found = find(request, study_uid, series_uid, sop_uid, study_id=study_id, right=Right.SEE)
        going.found[series_uid, sop_uid] = found.one
        return found
    return Found(going.leave, [one])


def _find_all(going: Ride, series_uid: str) -> None:
    going.series.add(series_uid)
    with suppress(NotFound, Gone):
        found = retrieving.instances(going.leave.study, series_uid=series_uid, documents=going.documents)
        going.found |= {(one.series_uid, one.sop_uid): one for one in found}


def _candidates(study_uid: str, study_id: UUID | None) -> list[UUID]:
    if not is_uid(study_uid):
        raise NotFound
    named = Study.objects.filter(study_uid=study_uid)
    if study_id is not None:
        named = named.filter(pk=study_id)
    return list(named.order_by("-received_at", "pk").values_list("pk", flat=True))
