"""Publications take a short way past what is about people; what protects the site stands on it too."""

from __future__ import annotations

import json
import logging
from typing import cast

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import translation

from accounts.audit import Actor
from accounts.errors import NotFound
from accounts.facilities import add_facility
from accounts.models import AuditEvent, User
from portal import front
from tests.factories import ct_file, related

pytestmark = pytest.mark.django_db

URL = "/dicom-web/studies"
SECRET = "what the file said"
HEADERS = (
    "Content-Security-Policy",
    "X-Frame-Options",
    "X-Content-Type-Options",
    "Referrer-Policy",
    "Permissions-Policy",
)


@pytest.fixture
def key() -> str:
    return add_facility("Lakeside", actor=Actor.operator())[1]


def send(key: str, client: Client | None = None, url: str = URL, headers: dict[str, str] | None = None) -> HttpResponse:
    kind, body = related([ct_file()])
    said = {"Authorization": f"Bearer {key}", **(headers or {})}
    answer = (client or Client()).post(url, body, content_type=kind, CONTENT_TYPE=kind, headers=said)
    return cast(HttpResponse, answer)


def said(answer: HttpResponse) -> dict[str, str]:
    return cast(dict[str, str], json.loads(answer.content))


def test_the_short_way_leads_past_sessions(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.contrib.sessions.middleware.SessionMiddleware.__call__", None)
    assert send(key).status_code == 200


def test_everything_else_goes_the_long_way(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []
    monkeypatch.setattr(front.Publishing, "_store", lambda _self, request, _match: taken.append(request.path))
    client = Client()
    client.get("/livez")
    client.get(URL, headers={"Authorization": f"Bearer {key}"})
    client.post(URL, b"", content_type="application/dicom")
    client.post(f"{URL}/1.2/series", b"", headers={"Authorization": f"Bearer {key}"}, content_type="text/plain")
    client.post("/api/v1/reports/", b"", headers={"Authorization": f"Bearer {key}"}, content_type="text/plain")
    assert not taken


def test_a_host_that_is_not_ours_is_refused(key: str) -> None:
    assert send(key, headers={"Host": "elsewhere.example.org"}).status_code == 400


def test_a_publication_is_answered_with_the_same_protection(key: str) -> None:
    stored, looked = send(key), Client().get("/livez")
    assert [stored.headers[name] for name in HEADERS] == [looked.headers[name] for name in HEADERS]
    assert stored.headers["Cache-Control"] == "no-store"
    assert stored.headers["Content-Length"] == str(len(stored.content))
    assert not stored.cookies


def test_a_publication_is_logged_by_its_route(key: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "lightbox.access"):
        send(key, url=f"{URL}/1.2.3")
    (line,) = [record.getMessage() for record in caplog.records if record.name == "lightbox.access"]
    assert line.startswith("stow_study 409 ")


def test_events_of_a_publication_know_their_request(key: str) -> None:
    send(key)
    assert AuditEvent.objects.get(action="published").request_id


def test_whose_cookie_comes_along_does_not_matter(key: str) -> None:
    client = Client()
    client.force_login(User.objects.create_user("maria@example.org"))
    assert send(key, client).status_code == 200


def test_a_wrong_key_is_told_how_to_do_better() -> None:
    answer = send("lbx_wrong")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_refusal_does_not_speak_the_language_of_whoever_came_before(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise NotFound

    monkeypatch.setattr("studies.intake.publish", refuse)
    with translation.override("es"):
        assert said(send(key))["message"] == "We can't find that page."


def test_an_error_of_ours_is_an_answer_and_a_line_in_the_log(
    key: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise ArithmeticError(SECRET)

    monkeypatch.setattr("studies.intake.publish", fail)
    answer = send(key)
    assert (answer.status_code, said(answer)["code"]) == (500, "broken")
    assert "ArithmeticError in route stow" in caplog.text
    assert SECRET not in caplog.text
