"""Before a view: policies, the session's clock, headers, the access log."""

from __future__ import annotations

import time

import pytest
from django.conf import settings
from django.core.checks import run_checks
from django.http import HttpResponse
from django.test import Client
from django.urls import include, path, reverse

from accounts.models import User
from portal import policies
from sharing.models import ShareSession
from studies import sandbox
from tests.cast import Cast
from tests.sharing.links_made import give

pytestmark = pytest.mark.django_db


@pytest.fixture
def person(client: Client) -> User:
    """Somebody signed in on `client`."""
    user = User.objects.create_user("someone@example.org", "a long enough password")
    client.force_login(user)
    return user


@pytest.mark.parametrize("address", ["/claim/", "/no/such/page/", "/studies/", "/account/"])
def test_without_a_session_every_page_asks_to_sign_in(client: Client, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"/accounts/login/?next={address}"


@pytest.mark.parametrize("address", ["/api/v1/studies/", "/api/none/", "/dicom-web/studies/1.2/series"])
def test_without_a_session_machines_get_401(client: Client, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 401
    assert answer.json()["code"] == "sign_in_needed"


def test_a_route_without_a_policy_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    from portal import urls

    forgotten = path("forgotten/", lambda request: HttpResponse(), name="forgotten")
    monkeypatch.setattr(
        policies, "get_resolver", lambda: type("R", (), {"url_patterns": [*urls.urlpatterns, forgotten]})
    )
    assert "portal.E001" in [found.id for found in run_checks(tags=["security"])]


def test_a_third_partys_home_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = path("theirs/", include(([path("", lambda request: HttpResponse(), name="home")], "theirs")))
    monkeypatch.setattr(policies, "get_resolver", lambda: type("R", (), {"url_patterns": [theirs]}))
    assert list(policies.routes()) == [("theirs:home", "theirs/")]


def test_the_site_passes_its_own_checks() -> None:
    assert [found.id for found in run_checks() if found.id and found.id.startswith("portal.E")] == []


def test_a_site_without_protected_forms_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "MIDDLEWARE", [one for one in settings.MIDDLEWARE if "Csrf" not in one])
    assert "portal.E006" in [found.id for found in run_checks(tags=["security"])]


def test_a_machine_that_cannot_confine_the_sandbox_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def told() -> list[str]:
        return [found.msg for found in run_checks(include_deployment_checks=True) if found.id == "portal.W003"]

    walls = ("limits", "no new privileges", "file system", "system calls")
    monkeypatch.setattr(sandbox.shared, "_confinement", walls)
    assert told() == []
    monkeypatch.setattr(sandbox.shared, "_confinement", walls[:2])
    assert told() == ["What reads foreign files is not confined here by: file system, system calls."]


def test_what_a_page_asks_by_itself_keeps_nobody_signed_in(client: Client, person: User) -> None:
    client.force_login(person)
    client.get("/")
    session = client.session
    session["seen"] = before = time.time() - 60
    session.save()
    assert client.get("/api/v1/studies/", headers={"X-Idle": "1"}).status_code == 200
    assert client.session["seen"] == before
    client.get("/api/v1/studies/")
    assert client.session["seen"] > before


def test_a_session_ends_after_fifteen_idle_minutes(client: Client, person: User) -> None:
    assert client.get("/claim/").status_code == 200
    session = client.session
    session["seen"] = time.time() - settings.SESSION_IDLE.total_seconds() - 1
    session.save()
    assert client.get("/claim/").status_code == 302
    assert client.get("/claim/").status_code == 302, "the session is gone, not merely refused once"


def test_what_somebody_opened_beside_it_ends_with_an_idle_session(client: Client, cast: Cast) -> None:
    client.force_login(cast.eve)
    give(cast.maria, passcode=False).post(client)
    study = reverse("study", args=[cast.study.pk])
    assert client.get(study).status_code == 200
    session = client.session
    session["seen"] = time.time() - settings.SESSION_IDLE.total_seconds() - 1
    session.save()
    assert client.get(study).status_code == 302
    assert not ShareSession.objects.filter(ended_at=None).exists()


def test_a_session_ends_after_twelve_hours_however_busy(client: Client, person: User) -> None:
    client.get("/claim/")
    session = client.session
    session["began"] = time.time() - settings.SESSION_LIFETIME.total_seconds() - 1
    session.save()
    assert client.get("/claim/").status_code == 302


def test_staying_signed_in_takes_a_tap(client: Client, person: User) -> None:
    client.get("/claim/")
    session = client.session
    session["seen"] = time.time() - settings.SESSION_IDLE.total_seconds() + 30
    session.save()
    assert client.post("/session/extend/").status_code == 204
    assert time.time() - client.session["seen"] < 5


def test_every_answer_carries_the_headers(client: Client, person: User) -> None:
    for address in ("/", "/claim/", "/no/such/page/", "/api/v1/studies/"):
        headers = client.get(address).headers
        assert "script-src 'self'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert "no-store" in headers["Cache-Control"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"


def test_the_access_log_names_the_route_and_nothing_else(
    client: Client, person: User, caplog: pytest.LogCaptureFixture
) -> None:
    client.get("/studies/6a1c5f0e-0000-4000-8000-000000000000/?secret=1")
    lines = [record.getMessage() for record in caplog.records if record.name == "lightbox.access"]
    assert [line.split()[:2] for line in lines] == [["study", "404"]]


def test_an_unknown_address_and_an_unknown_study_look_alike(client: Client, person: User) -> None:
    unknown = client.get("/no/such/page/")
    study = client.get("/studies/6a1c5f0e-0000-4000-8000-000000000000/")
    assert unknown.status_code == study.status_code == 404
    assert unknown.content == study.content


# --- Forms of pages that tell no referrer


def open_a_link(cast: Cast, *, secure: bool, headers: dict[str, str], token: bool = True) -> int:
    """What "Open" answers to a browser that sends these headers with the form."""
    made, browser = give(cast.maria, passcode=False), Client(enforce_csrf_checks=True)
    browser.get(made.path, secure=secure)
    form = {"secret": made.secret, "csrfmiddlewaretoken": browser.cookies["csrftoken"].value if token else "x" * 32}
    answer = browser.post(f"{made.path}/open", form, secure=secure, headers=headers)
    return answer.status_code


@pytest.mark.parametrize(
    ("secure", "origin", "site", "status"),
    [
        (True, "null", "same-origin", 303),  # as browsers send it from a page without a referrer
        (True, "null", "cross-site", 403),  # out of a frame in a sandbox
        (True, "null", "same-site", 403),
        (True, "null", "none", 403),
        (True, "null", "", 403),
        (False, "null", "", 303),  # without TLS no browser says where its form stood
        (False, "null", "cross-site", 303),  # the token stands
        (True, "https://elsewhere.example", "same-origin", 403),
        (False, "http://elsewhere.example", "", 403),
    ],
)
def test_a_form_without_an_origin_is_taken_where_the_browser_says_it_is_ours(
    cast: Cast, secure: bool, origin: str, site: str, status: int
) -> None:
    headers = {"Origin": origin, **({"Sec-Fetch-Site": site} if site else {})}
    assert open_a_link(cast, secure=secure, headers=headers) == status


def test_a_form_without_its_token_is_taken_from_nobody(cast: Cast) -> None:
    for secure in (True, False):
        headers = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}
        assert open_a_link(cast, secure=secure, headers=headers, token=False) == 403
