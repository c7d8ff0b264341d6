"""QIDO-RS: which studies, series and instances match, and what is said of each (PS3.18 §10.6, §8.3.4).

The caller says what may be searched at all; nothing beyond it is looked at, nor counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, TypeVar
from uuid import UUID

from django.db.models import Count, Exists, F, Model, OrderBy, OuterRef, Q, QuerySet

from accounts.rows import fetch
from studies import query as asked
from studies.documents import enclosed
from studies.models import Instance, Series, Study
from studies.query import MOST, Query

Element = dict[str, Any]
Row = dict[str, Element]
M = TypeVar("M", bound=Model)

ABOUT_PICTURES: Final = ("PR", "KO")
_TWINS: Final = "SELECT study_uid FROM studies_study WHERE study_uid IN %s GROUP BY study_uid HAVING COUNT(*) > 1"

Parts = Mapping[UUID, frozenset[UUID]]
"""Of studies that somebody has in parts, by id: the series that she has."""


@dataclass(frozen=True)
class Share:
    """The studies on which somebody has a right, and which parts of them, to be asked as often as rows are read.

    A part that is lent while a search runs would come without its bounds, were they not asked for after it.
    """

    studies: QuerySet[Study]
    parts: Callable[[], Parts] = dict


@dataclass(frozen=True)
class Matches:
    """What matches, in a stable order, and whether there is more than was asked for or is given at once."""

    rows: list[Row] = field(default_factory=list)
    is_cut: bool = False


SAID_OF_A_STUDY: Final = (
    *("study_uid", "study_date", "study_time", "accession_number", "referring_physician", "description"),
    *("modalities", "series_count", "instance_count"),
    *(f"patient__{name}" for name in ("name", "patient_id", "issuer", "birth_date", "sex")),
)


# --- the three levels
#
# Each is asked among what is `seen`; what is written counts in what may be `read` alone.


def _newest_first(of: str = "") -> tuple[OrderBy | str, ...]:
    return F(f"{of}study_date").desc(nulls_last=True), F(f"{of}study_time").desc(nulls_last=True), f"{of}study_uid"


def _in_order(of: str = "") -> tuple[OrderBy | str, ...]:
    return F(f"{of}number").asc(nulls_last=True), f"{of}series_uid"


def alone(allowed: QuerySet[Study]) -> QuerySet[Study]:
    """Of twins the newest alone."""
    newer = allowed.filter(study_uid=OuterRef("study_uid"), received_at__gt=OuterRef("received_at"))
    return allowed.exclude(Exists(newer))


def studies(seen: Share, read: Share, query: Query) -> Matches:
    """Studies; of twins the newest alone."""
    found = seen.studies.filter(_of_studies(query, seen)).order_by(*_newest_first())
    found = found.select_related("patient").only(*SAID_OF_A_STUDY)
    page, is_cut = _page(found, query)
    if query.offset or _have_twins(page):
        page, is_cut = _page(found.filter(pk__in=alone(seen.studies).values("pk")), query)
    with_words = set(read.studies.filter(pk__in=[one.pk for one in page]).values_list("pk", flat=True))
    seen_parts, read_parts = seen.parts(), read.parts()
    for one in page:
        one.only_series = seen_parts.get(one.pk)
        readable = read_parts.get(one.pk) if one.pk in with_words else frozenset[UUID]()
        _count_again(one, readable)
    return Matches([_study_row(one) for one in page], is_cut)


def series(seen: Share, read: Share, query: Query, *, pictures_only: bool = False) -> Matches:
    """Series of studies without twins.

    `pictures_only` leaves out what is written but for PDFs, and what says how to look at pictures, and which:
    presentation states and key objects.
    """
    shown = _instances(read)
    if pictures_only:
        shown = shown.exclude(enclosed.of_documents() & ~Q(sop_class_uid=enclosed.PDF))
    found = _series(seen, query).filter(Exists(shown.filter(series=OuterRef("pk"))))
    if pictures_only:
        found = found.exclude(modality__in=ABOUT_PICTURES)
    page, is_cut = _page(found.select_related("study").order_by(*_newest_first("study__"), *_in_order()), query)
    parts = seen.parts()
    page = [one for one in page if _is_part(one.study_id, one.pk, parts)]
    counted = shown.filter(series__in=[one.pk for one in page])
    counts = dict(counted.values_list("series").annotate(Count("pk")))
    return Matches([_series_row(one, counts.get(one.pk, 0)) for one in page], is_cut)


def instances(seen: Share, read: Share, query: Query) -> Matches:
    """Instances of studies without twins."""
    found = _instances(read).filter(asked.of_instances(query), series__in=_series(seen, query))
    order = *_newest_first("study__"), *_in_order("series__"), "order", "pk"
    page, is_cut = _page(found.select_related("series", "study").defer("frames").order_by(*order), query)
    parts = seen.parts()
    return Matches([_instance_row(one) for one in page if _is_part(one.study_id, one.series_id, parts)], is_cut)


def _page(found: QuerySet[M], query: Query) -> tuple[list[M], bool]:
    limit = min(query.limit, MOST)
    rows = list(found[query.offset : query.offset + limit + 1])
    return rows[:limit], len(rows) > limit


def _have_twins(page: list[Study]) -> bool:
    """Whether there may be twins of what was found: far cheaper than to look for them in every search."""
    uids = [one.study_uid for one in page]
    return bool(uids) and bool(fetch(_TWINS, uids))


def _instances(read: Share) -> QuerySet[Instance]:
    """Those with pictures, and those that are written where they may be read."""
    words = Q(study__in=read.studies)
    for study_id, readable in read.parts().items():
        words &= ~Q(study=study_id) | Q(series__in=readable)
    return Instance.objects.present().filter(~enclosed.of_documents() | words)


def _of_studies(query: Query, seen: Share) -> Q:
    of_any = asked.of_any_series(query)
    if not of_any:
        return asked.of_studies(query)
    one = _within(seen, Series.objects.filter(of_any, study=OuterRef("pk"), instance_count__gt=0))
    return asked.of_studies(query) & Q(Exists(one))


def _series(seen: Share, query: Query) -> QuerySet[Series]:
    """Series that match, of studies that do; of those that are seen in parts these alone."""
    of = seen.studies.filter(_of_studies(query, seen))
    return _within(seen, Series.objects.filter(asked.of_series(query), study__in=of))


def _within(seen: Share, found: QuerySet[Series]) -> QuerySet[Series]:
    for study_id, shown in seen.parts().items():
        found = found.exclude(~Q(pk__in=shown), study=study_id)
    return found


def _is_part(study_id: UUID, series_id: UUID, parts: Parts) -> bool:
    return study_id not in parts or series_id in parts[study_id]


def _count_again(study: Study, readable: frozenset[UUID] | None) -> None:
    """What there is of a study for somebody who may see parts of it, or may not read all that is written in it."""
    if readable is None and study.only_series is None:
        return
    shown = Instance.objects.present().filter(study=study)
    if study.only_series is not None:
        shown = shown.filter(series__in=study.only_series)
    if readable is not None:
        shown = shown.filter(~enclosed.of_documents() | Q(series__in=readable))
    found = list(shown.values_list("series", "series__modality"))
    study.modalities = sorted({modality for _series, modality in found if modality})
    study.series_count, study.instance_count = len({series for series, _modality in found}), len(found)


# --- what is said of each


def _study_row(study: Study) -> Row:
    patient = study.patient
    return _row(
        ("00080005", "CS", "ISO_IR 192"),
        ("00080020", "DA", _day(study.study_date)),
        ("00080030", "TM", study.study_time and study.study_time.strftime("%H%M%S")),
        ("00080050", "SH", study.accession_number),
        ("00080056", "CS", "ONLINE"),
        ("00080061", "CS", study.modalities),
        ("00080090", "PN", study.referring_physician),
        ("00081030", "LO", study.description),
        ("00100010", "PN", patient.name),
        ("00100020", "LO", patient.patient_id),
        ("00100021", "LO", patient.issuer),
        ("00100030", "DA", _day(patient.birth_date)),
        ("00100040", "CS", patient.sex),
        ("0020000D", "UI", study.study_uid),
        ("00201206", "IS", study.series_count),
        ("00201208", "IS", study.instance_count),
    )


def _series_row(series: Series, count: int) -> Row:
    return _row(
        ("00080005", "CS", "ISO_IR 192"),
        ("00080060", "CS", series.modality),
        ("0008103E", "LO", series.description),
        ("00180015", "CS", series.body_part),
        ("0020000D", "UI", series.study.study_uid),
        ("0020000E", "UI", series.series_uid),
        ("00200011", "IS", series.number),
        ("00201209", "IS", count),
    )


def _instance_row(instance: Instance) -> Row:
    facts = instance.facts
    return _row(
        ("00080005", "CS", "ISO_IR 192"),
        ("00080016", "UI", instance.sop_class_uid),
        ("00080018", "UI", instance.sop_uid),
        ("00080056", "CS", "ONLINE"),
        ("00080060", "CS", instance.series.modality),
        ("0020000D", "UI", instance.study.study_uid),
        ("0020000E", "UI", instance.series.series_uid),
        ("00200011", "IS", instance.series.number),
        ("00200013", "IS", instance.instance_number),
        ("00280008", "IS", instance.frame_count if instance.frame_count > 1 else None),
        ("00280010", "US", facts.get("rows")),
        ("00280011", "US", facts.get("columns")),
        ("00083002", "UI", instance.transfer_syntax_uid),
    )


def _row(*attributes: tuple[str, str, Any]) -> Row:
    return {tag: _element(vr, value) for tag, vr, value in sorted(attributes)}


def _element(vr: str, value: Any) -> Element:
    """One element of DICOM JSON (PS3.18 §F.2.2): without a value where there is none."""
    values = [one for one in (value if isinstance(value, list) else [value]) if one not in (None, "")]
    if vr == "PN":
        values = [groups for groups in map(_groups, values) if groups]
    return {"vr": vr, "Value": values} if values else {"vr": vr}


def _groups(name: str) -> dict[str, str]:
    groups = zip(("Alphabetic", "Ideographic", "Phonetic"), name.split("="), strict=False)
    return {group: text for group, text in groups if text}


def _day(day: date | None) -> str:
    return day.strftime("%Y%m%d") if day else ""
