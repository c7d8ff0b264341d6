"""What DICOMweb gives out of a study (PS3.18 §10.4): instances, what their headers say, frames and bulk data.

Nothing here asks whether somebody may look: bytes go out through `portal.delivery` alone.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from django.db.models import F
from django.utils.translation import gettext_lazy as _

from accounts.errors import NotFound, PortalError, Unavailable
from studies import closer, headers, sandbox, sidecars
from studies.apart import ask_apart
from studies.documents import enclosed
from studies.frames import Frames, decode_frames
from studies.models import Instance, Rendition, Study
from studies.receiving.preamble import harmless
from studies.sandbox import SandboxBusy, SandboxDied, SandboxRefused
from studies.store import objects

EXPLICIT: Final = "1.2.840.10008.1.2.1"
NATIVE: Final = frozenset({EXPLICIT, "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"})
BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"
PDF: Final = enclosed.PDF
PDF_CONTENT: Final = "00420011"
_QUOTED_ANCHOR: Final = f'"{sidecars.ANCHOR}/'.encode()
SECONDS: Final = 30
PATIENCE: Final = 20.0


class Gone(PortalError):
    """What could be seen once and was taken back."""

    status, code = 410, "gone"
    message = _("The facility has taken this back.")
    hint = _("Ask the facility that made the exam.")


@dataclass(frozen=True)
class Stored:
    """One instance of a study in its present version, as programs ask for it."""

    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    frame_count: int
    length: int
    row: Instance = field(repr=False)

    @property
    def series_id(self) -> UUID:
        """Our own id of its series."""
        return self.row.series_id

    @property
    def is_document(self) -> bool:
        """Whether it is written, and no picture."""
        return enclosed.is_document(self.sop_class_uid)

    @property
    def is_native(self) -> bool:
        """Whether its pixels are not compressed."""
        return self.transfer_syntax_uid in NATIVE

    @property
    def frame_syntax(self) -> str:
        """The transfer syntax in which its frames go out as they are: neither implicit nor big endian (§8.7.3)."""
        return EXPLICIT if self.is_native else self.transfer_syntax_uid

    @cached_property
    def places(self) -> Frames:
        """Where its frames lie in its file, as far as they can be told apart."""
        return decode_frames(bytes(self.row.frames)) if self.row.frames else []

    def blocks(self) -> Iterator[bytes]:
        """The file as it was received, its preamble harmless."""
        return harmless(objects.read(self.row.pack, self.row.offset, self.length))


def instances(
    study: Study, *, series_uid: str = "", sop_uid: str = "", readable: frozenset[UUID] | None
) -> list[Stored]:
    """The instances of a study, of one of its series, or one of them, in order.

    Written ones only of the `readable` series, if these are not all (None). Raises NotFound where there are none, Gone
    where they were rejected.
    """
    asked = Instance.objects.filter(study=study, superseded_at=None)
    if study.only_series is not None:
        asked = asked.filter(series__in=study.only_series)
    if series_uid:
        asked = asked.filter(series__series_uid=series_uid)
    if sop_uid:
        asked = asked.filter(sop_uid=sop_uid)
    order = F("series__number").asc(nulls_last=True), "series__series_uid", "order", "pk"
    rows = asked.filter(rejected_at=None).select_related("series", "study").defer("facts").order_by(*order).with_packs()
    found = [one for one in map(_stored, rows) if not one.is_document or readable is None or one.series_id in readable]
    if not found:
        raise Gone if not rows and asked.exists() else NotFound
    return found


def _stored(row: Instance) -> Stored:
    return Stored(
        study_uid=row.study.study_uid,
        series_uid=row.series.series_uid,
        sop_uid=row.sop_uid,
        sop_class_uid=row.sop_class_uid,
        transfer_syntax_uid=row.transfer_syntax_uid,
        frame_count=row.frame_count,
        length=row.length,
        row=row,
    )


def metadata(found: Sequence[Stored], base: str, *, whose: Hashable) -> bytes:
    """An array of DICOM JSON objects (PS3.18 §F.2), whose bulk data are found under the base of a DICOMweb service.

    What the pipeline has kept of a whole series is not read again. An instance that cannot be read says what the
    catalogue knows of it. Raises Unavailable.
    """
    arrays = []
    for _series, members in groupby(found, key=lambda one: one.series_id):
        rows = [one.row for one in members]
        kept = sidecars.of(rows[0].series, [row.pk for row in rows]) if len(rows) > 1 else None
        arrays.append(kept[1:-1].replace(_QUOTED_ANCHOR, f'"{base}/'.encode()) if kept else _read(rows, base, whose))
    return b"[" + b",".join(arrays) + b"]"


def _read(rows: Sequence[Instance], base: str, whose: Hashable) -> bytes:
    """The objects of an array, read now."""
    said: list[bytes] = []
    for start in range(0, len(rows), headers.BATCH):
        batch = rows[start : start + headers.BATCH]
        said += ask_apart(batch, lambda batch: _ask(batch, base, whose), lambda one, _code: headers.little(one))
    return b",".join(said)


def _ask(batch: Sequence[Instance], base: str, whose: Hashable) -> list[bytes]:
    bases = [headers.address(one, base) for one in batch]
    try:
        said = headers.ask(batch, bases, lane=sandbox.LOOKING, whose=whose, patience=PATIENCE)
    except SandboxBusy as busy:
        raise Unavailable(retry_after=5) from busy
    return [row if headers.is_object(row) else headers.little(one) for one, row in zip(batch, said, strict=True)]


def frame(one: Stored, number: int, *, decoded: bool, whose: Hashable) -> bytes:
    """A frame (from 1) in its `frame_syntax`, or without its compression.

    Raises NotFound where there is no such frame, or no pixels; Unavailable.
    """
    if not 1 <= number <= max(one.frame_count, len(one.places)):
        raise NotFound
    if not is_as_stored(one, decoded=decoded):
        return closer.octets(one.row, number - 1, whose=whose)
    return b"".join(stored_frame(one, number))


def stored_frame(one: Stored, number: int) -> list[bytes]:
    """A frame (from 1) that goes out as it lies in its file, in pieces."""
    with objects.Shelf() as shelf:
        fragments = ((one.row.offset + at, length) for at, length in one.places[number - 1])
        return [piece for at, length in fragments for piece in shelf.pieces(one.row.pack, at, length)]


def is_as_stored(one: Stored, *, decoded: bool) -> bool:
    """Whether frames of it go out as they lie in its file; what they are asked for without, they may not have."""
    return bool(one.places) and one.transfer_syntax_uid != BIG_ENDIAN and (one.is_native or not decoded)


def bulk(one: Stored, path: str, *, whose: Hashable) -> bytes:
    """The value under a path that the instance's metadata named. Raises NotFound, Unavailable."""

    def read() -> Iterator[bytes]:
        with objects.Shelf() as shelf:
            yield shelf.read(one.row.pack, one.row.offset, one.length)

    if one.length > closer.RESULT_LIMIT:
        raise NotFound
    try:
        found = _run("bulk data", {"path": path}, read(), whose).blobs
    except (SandboxDied, SandboxRefused) as refused:
        raise NotFound from refused
    if len(found) != 1:
        raise NotFound
    return found[0]


def _run(task: str, args: dict[str, Any], blobs: Iterator[bytes], whose: Hashable) -> sandbox.Result:
    try:
        return sandbox.run(
            task,
            args,
            blobs,
            seconds=SECONDS,
            result_limit=closer.RESULT_LIMIT,
            lane=sandbox.LOOKING,
            whose=whose,
            patience=PATIENCE,
        )
    except SandboxBusy as busy:
        raise Unavailable(retry_after=5) from busy


def place_of(study: Study, one: Stored, number: int) -> int:
    """Which picture of its series a frame (from 1) is, from 1. Raises NotFound for one that is not shown."""
    shown = Rendition.objects.filter(series=one.row.series_id, size=Rendition.Size.PREVIEW).first()
    for place, (pk, frame_number, *_more) in enumerate(shown.pictures if shown else [], 1):
        if (pk, frame_number) == (one.row.pk, number - 1):
            return place
    raise NotFound
