from __future__ import annotations

from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studies.values import dicom_date, dicom_time, is_uid, person_name


@pytest.mark.parametrize("text", ["1.2.840.10008.1.1", "1.2.03", "1" * 64])
def test_a_uid_is_digits_and_dots(text: str) -> None:
    assert is_uid(text)


@pytest.mark.parametrize("text", ["", "1" * 65, "1.2 ", "1.2\n", "../1", "1.2\\1.3", "\u0661.2"])
def test_anything_else_is_none(text: str) -> None:
    assert not is_uid(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("19800517", date(1980, 5, 17)),
        (" 19800517 ", date(1980, 5, 17)),
        ("1980.05.17", date(1980, 5, 17)),
        ("1980-05-17", date(1980, 5, 17)),
        ("20240229", date(2024, 2, 29)),
        ("20230229", None),
        ("00000000", None),
        ("1990/01/", None),
        ("1980.05-17", None),
        ("***", None),
        ("", None),
    ],
)
def test_a_date_is_read_or_is_none(text: str, expected: date | None) -> None:
    assert dicom_date(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("131415", time(13, 14, 15)),
        ("131415.5", time(13, 14, 15, 500_000)),
        ("131415.000070", time(13, 14, 15, 70)),
        ("13:14:15", time(13, 14, 15)),
        ("1314", time(13, 14)),
        ("13", time(13)),
        ("235960", time(23, 59, 59)),
        ("240000", None),
        ("1", None),
        ("", None),
    ],
)
def test_a_time_is_read_or_is_none(text: str, expected: time | None) -> None:
    assert dicom_time(text) == expected


@pytest.mark.parametrize(
    ("pn", "spoken"),
    [
        ("Garcia Lopez^Maria", "Maria Garcia Lopez"),
        ("Garcia Lopez^Maria^Luz^Dr^PhD", "Dr Maria Luz Garcia Lopez PhD"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Tarou Yamada"),
        ("=山田^太郎", "山田 太郎"),
        ("Madonna", "Madonna"),
        ("Doe^^^", "Doe"),
        ("^^", ""),
        ("", ""),
    ],
)
def test_a_name_is_spoken_given_name_first(pn: str, spoken: str) -> None:
    assert person_name(pn) == spoken


@given(st.text())
def test_no_text_makes_them_raise(text: str) -> None:
    dicom_date(text)
    dicom_time(text)
    person_name(text)
