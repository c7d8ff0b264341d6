"""Who gets what is one table: every route of the site, for every kind of person. A route without a row fails."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from portal.policies import routes
from sharing import grants
from sharing.models import Grant
from tests import factories
from tests.cast import Cast, person
from tests.portal.published import Published, publish_for

pytestmark = pytest.mark.django_db

PERSONAS = ("nobody", "maria", "lee", "kim", "may", "eve", "tom", "ana")
# To Dr Lee Maria lends pictures and report, to Dr Kim she did, Dr May was never lent anything. Eve is a stranger. Tom
# works at the facility that published Maria's study, Ana at another.
OUTSIDERS = ("nobody", "kim", "may", "eve", "ana")

#   route                             nobody maria  lee  kim  may  eve  tom  ana
MATRIX: dict[str, tuple[int, ...]] = {
    "home":                           (200, 200, 200, 200, 200, 200, 200, 200),
    "study":                          (302, 200, 200, 404, 404, 404, 200, 404),
    "viewer":                         (302, 200, 200, 404, 404, 404, 200, 404),
    "manifest":                       (302, 200, 200, 404, 404, 404, 200, 404),
    "thumbnail":                      (302, 200, 200, 404, 404, 404, 200, 404),
    "picture":                        (302, 200, 200, 404, 404, 404, 200, 404),
    "report":                         (302, 200, 200, 404, 404, 404, 200, 404),
    "report_file":                    (302, 200, 200, 404, 404, 404, 200, 404),
    "report_page":                    (302, 200, 200, 404, 404, 404, 200, 404),
    "take_home":                      (302, 200, 403, 404, 404, 404, 403, 404),
    "download":                       (302, 200, 403, 404, 404, 404, 403, 404),
    "claim":                          (302, 200, 200, 200, 200, 200, 200, 200),
    "lend":                           (302, 200, 403, 404, 404, 404, 403, 404),
    "lend_new":                       (302, 200, 200, 200, 200, 200, 200, 200),
    "sharing":                        (302, 200, 200, 200, 200, 200, 200, 200),
    "revoke":                         (302, 405, 405, 405, 405, 405, 405, 405),
    "revoke_all":                     (302, 405, 405, 405, 405, 405, 405, 405),
    "extend":                         (302, 405, 405, 405, 405, 405, 405, 405),
    "activity":                       (302, 200, 200, 200, 200, 200, 200, 200),
    "activity_csv":                   (302, 200, 200, 200, 200, 200, 200, 200),
    "invitation":                     (200, 200, 200, 200, 200, 200, 200, 200),
    "invitation_account":             (404, 404, 404, 404, 404, 404, 404, 404),
    "provider":                       (302, 200, 200, 200, 200, 200, 200, 200),
    "desk":                          (302, 404, 404, 404, 404, 404, 200, 200),
    "desk_facility":                 (302, 404, 404, 404, 404, 404, 403, 403),
    "desk_register":                 (302, 404, 404, 404, 404, 404, 200, 200),
    "desk_patient":                  (302, 404, 404, 404, 404, 404, 200, 404),
    "desk_details":                  (302, 404, 404, 404, 404, 404, 200, 404),
    "desk_code":                     (302, 404, 404, 404, 404, 404, 200, 404),
    "desk_release_all":              (302, 404, 404, 404, 404, 404, 405, 405),
    "desk_release":                  (302, 404, 404, 404, 404, 404, 405, 405),
    "desk_withdraw":                 (302, 404, 404, 404, 404, 404, 405, 405),
    "account_overview":               (302, 200, 200, 200, 200, 200, 200, 200),
    "extend_session":                 (302, 405, 405, 405, 405, 405, 405, 405),
    "demo_mail":                      (302, 404, 404, 404, 404, 404, 404, 404),
    "livez":                          (200, 200, 200, 200, 200, 200, 200, 200),
    "readyz":                         (200, 200, 200, 200, 200, 200, 200, 200),
    "stow":                           (401, 405, 405, 405, 405, 405, 405, 405),
    "stow_study":                     (401, 405, 405, 405, 405, 405, 405, 405),
    "api_reports":                    (401, 401, 401, 401, 401, 401, 401, 401),
    "api_publication":                (401, 401, 401, 401, 401, 401, 401, 401),
    "api_studies":                    (401, 200, 200, 200, 200, 200, 200, 200),
    "api_grants":                     (401, 200, 200, 200, 200, 200, 200, 200),
    "api_grant":                      (401, 405, 405, 405, 405, 405, 405, 405),
    "api_activity":                   (401, 200, 200, 200, 200, 200, 200, 200),
    "api_schema":                     (200, 200, 200, 200, 200, 200, 200, 200),
    "account_signup":                 (200, 302, 302, 302, 302, 302, 302, 302),
    "account_login":                  (200, 302, 302, 302, 302, 302, 302, 302),
    "account_logout":                 (302, 200, 200, 200, 200, 200, 200, 200),
    "account_reauthenticate":         (302, 200, 200, 200, 200, 200, 200, 200),
    "account_change_password":        (302, 200, 200, 200, 200, 200, 200, 200),
    "account_set_password":           (302, 302, 302, 302, 302, 302, 302, 302),
    "account_inactive":               (200, 200, 200, 200, 200, 200, 200, 200),
    "account_email":                  (302, 200, 200, 200, 200, 200, 200, 200),
    "account_email_verification_sent":(302, 302, 302, 302, 302, 302, 302, 302),
    "account_confirm_login_code":     (302, 302, 302, 302, 302, 302, 302, 302),
    "account_reset_password":         (200, 200, 200, 200, 200, 200, 200, 200),
    "account_reset_password_done":    (200, 200, 200, 200, 200, 200, 200, 200),
    "account_reset_password_from_key":(200, 200, 200, 200, 200, 200, 200, 200),
    "account_reset_password_from_key_done":(200, 200, 200, 200, 200, 200, 200, 200),
    # Tom, Ana and the physicians have an authenticator app, as they must.
    "second_factor":                  (302, 302, 302, 302, 302, 302, 302, 302),
    "mfa_index":                      (302, 200, 200, 200, 200, 200, 200, 200),
    "mfa_authenticate":               (302, 302, 302, 302, 302, 302, 302, 302),
    "mfa_reauthenticate":             (302, 302, 200, 200, 200, 302, 200, 200),
    "mfa_reauthenticate_webauthn":    (302, 302, 302, 302, 302, 302, 302, 302),
    "mfa_activate_totp":              (302, 302, 302, 302, 302, 302, 302, 302),
    "mfa_deactivate_totp":            (302, 404, 302, 302, 302, 404, 302, 302),
    "mfa_view_recovery_codes":        (302, 404, 404, 404, 404, 404, 404, 404),
    "mfa_download_recovery_codes":    (302, 404, 404, 404, 404, 404, 404, 404),
    "mfa_generate_recovery_codes":    (302, 302, 302, 302, 302, 302, 302, 302),
    "mfa_list_webauthn":              (302, 200, 200, 200, 200, 200, 200, 200),
    "mfa_add_webauthn":               (302, 302, 302, 302, 302, 302, 302, 302),
    "mfa_remove_webauthn":            (302, 302, 302, 302, 302, 302, 302, 302),
    "mfa_edit_webauthn":              (302, 302, 302, 302, 302, 302, 302, 302),
    "mfa_login_webauthn":             (302, 302, 302, 302, 302, 302, 302, 302),
}  # fmt: skip


@dataclass
class Stage:
    """The cast, one signed-in client each, and Maria's published study."""

    cast: Cast
    maria: Published
    clients: dict[str, Client]


