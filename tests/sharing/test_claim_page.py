from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts import people
from accounts.audit import Actor
from sharing import claims, codes, proving, releases
from sharing.models import ClaimCode, Link
from studies.models import FacilityPatient
from tests.cast import Cast, a_patient, a_study

OPERATOR = Actor.operator()
BIRTH_DATE = {"birth_day": "17", "birth_month": "5", "birth_year": "1980"}
SENTENCE = str(claims.ClaimRefused.message)


@pytest.fixture
def newcomer(cast: Cast) -> FacilityPatient:
    return a_patient(cast.hilltop)


@pytest.fixture
def eve(client: Client, cast: Cast) -> Client:
    client.force_login(cast.eve)
    return client


def _post(client: Client, code: str, **changes: str) -> Any:
    return client.post(reverse("claim"), {"code": code, **BIRTH_DATE, **changes})


def _code(patient: FacilityPatient) -> str:
    return claims.issue(patient, actor=OPERATOR)[0]


def test_one_post_claims_and_leads_to_the_study(eve: Client, newcomer: FacilityPatient) -> None:
    study = a_study(newcomer)
    releases.release(study, actor=OPERATOR)
    answer = _post(eve, _code(newcomer).lower().replace("-", " "))
    assert (answer.status_code, answer.url) == (303, reverse("study", args=[study.pk]))


@pytest.mark.parametrize("count", [0, 2])
def test_none_or_several_studies_lead_home(eve: Client, newcomer: FacilityPatient, count: int) -> None:
    for _ in range(count):
        releases.release(a_study(newcomer), actor=OPERATOR)
    answer = _post(eve, _code(newcomer))
    assert (answer.status_code, answer.url) == (303, reverse("home"))


def test_the_page_asks_for_a_code(eve: Client) -> None:
    answer = eve.get(reverse("claim"))
    assert answer.status_code == 200
    assert {"code", "birth_day", "birth_month", "birth_year"} == set(answer.context["form"].fields)


def test_refusals_are_one_sentence(eve: Client, newcomer: FacilityPatient) -> None:
    code = _code(newcomer)
    for answer in (_post(eve, code, birth_day="18"), _post(eve, codes.make())):
        assert answer.status_code == 422
        assert str(answer.context["refused"].message) == SENTENCE
        assert SENTENCE in answer.content.decode()
    assert not Link.objects.filter(patient=newcomer).exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"code": "K7QM-2XPA-09ZD-5"}, "code"),
        ({"code": "K7QM"}, "code"),
        ({"code": ""}, "code"),
        ({"birth_year": "80"}, "birth_year"),
        ({"birth_month": "13"}, "birth_month"),
        ({"birth_day": "31", "birth_month": "4"}, "birth_day"),
        ({"birth_year": "2999"}, "birth_year"),
    ],
)
def test_slips_are_told_at_their_field_and_cost_no_try(
    eve: Client, newcomer: FacilityPatient, change: dict[str, str], field: str
) -> None:
    fields = {"code": _code(newcomer), **BIRTH_DATE, **change}
    answer = eve.post(reverse("claim"), fields)
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert ClaimCode.objects.get(patient=newcomer).wrong_tries == 0


def test_too_many_tries_are_429_with_the_time_to_wait(eve: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving, "PER_ACCOUNT", 1)
    _post(eve, codes.make())
    answer = _post(eve, codes.make())
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 3500


def test_another_birth_date_than_ones_own_is_told(eve: Client, cast: Cast, newcomer: FacilityPatient) -> None:
    people.change_details(cast.eve, name="", birth_date=date(1990, 1, 1))
    answer = _post(eve, _code(newcomer))
    assert answer.status_code == 422
    assert "differs from the one in your account" in answer.content.decode()


def test_nobody_is_asked_to_sign_in_first(client: Client, db: None) -> None:
    assert client.get(reverse("claim")).status_code == 302


def test_a_code_never_stands_in_an_address(eve: Client, newcomer: FacilityPatient) -> None:
    code = _code(newcomer)
    eve.get(reverse("claim"), {"code": code, **BIRTH_DATE})
    assert not Link.objects.filter(patient=newcomer).exists()
