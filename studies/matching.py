"""QIDO-RS: which studies, series and instances match, and what is said of each (PS3.18 §10.6, §8.3.4).

The caller says what may be searched at all; nothing beyond it is looked at, nor counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, time
from typing import Any, Final, TypeVar
from uuid import UUID

from django.db import connection
from django.db.models import Count, Exists, F, Model, OrderBy, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.errors import BadRequest
from accounts.rows import fetch
from studies.documents import enclosed
from studies.models import Instance, Series, Study
from studies.names import folded
from studies.values import dicom_date, dicom_time, is_uid

Element = dict[str, Any]
Row = dict[str, Element]
M = TypeVar("M", bound=Model)

ABOUT_PICTURES: Final = ("PR", "KO")
LAST_LETTER: Final = "\U0010ffff"
_TWINS: Final = "SELECT study_uid FROM studies_study WHERE study_uid IN %s GROUP BY study_uid HAVING COUNT(*) > 1"
MOST: Final = 1000
"""Results of one answer."""


Parts = Mapping[UUID, frozenset[UUID]]
"""Of studies that somebody sees in parts, by id: the series that she sees."""

NO_PARTS: Final[Parts] = {}


@dataclass(frozen=True)
class Query:
    """What a client asks: attributes (by tag) and what they must be, which results of those that match."""

    keys: Mapping[str, str]
    limit: int = MOST
    offset: int = 0


@dataclass(frozen=True)
class Matches:
    """What matches, in a stable order, and whether there is more than was asked for or is given at once."""

    rows: list[Row] = field(default_factory=list)
    is_cut: bool = False


# --- keys: each turns what was asked into a condition


def _text(column: str) -> Callable[[str], Q]:
    """Wildcard matching (PS3.4 §C.2.2.2.4), without regard to case."""

    def condition(asked: str) -> Q:
        if not re.search(r"[*?]", asked):
            return Q(**{f"{column}__iexact": asked})
        if asked.strip("*") == "":
            return Q()
        return Q(**{f"{column}__iregex": _pattern(asked)})

    return condition


def _exact(column: str) -> Callable[[str], Q]:
    """Numbers and names of things, to the letter (§C.2.2.2.1), so that an index finds them; or by wildcards."""
    match = _text(column)

    def condition(asked: str) -> Q:
        return match(asked) if re.search(r"[*?]", asked) else Q(**{column: asked})

    return condition


def _pattern(asked: str) -> str:
    """A wildcard pattern as a regular expression, whose time does not explode with its stars.

    What stands between two stars is taken where it comes first, for good. PostgreSQL does so by itself, and knows no
    words for it; Python, which matches for SQLite, would try every other place.
    """
    first, *middle = (re.escape(piece).replace(r"\?", ".") for piece in re.split(r"\*+", asked))
    if not middle:
        return f"^{first}$"
    last = middle.pop()
    for_good = "(?>.*?{})" if connection.vendor == "sqlite" else ".*{}"
    return f"^{first}{''.join(for_good.format(piece) for piece in middle)}.*{last}$"


def _name(column: str) -> Callable[[str], Q]:
    """Names without regard to case, accents and the marks between their parts."""
    match = _text(column)

    def condition(asked: str) -> Q:
        pieces = re.split(r"([*?])", asked)
        words = "".join(piece if piece in ("*", "?") else folded(piece)[1:] for piece in pieces)
        if not words.strip("*?"):
            return Q()
        if words[0] in "*?":
            return match(words)
        begins = re.split(r"[*?]", f" {words}", maxsplit=1)[0]
        return _begins_with(column, begins) & match(f" {words}")

    return condition


def _begins_with(column: str, text: str) -> Q:
    """What an index can find. SQLite's LIKE, without regard to case, goes by none."""
    if connection.vendor != "sqlite":
        return Q(**{f"{column}__startswith": text})
    return Q(**{f"{column}__gte": text, f"{column}__lt": f"{text}{LAST_LETTER}"})


def _uids(column: str) -> Callable[[str], Q]:
    """A list of UIDs (§C.2.2.2.2). Clients that put wildcards behind everything put them here too."""

    def condition(asked: str) -> Q:
        uids = [uid for uid in re.split(r"[,\\]", asked.replace("*", "")) if uid]
        if not all(is_uid(uid) for uid in uids):
            raise BadRequest(_("A UID in the query is none."))
        return Q(**{f"{column}__in": uids}) if uids else Q()

    return condition