@pytest.fixture
def stage(cast: Cast, tmp_path: Path, settings: Settings) -> Stage:
    """Maria's study has pictures and a PDF report; two physicians were lent it, of whom one has it still."""
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()
    published = publish_for(cast)
    people = {name: getattr(cast, name, None) or person(f"{name}@example.org", provider=True) for name in PERSONAS[1:]}
    _lend(cast.maria, people["lee"])
    grants.revoke(cast.maria, _lend(cast.maria, people["kim"]).pk)
    clients = {"nobody": Client()}
    for name, somebody in people.items():
        clients[name] = Client()
        clients[name].force_login(somebody)
    return Stage(cast, published, clients)


def _lend(giver: User, to: User) -> Grant:
    end = timezone.now() + timedelta(days=1)
    return grants.grant(
        giver, studies="all_and_later", email=to.email, rights=["view", "report"], expires_at=end, way="page"
    )


def address(pattern: str, published: Published) -> str:
    """A real address for a route's pattern, leading to Maria's things wherever it can."""
    filled = {
        "<uuid:study_id>": str(published.study.pk),
        "<uuid:patient_id>": str(published.study.patient_id),
        "<uuid:series_id>": str(published.series_id),
        "<str:size>": "preview",
        "<int:index>": "1",
        "<int:number>": "1",
        "<uuid:grant_id>": str(uuid.uuid4()),
        "<uuid:report_id>": str(published.report.pk),
        "<str:study_uid>": published.study.study_uid,
        "<int:pk>": "1",
    }
    for placeholder, value in filled.items():
        pattern = pattern.replace(placeholder, value)
    for regex, value in {
        "^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$": "password/reset/key/1-none/",
    }.items():
        pattern = pattern.replace(regex, value)
    assert "<" not in pattern, f"fill in {pattern}"
    return f"/{pattern}"


