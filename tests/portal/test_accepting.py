"""Accept headers as clients write them."""

from __future__ import annotations

import pytest
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from portal.dicomweb.accepting import NotAcceptable, Wanted, choose, wanted

OCTETS = "application/octet-stream"


def understood(accept: str, query: str = "") -> list[tuple[str, bool | None, str]]:
    request = RequestFactory().get(f"/{query}", headers={"Accept": accept})
    return [(one.media_type, one.multipart, one.syntax) for one in wanted(request)]


@pytest.mark.parametrize(
    ("accept", "entries"),
    [
        ("*/*", [("*/*", None, "")]),
        ("*", [("*/*", None, "")]),
        ("application/dicom+json", [("application/dicom+json", False, "")]),
        ('multipart/related; type="*/*"', [("*/*", True, "")]),
        ("multipart/related", [("*/*", True, "")]),
        (f"multipart/related; type={OCTETS}; transfer-syntax=*", [(OCTETS, True, "*")]),
        (f'multipart/related; type="{OCTETS}";transfer-syntax="1.2.3"', [(OCTETS, True, "1.2.3")]),
        (
            'multipart/related; type="image/jpeg, x"; a=1, image/png',
            [("image/jpeg, x", True, ""), ("image/png", False, "")],
        ),
        ("image/png;q=0.2, image/jpeg;q=0.8, text/html;q=0", [("image/jpeg", False, ""), ("image/png", False, "")]),
        ("image/jpeg;q=often", [("image/jpeg", False, "")]),
        ("nonsense, image/jpeg", [("image/jpeg", False, "")]),
        ("", [("*/*", None, "")]),
    ],
)
def test_what_a_client_reads(accept: str, entries: list[tuple[str, bool | None, str]]) -> None:
    assert understood(accept) == entries


def test_the_query_comes_before_the_header() -> None:
    assert understood("text/html", "?accept=image/jpeg") == [("image/jpeg", False, "")]


def test_a_kind_of_types_holds_each_of_them() -> None:
    assert Wanted("image/*", False, "", 1).takes("image/jls")
    assert not Wanted("image/*", False, "", 1).takes(OCTETS)


def test_who_reads_nothing_of_it_is_told_what_there_is() -> None:
    with pytest.raises(NotAcceptable) as refused:
        choose(RequestFactory().get("/", headers={"Accept": "text/html"}), "image/jpeg")
    assert "image/jpeg" in str(refused.value.hint)


@given(st.text(max_size=200))
def test_no_header_is_too_odd_to_be_read(accept: str) -> None:
    request = RequestFactory().get("/")
    request.META["HTTP_ACCEPT"] = accept
    assert all(0 < one.q <= 1 for one in wanted(request))
