"""What rides along below a study in DICOMweb: the frames of its series, and what their headers say."""

from __future__ import annotations

from contextlib import suppress
from threading import Lock
from uuid import UUID

from django.http import HttpRequest

from accounts.errors import NotFound
from portal import riding
from portal.delivery import Pass
from portal.dicomweb import accepting, addresses, forms, parts, scope
from portal.dicomweb.forms import Form
from portal.dicomweb.scope import Found
from portal.riding import Given
from sharing.access import Right
from studies import retrieving, sidecars
from studies.models import Study
from studies.retrieving import Gone, Stored


class Rows:
    """What was read of a study's instances, by all who ride at once: the first of a series alone, then all of it."""

    def __init__(self) -> None:
        self.read_at = riding.now()
        self._found: dict[tuple[str, str], Stored] = {}
        self._series: set[str] = set()  # those of which everything was read
        self._turn = Lock()

    @property
    def is_fresh(self) -> bool:
        """Whether it is not older than a leave may be."""
        return riding.now() < self.read_at + riding.RIDE_SECONDS

    def get(self, series: str, instance: str) -> Stored | None:
        """An instance with pictures that was read already."""
        one = self._found.get((series, instance))
        return None if one is None or one.is_document else one

    def keep(self, one: Stored) -> None:
        """An instance that was read alone."""
        self._found[one.series_uid, one.sop_uid] = one

    def read_all(self, leave: Pass, series: str) -> None:
        """The whole of a series, of which somebody asks for more and more; once, however many ask."""
        with self._turn:
            if series in self._series or not self._found:
                return
            with suppress(NotFound, Gone):
                found = retrieving.instances(leave.study, series_uid=series, readable=frozenset())
                self._found |= {(one.series_uid, one.sop_uid): one for one in found}
            self._series.add(series)


class Frames:
    """Frames of whatever this viewer has begun to look at, in the form that she asks for."""

    def __init__(self, leave: Pass, entries: list[accepting.Wanted]) -> None:
        self.leave, self._entries = leave, entries
        self.rows = Rows()
        self._forms: dict[str, Form | None] = {}  # by the transfer syntax that is stored

    def give(self, series: str, instance: str, number: int) -> Given | None:
        """A frame that goes out as it is stored."""
        one = self.rows.get(series, instance)
        if one is None or not 1 <= number <= one.frame_count:
            return None
        form = self._form(one)
        if form is None or not retrieving.is_as_stored(one, decoded=form.is_decoded):
            return None
        return parts.given(form, retrieving.stored_frame(one, number))

    def _form(self, one: Stored) -> Form | None:
        if one.frame_syntax not in self._forms:
            self._forms[one.frame_syntax] = forms.of_frames(self._entries, one.frame_syntax, 1)
        return self._forms[one.frame_syntax]

    def picture(self, request: HttpRequest, study_uid: str, series: str, instance: str, study_id: UUID | None) -> Found:
        """One instance with pictures."""
        self.rows.read_all(self.leave, series)
        one = self.rows.get(series, instance)
        if one is not None:
            return Found(self.leave, [one])
        found = scope.find(request, study_uid, series, instance, study_id=study_id, right=Right.SEE)
        self.rows.keep(found.one)
        return found


class Metadata:
    """What the headers of whole series say, packed."""

    def __init__(self, leave: Pass, base: str) -> None:
        self.leave, self._base = leave, base
        self._kept: dict[str, bytes | None] = {}

    def give(self, series: str, instance: str, number: int) -> Given | None:
        """Of a series that was asked for before."""
        kept = self._kept.get(series)
        return Given(kept, forms.JSON, "gzip") if kept else None

    def of(self, series: str) -> bytes | None:
        """Of any series; None where it must be put together."""
        if series not in self._kept:
            self._kept[series] = sidecars.packed(self.leave.study, series, self._base)
        return self._kept[series]


def frames(request: HttpRequest, study_uid: str, study_id: UUID | None) -> Frames:
    """The rider for frames. NotFound and Gone as in `scope.admit`."""
    rider = Frames(scope.admit(request, study_uid, study_id, Right.SEE), accepting.wanted(request))
    before = riding.board(request, rider)
    if isinstance(before, Frames) and before.rows.is_fresh and _is_same(before.leave.study, rider.leave.study):
        rider.rows = before.rows
    return rider


def _is_same(one: Study, other: Study) -> bool:
    """Whether it is one study, and as much of it may be seen."""
    return (one.pk, one.only_series) == (other.pk, other.only_series)


def metadata(request: HttpRequest, study_uid: str, study_id: UUID | None) -> Metadata:
    """The rider for what headers say, as above."""
    rider = Metadata(scope.admit(request, study_uid, study_id, Right.SEE), addresses.base(request, study_id))
    riding.board(request, rider)
    return rider