def test_every_route_has_a_row() -> None:
    assert {name for name, _ in routes()} == set(MATRIX)


def test_everybody_gets_what_the_table_says(stage: Stage) -> None:
    got = {
        name: tuple(stage.clients[persona].get(address(pattern, stage.maria)).status_code for persona in PERSONAS)
        for name, pattern in routes()
    }
    assert {name: row for name, row in got.items() if row != MATRIX.get(name)} == {}


def test_a_stranger_cannot_tell_a_patients_study_from_none(stage: Stage) -> None:
    eve = stage.clients["eve"]
    for name, pattern in routes():
        if "<uuid:study_id>" not in pattern:
            continue
        real = eve.get(address(pattern, stage.maria))
        none = eve.get(address(pattern, stage.maria).replace(str(stage.maria.study.pk), str(uuid.uuid4())))
        assert (real.status_code, real.content, sorted(real.headers.items())) == (
            none.status_code,
            none.content,
            sorted(none.headers.items()),
        ), name


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_no_other_method_opens_what_get_does_not(stage: Stage, method: str) -> None:
    opened = []
    for name, pattern in routes():
        if "<uuid:study_id>" in pattern:
            for persona in OUTSIDERS:
                call: Callable[..., object] = getattr(stage.clients[persona], method)
                status = getattr(call(address(pattern, stage.maria)), "status_code", 0)
                if status not in (302, 404, 405):
                    opened.append((name, persona, status))
    assert opened == []


def test_words_of_one_patient_reach_nobody_else(stage: Stage) -> None:
    """Canary: what stands in Maria's study appears in no answer to anybody who may not see it."""
    words = [stage.maria.study.study_uid, str(stage.maria.study.pk), factories.uid(1), "CT chest"]
    told = []
    for name, pattern in routes():
        for persona in OUTSIDERS:
            answer = stage.clients[persona].get(address(pattern, stage.maria))
            body = answer.getvalue() if answer.streaming else answer.content
            asked = address(pattern, stage.maria)
            told += [(name, persona, word) for word in words if word.encode() in body and word not in asked]
    assert told == []
