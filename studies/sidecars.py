"""What the headers of a series say, kept: so that who opens a long series does not wait while a sandbox reads it all.

Made by the pipeline behind the pictures. What they say is a stranger's word, and was looked at before it was kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final
from uuid import UUID

from isal import igzip, isal_zlib

from studies import headers
from studies.apart import ask_in_turns
from studies.documents import enclosed
from studies.jobs import Hold
from studies.models import Instance, SealedObject, Series, Sidecar, Study
from studies.store import objects
from studies.store.damage import Damaged
from studies.store.objects import SealedWriter

ANCHOR: Final = "urn:lightbox:dicomweb"
"""What the addresses in it begin with, until somebody knows by which address it was asked for."""
MOST: Final = 128 * 2**20
"""Bytes of headers of one series that are kept; a longer one is read each time."""
MOST_LATELY: Final = 16 * 2**20
"""Bytes that one process keeps at hand."""
LEVEL: Final = 2
GZIP: Final = 31  # zlib's number for its form


_lately: dict[tuple[UUID, str], bytes] = {}


def keep(study: Study, hold: Hold) -> None:
    """See that every series of the study has a sidecar that speaks of its present instances."""
    kept = {one.series_id: one for one in Sidecar.objects.filter(series__study=study)}
    for series in study.series.order_by("pk"):
        present = _present(series)
        old = kept.get(series.pk)
        if present and (old is None or old.instances != [one.pk for one in present]):
            _make(study, series, present, hold)


def of(series: Series, instances: Sequence[int]) -> bytes | None:
    """The JSON of these instances of a series, which begins and ends as an array; None where it must be read."""
    kept = Sidecar.objects.filter(series=series).select_related("stack__patient").first()
    if kept is None or kept.instances != list(instances):
        return None
    try:
        return isal_zlib.decompress(b"".join(objects.read(kept.stack)), GZIP)
    except Damaged:  # whoever read it has written that down
        return None


def packed(study: Study, series_uid: str, base: str) -> bytes | None:
    """The JSON of a whole series of pictures for a base of DICOMweb, by gzip; None where it must be put together.

    What was made for a base lately is at hand in memory, as long as it is the same sidecar that speaks of the same
    instances.
    """
    kept = Sidecar.objects.filter(series__study=study, series__series_uid=series_uid).select_related("stack__patient")
    if study.only_series is not None:
        kept = kept.filter(series__in=study.only_series)
    one = kept.first()
    if one is None:
        return None
    present = Instance.objects.present().filter(series=one.series_id).order_by("order", "pk")
    rows = list(present.values_list("pk", "sop_class_uid"))
    if one.instances != [pk for pk, _ in rows] or any(enclosed.is_document(uid) for _, uid in rows):
        return None
    key = one.stack_id, base
    content = _lately.get(key)
    if content is None:
        try:
            said = isal_zlib.decompress(b"".join(objects.read(one.stack)), GZIP)
        except Damaged:
            return None
        content = _lately[key] = igzip.compress(
            said.replace(f'"{ANCHOR}/'.encode(), f'"{base}/'.encode()), LEVEL, mtime=0
        )
        while sum(map(len, list(_lately.values()))) > MOST_LATELY and len(_lately) > 1:
            _lately.pop(next(iter(_lately)), None)
    return content


def _present(series: Series) -> list[Instance]:
    present = Instance.objects.present().filter(series=series).select_related("series", "study")
    return present.defer("facts", "frames").order_by("order", "pk").with_packs()


def _make(study: Study, series: Series, present: list[Instance], hold: Hold) -> None:
    batches = (present[start : start + headers.BATCH] for start in range(0, len(present), headers.BATCH))
    rows = list(ask_in_turns(batches, _ask, lambda one, _code: headers.little(one), hold))
    if sum(map(len, rows)) > MOST:
        return
    writer = SealedWriter(study.facility_id, SealedObject.Kind.SIDECAR)
    try:
        writer.write(igzip.compress(b"[" + b",".join(rows) + b"]", LEVEL, mtime=0))
        writer.commit_bytes()
    finally:
        writer.discard()
    pks = [one.pk for one in present]
    with hold.writing():
        if pks == [one.pk for one in _present(series)]:  # else it may be of somebody else by now
            _swap(study, series, writer, pks)


def _swap(study: Study, series: Series, writer: SealedWriter, pks: list[int]) -> None:
    old = set(Sidecar.objects.filter(series=series).values_list("stack", flat=True))
    made = {"stack": writer.row(study.patient), "instances": pks}
    Sidecar.objects.update_or_create(series=series, defaults=made)
    SealedObject.objects.filter(pk__in=old).delete()


def _ask(batch: Sequence[Instance]) -> list[bytes]:
    said = headers.ask(batch, [headers.address(one, ANCHOR) for one in batch])
    return list(_checked(batch, said))


def _checked(batch: Sequence[Instance], said: Sequence[bytes]) -> Iterator[bytes]:
    for one, row in zip(batch, said, strict=True):
        yield row if headers.is_object(row) else headers.little(one)
