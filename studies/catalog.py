"""The read side of `studies`: what others may know of series, pictures and originals.

Outside this app nobody touches Instance, packs or stacks. Nothing here asks whether somebody may look: bytes go
out through `portal.delivery` alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

from django.db.models import F, Model, QuerySet

from accounts.errors import NotFound
from studies import words
from studies.models import Instance, Rendition, SealedObject, Series, Study
from studies.store import objects
from studies.words import kind_words, modality_words, title

M = TypeVar("M", bound=Model)

__all__ = [
    "Original",
    "Picture",
    "Preview",
    "SeriesView",
    "kind_words",
    "modality_words",
    "originals",
    "picture",
    "previews",
    "series_of",
    "thumbnail",
    "title",
]

MEDIA_TYPES = {Rendition.Size.THUMBNAIL: "image/webp", Rendition.Size.PREVIEW: "image/jpeg"}
LONGEST_PREVIEW = 1024  # pixels: see `showing.SIZES`
CINES = frozenset({"US", "IVUS", "IVOCT", "XA", "RF"})
# Without a number last; the UID only makes the order the same each time.
SERIES_ORDER = (F("number").asc(nulls_last=True), "series_uid")


@dataclass(frozen=True)
class SeriesView:
    """One series as a page shows it: words are in the reader's language, `frame_time` in ms."""

    id: UUID
    title: str
    modality: str
    modality_words: str
    plane: str
    number: int | None
    count: int  # pictures
    instances: int
    frame_time: float | None
    note: str
    thumbnail: bool
    is_cine: bool = False  # recordings only, that move
    has_grey: bool = True  # there is a brightness to adjust, or nobody looked
    is_larger: bool = True  # than its previews, or nobody looked


@dataclass(frozen=True)
class Picture:
    """One JPEG or WebP, opened and checked to its first block."""

    blocks: Iterator[bytes]
    media_type: str
    length: int
    width: int
    height: int


@dataclass(frozen=True)
class Preview:
    """One picture of a study in its place (index from 1), not opened yet."""

    series_id: UUID
    index: int
    length: int
    width: int
    height: int
    stack: SealedObject = field(repr=False)
    offset: int = 0

    def blocks(self) -> Iterator[bytes]:
        """Its JPEG bytes."""
        return objects.read(self.stack, self.offset, self.length)


@dataclass(frozen=True)
class Original:
    """One instance as the facility sent it (number from 1 within the study, order from 0 within its series)."""

    number: int
    sop_uid: str
    sop_class_uid: str
    series_id: UUID
    series_number: int | None
    sha256: str
    crc32: int
    length: int
    transfer_syntax_uid: str
    order: int
    pixel_offset: int | None
    pack: SealedObject = field(repr=False)
    offset: int = 0

    def blocks(self) -> Iterator[bytes]:
        """The unchanged file."""
        return objects.read(self.pack, self.offset, self.length)

    def header(self) -> bytes:
        """The file up to its pixels; all of it where nobody knows where they begin."""
        return b"".join(objects.read(self.pack, self.offset, self.pixel_offset or self.length))


def series_of(study: Study) -> list[SeriesView]:
    """The study's series: those with pictures first, each group in the facility's order."""
    pictures = {
        (rendition.series_id, rendition.size): rendition.pictures
        for rendition in Rendition.objects.filter(series__study=study)
    }
    views = [_view(series, pictures) for series in _series(study)]
    return sorted(views, key=lambda view: not view.count)


def image_count(study: Study, series: Sequence[SeriesView]) -> int:
    """How many pictures there are for whoever asked, whose series these are."""
    return study.image_count if study.only_series is None else sum(one.count for one in series)


def rendition(study: Study, series_id: UUID, size: str) -> Rendition:
    """The pictures of one of the study's series at one size. Raises NotFound."""
    found = _renditions(study, size).filter(series=series_id).first()
    if found is None:
        raise NotFound
    return found


def picture_of(made: Rendition, index: int) -> Picture:
    """One of them (from 1); the one thumbnail stands for every index. Raises NotFound."""
    return _picture(made, 1 if made.size == Rendition.Size.THUMBNAIL else index)