def _range(column: str, read: Callable[[str], date | time | None]) -> Callable[[str], Q]:
    """A day or a time, or a range of them: a-b, a-, -b (§C.2.2.2.5)."""

    def condition(asked: str) -> Q:
        if asked in ("", "*", "-"):
            return Q()
        first, is_range, last = asked.partition("-")
        ends = [read(end.strip()) for end in (first, last) if end.strip()]
        if None in ends:
            raise BadRequest(_("A date or time in the query is none."))
        if not is_range:
            return Q(**{column: ends[0]})
        above = Q(**{f"{column}__gte": ends[0]}) if first.strip() else Q()
        return above & (Q(**{f"{column}__lte": ends[-1]}) if last.strip() else Q())

    return condition


def _number(column: str) -> Callable[[str], Q]:
    def condition(asked: str) -> Q:
        if not re.fullmatch(r" *-?\d{1,12} *", asked):
            raise BadRequest(_("A number in the query is none."))
        return Q(**{column: int(asked)})

    return condition


def _of_any_series(column: str) -> Callable[[str], Q]:
    """Of a study, by any of its series; several values mean any of them."""

    def condition(asked: str) -> Q:
        found = Q()
        for one in re.split(r"[,\\]", asked):
            found |= _text(column)(one.strip())
        return Q(Exists(Series.objects.filter(found, study=OuterRef("pk"), instance_count__gt=0))) if found else Q()

    return condition


Condition = Callable[[str], Q]

STUDY_KEYS: Final[dict[str, Condition]] = {
    "00080020": _range("study_date", dicom_date),
    "00080030": _range("study_time", dicom_time),
    "00080050": _exact("accession_number"),
    "00080061": _of_any_series("modality"),
    "00080090": _text("referring_physician"),
    "00081030": _text("description"),
    "00100010": _name("patient__name_words"),
    "00100020": _exact("patient__patient_id"),
    "00100021": _exact("patient__issuer"),
    "00100030": _range("patient__birth_date", dicom_date),
    "00100040": _text("patient__sex"),
    "0020000D": _uids("study_uid"),
}
SERIES_KEYS: Final[dict[str, Condition]] = {
    "00080060": _text("modality"),
    "0008103E": _text("description"),
    "00180015": _text("body_part"),
    "0020000E": _uids("series_uid"),
    "00200011": _number("number"),
}
INSTANCE_KEYS: Final[dict[str, Condition]] = {
    "00080016": _uids("sop_class_uid"),
    "00080018": _uids("sop_uid"),
    "00200013": _number("instance_number"),
}
KEYWORDS: Final = {
    "StudyDate": "00080020",
    "StudyTime": "00080030",
    "AccessionNumber": "00080050",
    "ModalitiesInStudy": "00080061",
    "ReferringPhysicianName": "00080090",
    "StudyDescription": "00081030",
    "PatientName": "00100010",
    "PatientID": "00100020",
    "IssuerOfPatientID": "00100021",
    "PatientBirthDate": "00100030",
    "PatientSex": "00100040",
    "StudyInstanceUID": "0020000D",
    "Modality": "00080060",
    "SeriesDescription": "0008103E",
    "BodyPartExamined": "00180015",
    "SeriesInstanceUID": "0020000E",
    "SeriesNumber": "00200011",
    "SOPClassUID": "00080016",
    "SOPInstanceUID": "00080018",
    "InstanceNumber": "00200013",
}
"""Of every attribute that can be matched, the tag."""


SAID_OF_A_STUDY: Final = (
    *("study_uid", "study_date", "study_time", "accession_number", "referring_physician", "description"),
    *("modalities", "series_count", "instance_count"),
    *(f"patient__{name}" for name in ("name", "patient_id", "issuer", "birth_date", "sex")),
)


def _conditions(query: Query, keys: Mapping[str, Condition]) -> Q:
    found = Q()
    for tag, asked in query.keys.items():
        if tag in keys and asked:
            found &= keys[tag](asked)
    return found


# --- the three levels
#
# Each is asked among the `allowed` studies; what is written counts in the `readable` alone.


def _newest_first(of: str = "") -> tuple[OrderBy | str, ...]:
    return F(f"{of}study_date").desc(nulls_last=True), F(f"{of}study_time").desc(nulls_last=True), f"{of}study_uid"


def _in_order(of: str = "") -> tuple[OrderBy | str, ...]:
    return F(f"{of}number").asc(nulls_last=True), f"{of}series_uid"


def alone(allowed: QuerySet[Study]) -> QuerySet[Study]:
    """Of twins the newest alone."""
    newer = allowed.filter(study_uid=OuterRef("study_uid"), received_at__gt=OuterRef("received_at"))
    return allowed.exclude(Exists(newer))


