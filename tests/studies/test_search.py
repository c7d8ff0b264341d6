from __future__ import annotations

from datetime import date

import pytest

from studies.models import FacilityPatient
from studies.patients import Source, learn
from studies.search import birth_dates, search
from tests.cast import Cast, a_patient, a_study

BORN = date(1980, 5, 3)


@pytest.fixture
def ana(cast: Cast) -> FacilityPatient:
    """One of two at Hilltop; Maria at Lakeside is neither."""
    a_patient(cast.hilltop, patient_id="H-2", name="ZEBRAFISH^ANABEL", birth_date=date(1991, 1, 31))
    ana = a_patient(cast.hilltop, patient_id="H-1", name="ZEBRAFISH-GARCÍA^ANA", birth_date=BORN)
    a_study(ana, accession_number="ACC-77")
    return ana


@pytest.mark.parametrize(
    "typed",
    [
        "garcia",
        "García, Ana",
        "zebrafish ana 3.5.1980",
        "h-1",
        "acc-77",
        "1980-05-03",
        "5/3/1980",
        "03051980",
        "ana h-1",
    ],
)
def test_one_box_understands_all(ana: FacilityPatient, typed: str) -> None:
    assert list(search(ana.facility, typed)) == [ana]


@pytest.mark.parametrize("typed", ["", "  ", ",", "arcia", "H-", "ACC", "ana 1.1.1980", "maria", "1980", "'", "^"])
def test_parts_of_numbers_and_middles_of_words_find_nobody(ana: FacilityPatient, typed: str) -> None:
    assert list(search(ana.facility, typed)) == []


def test_the_beginning_of_a_name_finds_all_who_have_it_in_order(ana: FacilityPatient) -> None:
    assert [one.patient_id for one in search(ana.facility, "zebra an")] == ["H-2", "H-1"]


def test_an_id_with_a_space_in_it_is_found(cast: Cast) -> None:
    spaced = a_patient(cast.hilltop, patient_id="H 12 B")
    assert list(search(cast.hilltop, "h 12 b")) == [spaced]


def test_another_facilitys_patients_and_accessions_are_not_found(ana: FacilityPatient, cast: Cast) -> None:
    for typed in ("garcia", "H-1", "ACC-77", "3.5.1980"):
        assert list(search(cast.lakeside, typed)) == []


def test_a_corrected_name_is_found_by_its_new_words(ana: FacilityPatient) -> None:
    learn(ana, name="ZEBRAFISH^LUZ", source=Source.DESK)
    assert (list(search(ana.facility, "luz")), list(search(ana.facility, "garcia"))) == ([ana], [])


@pytest.mark.parametrize(
    ("typed", "days"),
    [
        ("3/5/1980", {date(1980, 5, 3), date(1980, 3, 5)}),
        ("17.5.1980", {date(1980, 5, 17)}),
        ("19800517", {date(1980, 5, 17)}),
        ("1980-5-7", {date(1980, 5, 7)}),
        ("31.2.1980", set()),
        ("0000-01-01", set()),
        ("3/5-1980", set()),
        ("80", set()),
    ],
)
def test_digits_mean_every_day_they_may_mean(typed: str, days: set[date]) -> None:
    assert birth_dates(typed) == days