def picture(study: Study, series_id: UUID, size: str, index: int) -> Picture:
    """A picture of one of the study's series, as above."""
    return picture_of(rendition(study, series_id, size), index)


def thumbnail(study: Study) -> Picture:
    """The picture that stands for the study: the middle one of its longest series. Raises NotFound."""
    longest = ("-series__instance_count", F("series__number").asc(nulls_last=True), "series__series_uid")
    rendition = _renditions(study, Rendition.Size.THUMBNAIL).order_by(*longest).first()
    if rendition is None:
        raise NotFound
    return _picture(rendition, 1)


def previews(study: Study) -> Iterator[Preview]:
    """Every picture of the study, series after series."""
    renditions = {rendition.series_id: rendition for rendition in _renditions(study, Rendition.Size.PREVIEW)}
    for series in _series(study):
        if rendition := renditions.get(series.pk):
            for index, (_, _, offset, length, width, height) in enumerate(rendition.pictures, 1):
                yield Preview(series.pk, index, length, width, height, rendition.stack, offset)


def originals(study: Study) -> Iterator[Original]:
    """Every instance of the study in its present version, series after series, in order."""
    series_order = (F("series__number").asc(nulls_last=True), "series__series_uid")
    present = Instance.objects.present().filter(study=study)
    if study.only_series is not None:
        present = present.filter(series__in=study.only_series)
    instances = (
        present.select_related("series").defer("facts", "frames").order_by(*series_order, "order", "pk").with_packs()
    )
    for number, instance in enumerate(instances, 1):
        yield _original(number, instance)


def _series(study: Study) -> QuerySet[Series]:
    # A correction may have moved the last instance out of a series.
    return _of_parts(Series.objects.filter(study=study, instance_count__gt=0), study, "pk").order_by(*SERIES_ORDER)


def _renditions(study: Study, size: str) -> QuerySet[Rendition]:
    of_study = Rendition.objects.filter(series__study=study, size=size)
    return _of_parts(of_study, study).select_related("stack__patient")


def _of_parts(rows: QuerySet[M], study: Study, series: str = "series") -> QuerySet[M]:
    """Without the series that whoever asked may not see; `series` is the way from a row to its series."""
    return rows if study.only_series is None else rows.filter(**{f"{series}__in": study.only_series})


def _view(series: Series, pictures: Mapping[tuple[UUID, str], list[list[int]]]) -> SeriesView:
    shown = pictures.get((series.pk, Rendition.Size.PREVIEW), [])
    return SeriesView(
        id=series.pk,
        title=words.series_title(series),
        modality=series.modality,
        modality_words=modality_words(series.modality),
        plane=words.plane_words(series.plane),
        number=series.number,
        count=len(shown),
        instances=series.instance_count,
        frame_time=series.frame_time,
        note=words.sentence(series.note),
        thumbnail=(series.pk, Rendition.Size.THUMBNAIL) in pictures,
        is_cine=bool(series.frame_time) and series.modality in CINES and _move(shown),
        has_grey=series.has_grey is not False,
        is_larger=not 0 < series.longest_side <= LONGEST_PREVIEW,
    )


def _move(pictures: list[list[int]]) -> bool:
    """Whether all pictures are of recordings: stills between them would flash by."""
    return bool(pictures) and min(Counter(instance for instance, *_ in pictures).values()) > 1


def _picture(rendition: Rendition, index: int) -> Picture:
    if not 1 <= index <= len(rendition.pictures):
        raise NotFound
    _, _, offset, length, width, height = rendition.pictures[index - 1]
    blocks = objects.read(rendition.stack, offset, length)
    return Picture(blocks, MEDIA_TYPES[Rendition.Size(rendition.size)], length, width, height)


def _original(number: int, instance: Instance) -> Original:
    return Original(
        number=number,
        sop_uid=instance.sop_uid,
        sop_class_uid=instance.sop_class_uid,
        series_id=instance.series_id,
        series_number=instance.series.number,
        sha256=bytes(instance.sha256).hex(),
        crc32=instance.crc32,
        length=instance.length,
        transfer_syntax_uid=instance.transfer_syntax_uid,
        order=instance.order,
        pixel_offset=instance.pixel_offset,
        pack=instance.pack,
        offset=instance.offset,
    )
