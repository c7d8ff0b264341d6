"""What a viewer may see, found by the UIDs that DICOMweb speaks of.

A Study Instance UID may stand for the studies of two facilities. The bare base answers with the newest that this
viewer may see, whole; a base that names the study answers with that one. Never with a mixture.
"""

from __future__ import annotations

from dataclasses import dataclass
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
    words: bool = True,
) -> Found:
    """The instances of a study, a series, or one of them; those that are written only for who may read reports.

    Without `words` they are left out: who is given pictures reads none, and none is written down as read.
    """
    if any(uid and not is_uid(uid) for uid in (series_uid, sop_uid)):
        raise NotFound
    leave = admit(request, study_uid, study_id, right)
    readable = _readable(leave) if words else frozenset[UUID]()
    found = retrieving.instances(leave.study, series_uid=series_uid, sop_uid=sop_uid, readable=readable)
    if right is Right.SEE and any(one.is_document for one in found):
        delivery.admit(leave.viewer, leave.study.pk, Right.REPORT, WAY)  # words are read, and that is written down
    return Found(leave, found)


def _readable(leave: delivery.Pass) -> frozenset[UUID] | None:
    """The series in which this viewer may read what is written; None for all of the study."""
    if not access.allows(leave.viewer, leave.study, Right.REPORT):
        return frozenset()
    return access.only_series(leave.viewer, leave.study.pk, Right.REPORT)


def _candidates(study_uid: str, study_id: UUID | None) -> list[UUID]:
    if not is_uid(study_uid):
        raise NotFound
    named = Study.objects.filter(study_uid=study_uid)
    if study_id is not None:
        named = named.filter(pk=study_id)
    return list(named.order_by("-received_at", "pk").values_list("pk", flat=True))
