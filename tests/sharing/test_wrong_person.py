"""Images that went to the wrong person: whoever is on file stops it, the desk decides, nothing is forgotten."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import people
from accounts.audit import Actor
from accounts.models import AuditEvent, Letter, User
from sharing import access, alarms, cases, claims, contacts, grants, notices, releases, wrong_person
from sharing.models import Case, ClaimCode, Grant, Link, Notice
from studies.models import FacilityPatient
from tests.cast import BORN, Cast, a_patient, a_study
from tests.conftest import Clock
from tests.reading import words_of

HOME = "home@example.org"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def patient(cast: Cast) -> FacilityPatient:
    """Somebody whom Lakeside has on file, with an exam that is ready."""
    found = a_patient(cast.lakeside, patient_id="HERS")
    contacts.keep(found, email=HOME, phone="", language="", actor=Actor.system())
    a_study(found)
    return found


def claimed(patient: FacilityPatient, user: User) -> Link:
    code, _ = claims.issue(patient, actor=Actor.system())
    releases.release_ready(patient, actor=Actor.system())
    return claims.claim(user, code, BORN, address="192.0.2.1")


def token_in(letter: Letter) -> str:
    found = re.search(r"/not-me/#(\S+)", letter.text)
    assert found
    return found[1]


def press(token: str) -> int:
    return Client().post(reverse("not_me"), {"token": token}).status_code


def staff(cast: Cast) -> Actor:
    return Actor.staff(cast.tom, cast.lakeside)


def sees(user: User, patient: FacilityPatient) -> bool:
    return access.visible_to(access.viewer_for(user)).filter(patient=patient).exists()


# --- The contact on file is told


def test_the_contact_on_file_hears_of_a_claim(cast: Cast, patient: FacilityPatient) -> None:
    """CL-8."""
    claimed(patient, cast.eve)
    letter = Letter.objects.get(to=HOME, template="sharing/email/told_claimed")
    assert patient.name.split("^")[0] not in letter.text + letter.subject
    assert cast.eve.email not in letter.text
    assert cast.lakeside.name in letter.text
    assert [one.kind for one in notices.of(patient)] == ["claimed"]


def test_the_first_code_is_no_news_and_each_later_one_is(cast: Cast, patient: FacilityPatient) -> None:
    claims.issue(patient, actor=Actor.system())
    assert not Letter.objects.filter(to=HOME).exists()
    claims.issue(patient, actor=Actor.system())
    assert Letter.objects.get(to=HOME).template == "sharing/email/told_code"


def test_nobody_on_file_is_nobody_to_tell(cast: Cast) -> None:
    claimed(a_patient(cast.lakeside, patient_id="OTHER"), cast.eve)
    assert not Notice.objects.exists()


# --- "This was not me"


def test_one_tap_takes_the_pictures_away_and_asks_the_desk(cast: Cast, patient: FacilityPatient) -> None:
    link = claimed(patient, cast.eve)
    grants.grant(
        cast.eve,
        email="lee@example.org",
        studies=[patient.studies.get().pk],
        rights=["view"],
        expires_at=timezone.now() + timedelta(days=3),
        way="page",
    )
    assert sees(cast.eve, patient)
    assert sees(cast.lee, patient)
    assert press(token_in(Letter.objects.get(to=HOME))) == 200
    assert not sees(cast.eve, patient)
    assert not sees(cast.lee, patient), "a loan shows no more than its giver can see now"
    (case,) = cases.waiting_at(cast.lakeside)
    assert (case.kind, case.patient, case.link) == ("not_me", patient, link)
    assert "sharing/email/frozen" in Letter.objects.filter(to=cast.eve.email).values_list("template", flat=True)


def test_to_follow_the_link_stops_nothing(cast: Cast, patient: FacilityPatient) -> None:
    """Mail scanners follow links; only a tap acts."""
    claimed(patient, cast.eve)
    page = Client().get(reverse("not_me"))
    assert "This was not me: stop it" in words_of(page)
    assert sees(cast.eve, patient)
    assert Client().get(reverse("not_me"), {"token": token_in(Letter.objects.get(to=HOME))}).status_code == 200
    assert sees(cast.eve, patient)


def test_twice_is_once(cast: Cast, patient: FacilityPatient) -> None:
    claimed(patient, cast.eve)
    token = token_in(Letter.objects.get(to=HOME))
    assert [press(token), press(token)] == [200, 200]
    assert Case.objects.count() == 1
    assert AuditEvent.objects.filter(action="frozen").count() == 1


@pytest.mark.parametrize("token", ["", "a guess", "WyJsaW5rIiwiMCJd:1abc:forged"])
def test_a_guess_stops_nothing(cast: Cast, patient: FacilityPatient, token: str) -> None:
    claimed(patient, cast.eve)
    assert press(token) == 404
    assert sees(cast.eve, patient)


def test_an_old_letter_stops_nothing_any_more(
    cast: Cast, patient: FacilityPatient, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed(patient, cast.eve)
    monkeypatch.setattr(alarms, "GOOD_FOR", -1)
    assert press(token_in(Letter.objects.get(to=HOME))) == 404
    assert sees(cast.eve, patient)


def test_a_code_that_nobody_asked_for_is_ended(cast: Cast, patient: FacilityPatient) -> None:
    claims.issue(patient, actor=Actor.system())
    _, code = claims.issue(patient, actor=Actor.system())
    assert press(token_in(Letter.objects.get(to=HOME))) == 200
    code.refresh_from_db()
    assert code.revoked_at
    assert Case.objects.get().code == code


def test_a_code_that_was_used_meanwhile_is_undone_with_what_it_opened(cast: Cast, patient: FacilityPatient) -> None:
    claims.issue(patient, actor=Actor.system())
    claimed(patient, cast.eve)
    token = token_in(Letter.objects.get(to=HOME, template="sharing/email/told_code"))
    assert press(token) == 200
    assert not sees(cast.eve, patient)
    assert ClaimCode.objects.filter(patient=patient).latest("issued_at").used_at


# --- The desk decides


def frozen(cast: Cast, patient: FacilityPatient) -> Case:
    claimed(patient, cast.eve)
    press(token_in(Letter.objects.get(to=HOME)))
    return Case.objects.get()


def test_what_was_right_is_given_back(cast: Cast, patient: FacilityPatient) -> None:
    case = frozen(cast, patient)
    wrong_person.give_back(case, answer="It was her daughter.", user=cast.tom, actor=staff(cast))
    assert sees(cast.eve, patient)
    case.refresh_from_db()
    assert (case.answer, case.closed_at is not None) == ("It was her daughter.", True)
    assert "sharing/email/given_back" in Letter.objects.filter(to=cast.eve.email).values_list("template", flat=True)
    with pytest.raises(wrong_person.NotFrozen):
        wrong_person.give_back(case, answer="Again.", user=cast.tom, actor=staff(cast))


def test_nothing_is_given_back_to_one_while_another_has_it(cast: Cast, patient: FacilityPatient) -> None:
    case = frozen(cast, patient)
    claimed(patient, cast.maria)
    with pytest.raises(wrong_person.NotFrozen):
        wrong_person.give_back(case, answer="Hers.", user=cast.tom, actor=staff(cast))
    case.refresh_from_db()
    assert case.closed_at is None
    assert sees(cast.maria, patient)
    assert not sees(cast.eve, patient)


@pytest.mark.parametrize("how", ["from the letter", "at the desk"])
def test_a_wrong_claim_is_undone_and_the_audit_kept(cast: Cast, patient: FacilityPatient, how: str) -> None:
    """CL-7: pictures gone, loans ended, everything that was done still written down."""
    claimed(patient, cast.eve)
    link = Link.objects.get(patient=patient)
    for studies in ([patient.studies.get().pk], "all_and_later"):
        grants.grant(
            cast.eve,
            email="lee@example.org",
            studies=studies,
            rights=["view"],
            expires_at=timezone.now() + timedelta(days=3),
            way="page",
        )
    before = AuditEvent.objects.count()
    if how == "from the letter":
        press(token_in(Letter.objects.get(to=HOME)))
        wrong_person.decide_wrong(Case.objects.get(), answer="Another person's.", user=cast.tom, actor=staff(cast))
    else:
        wrong_person.undo(link, actor=staff(cast))
    assert not sees(cast.eve, patient)
    assert not sees(cast.lee, patient)
    ended = {grant.scope: grant.revoked_at is not None for grant in Grant.objects.all()}
    assert ended == {"chosen": True, "all_and_later": False}, "what else she lends goes on"
    assert AuditEvent.objects.count() > before
    told = AuditEvent.objects.get(action="claim_undone")
    assert (told.record_id, told.detail["loans"]) == (people.record_of(cast.eve).pk, 1)


def test_whoever_it_belongs_to_claims_it_afterwards(cast: Cast, patient: FacilityPatient) -> None:
    case = frozen(cast, patient)
    wrong_person.decide_wrong(case, answer="We are sorry.", user=cast.tom, actor=staff(cast))
    claimed(patient, cast.maria)
    assert sees(cast.maria, patient)


def test_a_flood_of_questions_does_not_keep_it_from_being_stopped(
    cast: Cast, patient: FacilityPatient, clock: Clock
) -> None:
    claimed(patient, cast.eve)
    for _ in range(cases.MOST_A_DAY):
        cases.open_case(Case.Kind.PROBLEM, patient, actor=Actor.person(cast.eve), user=cast.eve, text="?")
    assert press(token_in(Letter.objects.get(to=HOME))) == 200
    assert not sees(cast.eve, patient)
