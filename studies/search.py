"""Look for a facility's patients the way people at a desk do: one box, whatever they have at hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Final

from django.db.models import Q, QuerySet

from accounts.models import Facility
from studies.models import FacilityPatient, Study
from studies.names import folded

_YEAR_FIRST: Final = re.compile(r"(\d{4})([-./]?)(\d{1,2})\2(\d{1,2})")
_YEAR_LAST: Final = re.compile(r"(\d{1,2})([-./]?)(\d{1,2})\2(\d{4})")
MOST_WORDS: Final = 8


def search(facility: Facility, text: str) -> QuerySet[FacilityPatient]:
    """The patients that fit every word of `text`: beginnings of names, a birth date, or a whole number.

    Patient IDs and accession numbers must be typed whole, so that nobody leafs through a facility's patients by them.
    """
    words = text.replace(",", " ").replace("^", " ").split()
    wanted = Q()
    for word in words[:MOST_WORDS]:
        wanted &= _fits(facility, word)
    patients = FacilityPatient.objects.filter(wanted | Q(patient_id__iexact=text.strip()), facility=facility)
    return patients.order_by("name_words", "birth_date", "pk") if words else patients.none()


def birth_dates(word: str) -> set[date]:
    """Every day that digits may mean: 3/5/1980 is in March or in May. Empty for what is no date."""
    return set(_readings(word))


def _fits(facility: Facility, word: str) -> Q:
    accession = Study.objects.filter(facility=facility, accession_number__iexact=word)
    fits = Q(patient_id__iexact=word) | Q(pk__in=accession.values("patient")) | Q(birth_date__in=birth_dates(word))
    name = folded(word)
    return fits | Q(name_words__contains=name) if name else fits


def _readings(word: str) -> Iterator[date]:
    if found := _YEAR_FIRST.fullmatch(word):
        yield from _day(found[1], found[3], found[4])
    if found := _YEAR_LAST.fullmatch(word):
        yield from _day(found[4], found[3], found[1])
        yield from _day(found[4], found[1], found[3])


def _day(year: str, month: str, day: str) -> Iterator[date]:
    try:
        yield date(int(year), int(month), int(day))
    except ValueError:
        return  # no such day in this reading