def studies(allowed: QuerySet[Study], readable: QuerySet[Study], query: Query, parts: Parts = NO_PARTS) -> Matches:
    """Studies; of twins the newest alone."""
    found = allowed.filter(_conditions(query, STUDY_KEYS)).order_by(*_newest_first())
    found = found.select_related("patient").only(*SAID_OF_A_STUDY)
    page, is_cut = _page(found, query)
    if query.offset or _have_twins(page):
        page, is_cut = _page(found.filter(pk__in=alone(allowed).values("pk")), query)
    with_words = set(readable.filter(pk__in=[one.pk for one in page]).values_list("pk", flat=True))
    for one in page:
        one.only_series = parts.get(one.pk)
    return Matches([_study_row(one, documents=one.pk in with_words) for one in page], is_cut)


def series(
    allowed: QuerySet[Study],
    readable: QuerySet[Study],
    query: Query,
    parts: Parts = NO_PARTS,
    *,
    pictures_only: bool = False,
) -> Matches:
    """Series of studies without twins.

    `pictures_only` leaves out what says how to look at pictures, and which: presentation states and key objects.
    """
    shown = _instances(readable)
    found = _series(allowed, query, parts).filter(Exists(shown.filter(series=OuterRef("pk"))))
    if pictures_only:
        found = found.exclude(modality__in=ABOUT_PICTURES)
    page, is_cut = _page(found.select_related("study").order_by(*_newest_first("study__"), *_in_order()), query)
    counted = shown.filter(series__in=[one.pk for one in page])
    counts = dict(counted.values_list("series").annotate(Count("pk")))
    return Matches([_series_row(one, counts.get(one.pk, 0)) for one in page], is_cut)


def instances(allowed: QuerySet[Study], readable: QuerySet[Study], query: Query, parts: Parts = NO_PARTS) -> Matches:
    """Instances of studies without twins."""
    series_found = _series(allowed, query, parts)
    found = _instances(readable).filter(_conditions(query, INSTANCE_KEYS), series__in=series_found)
    order = *_newest_first("study__"), *_in_order("series__"), "order", "pk"
    page, is_cut = _page(found.select_related("series", "study").defer("frames").order_by(*order), query)
    return Matches([_instance_row(one) for one in page], is_cut)


def _page(found: QuerySet[M], query: Query) -> tuple[list[M], bool]:
    limit = min(query.limit, MOST)
    rows = list(found[query.offset : query.offset + limit + 1])
    return rows[:limit], len(rows) > limit


def _have_twins(page: list[Study]) -> bool:
    """Whether there may be twins of what was found: far cheaper than to look for them in every search."""
    uids = [one.study_uid for one in page]
    return bool(uids) and bool(fetch(_TWINS, uids))


def _instances(readable: QuerySet[Study]) -> QuerySet[Instance]:
    return Instance.objects.present().filter(~enclosed.of_documents() | Q(study__in=readable))


def _series(allowed: QuerySet[Study], query: Query, parts: Parts) -> QuerySet[Series]:
    """Series that match, of studies that do; of those that are seen in parts these alone."""
    of = allowed.filter(_conditions(query, STUDY_KEYS))
    found = Series.objects.filter(_conditions(query, SERIES_KEYS), study__in=of)
    for study_id, shown in parts.items():
        found = found.exclude(~Q(pk__in=shown), study=study_id)
    return found


# --- what is said of each


def _study_row(study: Study, *, documents: bool) -> Row:
    patient = study.patient
    modalities, series_count, instance_count = study.modalities, study.series_count, study.instance_count
    if not documents or study.only_series is not None:
        readable = Study.objects.filter(pk=study.pk) if documents else Study.objects.none()
        of_study = _instances(readable).filter(study=study)
        if study.only_series is not None:
            of_study = of_study.filter(series__in=study.only_series)
        shown = of_study.values_list("series", "series__modality")
        modalities = sorted({modality for _series, modality in shown if modality})
        series_count, instance_count = len({series for series, _modality in shown}), len(shown)
    return _row(
        ("00080005", "CS", "ISO_IR 192"),
        ("00080020", "DA", _day(study.study_date)),
        ("00080030", "TM", study.study_time and study.study_time.strftime("%H%M%S")),
        ("00080050", "SH", study.accession_number),
        ("00080056", "CS", "ONLINE"),
        ("00080061", "CS", modalities),
        ("00080090", "PN", study.referring_physician),
        ("00081030", "LO", study.description),
        ("00100010", "PN", patient.name),
        ("00100020", "LO", patient.patient_id),
        ("00100021", "LO", patient.issuer),
        ("00100030", "DA", _day(patient.birth_date)),
        ("00100040", "CS", patient.sex),
        ("0020000D", "UI", study.study_uid),
        ("00201206", "IS", series_count),
        ("00201208", "IS", instance_count),
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
