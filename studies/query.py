"""What a client of QIDO-RS asks, turned into conditions (PS3.18 §8.3.4, PS3.4 §C.2.2.2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, time
from typing import Final

from django.db import connection
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.errors import BadRequest
from studies.names import folded
from studies.values import dicom_date, dicom_time, is_uid

LAST_LETTER: Final = "\U0010ffff"
MOST: Final = 1000
"""Results of one answer."""


@dataclass(frozen=True)
class Query:
    """What a client asks: attributes (by tag) and what they must be, which results of those that match."""

    keys: Mapping[str, str]
    limit: int = MOST
    offset: int = 0


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


def _any_of(condition: Callable[[str], Q]) -> Callable[[str], Q]:
    """Several values mean any of them."""

    def any_of(asked: str) -> Q:
        found = Q()
        for one in re.split(r"[,\\]", asked):
            found |= condition(one.strip())
        return found

    return any_of


Condition = Callable[[str], Q]

STUDY_KEYS: Final[dict[str, Condition]] = {
    "00080020": _range("study_date", dicom_date),
    "00080030": _range("study_time", dicom_time),
    "00080050": _exact("accession_number"),
    "00080090": _text("referring_physician"),
    "00081030": _text("description"),
    "00100010": _name("patient__name_words"),
    "00100020": _exact("patient__patient_id"),
    "00100021": _exact("patient__issuer"),
    "00100030": _range("patient__birth_date", dicom_date),
    "00100040": _text("patient__sex"),
    "0020000D": _uids("study_uid"),
}
KEYS_OF_ANY_SERIES: Final[dict[str, Condition]] = {  # asked of a study, answered by one of its series
    "00080061": _any_of(_text("modality")),
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


def of_studies(query: Query) -> Q:
    """What must be true of a study, apart from its series. BadRequest, here and below, for what makes no sense."""
    return _conditions(query, STUDY_KEYS)


def of_any_series(query: Query) -> Q:
    """What must be true of one series of a study at the least; empty where nothing is asked of them."""
    return _conditions(query, KEYS_OF_ANY_SERIES)


def of_series(query: Query) -> Q:
    """What must be true of a series."""
    return _conditions(query, SERIES_KEYS)


def of_instances(query: Query) -> Q:
    """What must be true of an instance."""
    return _conditions(query, INSTANCE_KEYS)


def _conditions(query: Query, keys: Mapping[str, Condition]) -> Q:
    found = Q()
    for tag, asked in query.keys.items():
        if tag in keys and asked:
            found &= keys[tag](asked)
    return found
