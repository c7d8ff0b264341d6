"""Codes that do not open: told apart to whoever has both right, made good in one tap, and to nobody else a hint."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.audit import Actor
from accounts.models import AuditEvent, Facility, Letter, User
from sharing import claims, contacts, proving, releases
from sharing.models import Case, ClaimCode, Link
from studies.models import FacilityPatient
from tests.cast import BORN, Cast, a_patient, a_study
from tests.conftest import Clock
from tests.reading import words_of

ADDRESS = "192.0.2.1"
BIRTH_DATE = {"birth_day": "17", "birth_month": "5", "birth_year": "1980"}


@pytest.fixture
def patient(cast: Cast) -> FacilityPatient:
    Facility.objects.filter(pk=cast.hilltop.pk).update(phone="+1 555 0142", hours="Monday to Friday, 8 to 18")
    return a_patient(cast.hilltop)


def issue(patient: FacilityPatient) -> str:
    return claims.issue(patient, actor=Actor.operator())[0]


def as_(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def post(client: Client, code: str, page: str = "claim", **changes: str) -> Any:
    return client.post(reverse(page), {"code": code, **BIRTH_DATE, **changes})


def expire(cast: Cast, patient: FacilityPatient, code: str) -> None:
    ClaimCode.objects.update(issued_at=timezone.now() - timedelta(days=40), expires_at=timezone.now())


def replace(cast: Cast, patient: FacilityPatient, code: str) -> None:
    issue(patient)


def lock(cast: Cast, patient: FacilityPatient, code: str) -> None:
    ClaimCode.objects.update(wrong_tries=proving.LIFETIME_CAP)


def use(cast: Cast, patient: FacilityPatient, code: str) -> None:
    claims.claim(cast.maria, code, BORN, address=ADDRESS)


def reserve(cast: Cast, patient: FacilityPatient, code: str) -> None:
    assert post(Client(), code, "start").status_code == 303


STATES = [
    (expire, "This code has ended."),
    (replace, "This code was replaced, or stopped."),
    (lock, "This code is locked."),
    (use, "This code was used already."),
    (reserve, "This code is being used in another browser."),
]
Ending = Callable[[Cast, FacilityPatient, str], None]


@pytest.mark.parametrize(("end", "words"), STATES)
@pytest.mark.parametrize("page", ["claim", "start"])
def test_whoever_has_both_right_reads_what_is_the_matter_and_whom_to_call(
    cast: Cast, patient: FacilityPatient, end: Ending, words: str, page: str
) -> None:
    code = issue(patient)
    end(cast, patient, code)
    answer = post(as_(cast.eve) if page == "claim" else Client(), code, page)
    assert answer.status_code == 410
    shown = words_of(answer)
    for said in (words, "Hilltop Radiology", "+1 555 0142", "Monday to Friday, 8 to 18"):
        assert said in shown
    assert ("Ask for a new code" in shown) is (end is not reserve)
    assert not Link.objects.filter(patient=patient, record=cast.eve.record).exists()


@pytest.mark.parametrize(("end", "_words"), STATES)
def test_whoever_has_not_reads_the_one_sentence(cast: Cast, patient: FacilityPatient, end: Ending, _words: str) -> None:
    """CL-3."""
    code = issue(patient)
    end(cast, patient, code)
    answer = post(as_(cast.eve), code, birth_day="18")
    assert answer.status_code == 422
    assert str(proving.ClaimRefused.message) in words_of(answer)
    assert "Hilltop" not in words_of(answer)


def test_what_is_the_matter_is_written_down(cast: Cast, patient: FacilityPatient) -> None:
    """Behaviour 1 of RSNA Image Share: one answer outside, different entries inside."""
    code = issue(patient)
    post(as_(cast.eve), code, birth_day="18")
    expire(cast, patient, code)
    post(as_(cast.eve), code)
    refusals = AuditEvent.objects.filter(action="claim_refused").order_by("pk")
    assert [one.detail["reason"] for one in refusals] == ["birth_date", "code_expired"]


def test_ones_own_used_code_leads_to_the_images(cast: Cast, patient: FacilityPatient) -> None:
    code = issue(patient)
    use(cast, patient, code)
    answer = post(as_(cast.maria), code)
    assert (answer.status_code, answer.url) == (303, reverse("study", args=[cast.study.pk]))


def test_to_read_it_costs_no_try(cast: Cast, patient: FacilityPatient) -> None:
    code = issue(patient)
    expire(cast, patient, code)
    for _ in range(5):
        post(as_(cast.eve), code)
    assert ClaimCode.objects.get(patient=patient).wrong_tries == 0


def test_a_locked_code_tells_whoever_guesses_on_nothing(cast: Cast, patient: FacilityPatient) -> None:
    """Three tries are compared behind the tenth, and claim nothing; then the right one is refused like any other."""
    code = issue(patient)
    lock(cast, patient, code)
    for day in range(1, 1 + proving.LAST_WORDS):
        assert post(as_(cast.eve), code, birth_day=str(day)).status_code == 422
    answer = post(as_(cast.eve), code)
    assert answer.status_code == 422
    assert str(proving.ClaimRefused.message) in words_of(answer)


# --- One tap


@pytest.mark.parametrize("signed_in", [True, False])
def test_a_new_code_is_asked_for_in_one_tap(cast: Cast, patient: FacilityPatient, signed_in: bool) -> None:
    contacts.keep(patient, email="home@example.org", phone="", language="", actor=Actor.system())
    code = issue(patient)
    expire(cast, patient, code)
    client = as_(cast.eve) if signed_in else Client()
    post(client, code, "claim" if signed_in else "start")
    page = client.post(reverse("claim_again"))
    assert "h…@example.org" in words_of(page)
    case = Case.objects.get()
    assert (case.kind, case.patient, case.opened_by) == ("code", patient, cast.eve if signed_in else None)
    client.post(reverse("claim_again"))
    assert Case.objects.count() == 1


def test_without_an_address_on_file_it_says_where_to_go(cast: Cast, patient: FacilityPatient) -> None:
    code = issue(patient)
    expire(cast, patient, code)
    client = as_(cast.eve)
    post(client, code)
    assert "collect the code at their desk" in words_of(client.post(reverse("claim_again")))


def test_nobody_asks_without_having_proved_the_old_one_a_moment_ago(
    cast: Cast, patient: FacilityPatient, clock: Clock
) -> None:
    assert as_(cast.eve).post(reverse("claim_again")).status_code == 404
    assert Client().post(reverse("claim_again")).status_code == 404
    code = issue(patient)
    expire(cast, patient, code)
    client = as_(cast.eve)
    assert post(client, code).status_code == 410
    clock.move(minutes=16)
    # the browser's session ends with its idle time as well; the question is the proof's own
    assert client.post(reverse("claim_again")).status_code in (302, 404)
    assert not Case.objects.exists()


# --- Claim first, account second

ACCOUNT = {"name": "Nora Zebrafish", "email": "nora@example.org", "password": "a long and quiet winter"}


def begun(patient: FacilityPatient) -> Client:
    """A browser in which a code was proved."""
    client, code = Client(), issue(patient)
    a_study(patient)
    releases.release_ready(patient, actor=Actor.system())
    answer = post(client, code, "start")
    assert (answer.status_code, answer.url) == (303, reverse("start_account"))
    return client


def test_a_right_code_says_who_has_exams_and_nothing_else(cast: Cast, patient: FacilityPatient) -> None:
    page = begun(patient).get(reverse("start_account"))
    assert "Hilltop Radiology has exams for you" in words_of(page)
    for word in ("ZEBRAFISH", "Zebrafish, ", patient.patient_id, "CT", "1980"):
        assert word not in words_of(page)
    assert not Link.objects.filter(patient=patient).exists()


def test_an_account_shows_the_images_at_once(cast: Cast, patient: FacilityPatient) -> None:
    client = begun(patient)
    answer = client.post(reverse("start_account"), ACCOUNT)
    study = reverse("study", args=[patient.studies.get().pk])
    assert (answer.status_code, answer.headers["Location"]) == (303, study)
    assert client.get(study).status_code == 200
    nora = User.objects.get(email="nora@example.org")
    assert (nora.record.name, nora.record.birth_date) == ("Nora Zebrafish", BORN)
    assert Link.objects.get(patient=patient).record == nora.record


def test_until_the_address_is_proved_she_looks_and_does_no_more(cast: Cast, patient: FacilityPatient) -> None:
    client = begun(patient)
    client.post(reverse("start_account"), ACCOUNT)
    study = patient.studies.get()
    page = words_of(client.get(reverse("study", args=[study.pk])))
    assert "Confirm your address" in page
    assert "Confirm your address" in words_of(client.get(reverse("home")))
    for name in ("take_home", "download", "lend"):
        assert client.get(reverse(name, args=[study.pk])).status_code == 403
    assert client.get(f"/dicom-web/studies/{study.study_uid}").status_code in (403, 406)
    body = {"studies": "all", "to": {"kind": "link"}, "rights": ["view"], "expires_at": "2030-01-01T00:00:00Z"}
    assert client.post("/api/v1/grants/", body, content_type="application/json").status_code in (400, 403)
    cache.clear()  # allauth sends a code to one address every ten seconds at most
    elsewhere = Client().post(reverse("account_login"), {"login": ACCOUNT["email"], "password": ACCOUNT["password"]})
    asks = reverse("account_email_verification_sent")
    assert elsewhere.headers["Location"] == asks, "another device asks for the code first"


def test_once_it_is_proved_she_shares_and_takes_home(cast: Cast, patient: FacilityPatient) -> None:
    client = begun(patient)
    client.post(reverse("start_account"), ACCOUNT)
    letter = Letter.objects.get(to="nora@example.org")
    code = re.search(r"^[A-Z0-9-]{6,}$", letter.text, re.MULTILINE)
    assert code
    client.post(reverse("account_email_verification_sent"), {"code": code[0]})
    study = patient.studies.get()
    assert client.get(reverse("take_home", args=[study.pk])).status_code == 200
    assert client.get(reverse("lend", args=[study.pk])).status_code == 200
    assert "Confirm your address" not in words_of(client.get(reverse("home")))


def test_whoever_has_an_account_signs_in_and_the_images_are_added(cast: Cast, patient: FacilityPatient) -> None:
    client = begun(patient)
    assert "This address has an account." in words_of(
        client.post(reverse("start_account"), {**ACCOUNT, "email": "eve@example.org"})
    )
    client.force_login(cast.eve)
    assert client.get(reverse("start_account")).status_code == 303
    assert Link.objects.get(patient=patient).record == cast.eve.record


def test_nobody_asks_whether_many_addresses_have_accounts(
    cast: Cast, patient: FacilityPatient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = begun(patient)
    answers = [
        client.post(reverse("start_account"), {**ACCOUNT, "email": "eve@example.org"}).status_code for _ in range(6)
    ]
    assert answers == [422] * 5 + [429]


def test_what_is_reserved_is_kept_an_hour_and_free_again_after_it(
    cast: Cast, patient: FacilityPatient, clock: Clock
) -> None:
    client, code = Client(), issue(patient)
    post(client, code, "start")
    assert post(as_(cast.eve), code).status_code == 410
    clock.move(minutes=61)
    assert client.get(reverse("start_account")).status_code == 302
    assert claims.claim(cast.eve, code, BORN, address=ADDRESS)


def test_the_same_browser_proves_it_again(cast: Cast, patient: FacilityPatient) -> None:
    client, code = Client(), issue(patient)
    for _ in range(2):
        assert post(client, code, "start").status_code == 303


def test_without_a_proved_code_there_is_nothing_to_make(client: Client, db: None) -> None:
    assert client.post(reverse("start_account"), ACCOUNT).headers["Location"] == reverse("start")
    assert not User.objects.exists()


# --- Families


def test_two_children_on_one_mailbox(cast: Cast) -> None:
    """By initials: the account is the parent's, and each child has a record of its own."""
    children = [
        a_patient(cast.hilltop, name=f"ZEBRAFISH^{name}", birth_date=date(2015 + number, 5, 17))
        for number, name in enumerate(("LEO", "MIA"))
    ]
    client, code = Client(), issue(children[0])
    post(client, code, "start", birth_year="2015")
    client.post(reverse("start_account"), {**ACCOUNT, "initials": "L. Z."})
    second = issue(children[1])
    answer = post(client, second, birth_year="2016")
    assert answer.status_code == 422
    assert "Initials of the child, or of whom you care for" in words_of(answer)
    assert post(client, second, birth_year="2016", whose="M. Z.").status_code == 303
    names = [Link.objects.get(patient=child).record.name for child in children]
    assert names == ["L. Z.", "M. Z."]
    nora = User.objects.get(email="nora@example.org")
    assert nora.record.birth_date is None
    third = a_patient(cast.lakeside, name="ZEBRAFISH^MIA", birth_date=date(2016, 5, 17))
    post(client, issue(third), birth_year="2016", whose="mz")
    assert Link.objects.get(patient=third).record == Link.objects.get(patient=children[1]).record


def test_her_own_go_to_her_own_though_she_cares_for_others(cast: Cast, patient: FacilityPatient) -> None:
    client = Client()
    child = a_patient(cast.hilltop, birth_date=date(2015, 5, 17))
    post(client, issue(child), "start", birth_year="2015")
    client.post(reverse("start_account"), {**ACCOUNT, "initials": "L"})
    assert post(client, issue(patient)).status_code == 422
    assert post(client, issue(patient), whose="me").status_code == 303
    nora = User.objects.get(email="nora@example.org")
    assert Link.objects.get(patient=patient).record == nora.record
