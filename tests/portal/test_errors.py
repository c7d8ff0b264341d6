"""Refusals as programs and people read them: a code, words, and a next step, whoever refuses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.sessions.backends.cached_db import SessionStore
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client, RequestFactory
from rest_framework.test import APIClient

from accounts import facilities
from accounts.errors import NotFound, PortalError, Unavailable
from portal import urls
from portal.errors import Refusals
from tests.cast import Cast

assert urls  # every module that refuses is imported

KEY = f"lbx_{'0' * 12}_{'A' * 43}"  # looks like one


def kinds(of: type[PortalError] = PortalError) -> Iterator[type[PortalError]]:
    for kind in of.__subclasses__():
        yield kind
        yield from kinds(kind)


def test_every_kind_of_refusal_says_what_to_do_next() -> None:
    wordless = [kind.__name__ for kind in kinds() if kind.hint == PortalError.hint]
    assert wordless == []


@pytest.mark.parametrize(
    ("method", "body", "status", "code"),
    [
        ("post", '{"rights": 7}', 400, "invalid"),
        ("post", "{", 400, "parse_error"),
        ("put", "{}", 405, "method_not_allowed"),
    ],
)
def test_the_api_refuses_in_one_shape(cast: Cast, method: str, body: str, status: int, code: str) -> None:
    client = APIClient()
    client.force_login(cast.maria)
    answer = client.generic(method.upper(), "/api/v1/grants/", body, content_type="application/json")
    told = answer.json()
    assert (answer.status_code, told["code"]) == (status, code)
    assert told["message"]
    assert told["hint"]


def test_a_wrong_key_is_told_what_to_do(db: None) -> None:
    answer = Client().post("/api/v1/reports/", headers={"Authorization": "Bearer nonsense"})
    assert answer.status_code == 401
    assert answer.json()["hint"]


def test_a_refusal_that_is_our_fault_is_written_down_without_its_words(
    rf: RequestFactory, caplog: pytest.LogCaptureFixture
) -> None:
    middleware = Refusals(lambda request: HttpResponse())
    for refusal in (Unavailable("these words stay out"), NotFound()):
        middleware.process_exception(rf.get("/"), refusal)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "lightbox.errors"]
    assert line.startswith("Unavailable in route")
    assert "these words" not in line


def test_a_database_that_is_away_asks_senders_to_come_again(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gone before the key is known: a sender that gave up on a 500 would never send the study again."""
    monkeypatch.setattr(facilities, "fetch", gone)
    for address, body in (("/dicom-web/studies", "application/dicom"), ("/api/v1/reports/", "application/json")):
        answer = Client(raise_request_exception=False).post(
            address, b"{}", content_type=body, headers={"Authorization": f"Bearer {KEY}"}
        )
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
        assert "Nothing is lost" in answer.json()["hint"]


def test_a_database_that_is_away_before_any_page_is_no_defect(
    cast: Cast, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A middleware asks for the session before there is a view whose errors could be caught."""
    client.force_login(cast.maria)
    client.raise_request_exception = False
    monkeypatch.setattr(SessionStore, "load", gone)
    assert client.get("/").status_code == 503


def gone(*_given: object) -> None:
    raise OperationalError("the database system is starting up")
