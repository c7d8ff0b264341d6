"""Today, and why a patient does not see it: what a clerk with a queue asks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import people
from accounts.audit import Actor
from accounts.models import AuditEvent, Gateway
from sharing import claims, contacts, desk, disagreements, releases, rules, today, why, wrong_person
from sharing.models import ClaimCode, Link, Notice
from studies import identity
from studies.identity import Said
from studies.models import FacilityPatient, Job, Study
from tests.cast import BORN, Cast, a_patient, a_study
from tests.reading import words_of


@pytest.fixture
def tom(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.tom)
    return client


@pytest.fixture
def patient(cast: Cast) -> FacilityPatient:
    """Somebody of whom nothing has come and who has no code."""
    return a_patient(cast.lakeside, patient_id="NEW-1", name="ZEBRAFISH^LUZ")


def told(patient: FacilityPatient) -> list[str]:
    return [one.words for one in why.answers(patient, desk.studies_of(patient))]


def released(patient: FacilityPatient, **said: Any) -> Study:
    study = a_study(patient, **said)
    releases.release(study, actor=Actor.system())
    return study


# --- Why


def test_somebody_of_whom_nothing_is_known(patient: FacilityPatient) -> None:
    assert told(patient) == ["No code has been handed out.", "No exam of hers has arrived."]


def test_whether_the_gateway_speaks(cast: Cast, patient: FacilityPatient) -> None:
    Gateway.objects.create(facility=cast.lakeside, name="edge", heard_at=timezone.now() - timedelta(hours=3))
    assert told(patient)[1] == "No exam of hers has arrived. The gateway was heard 3\xa0hours ago."


def test_what_became_of_her_code(cast: Cast, patient: FacilityPatient) -> None:
    _code, row = claims.issue(patient, actor=Actor.system())
    assert "nobody has used it yet" in told(patient)[0]
    ClaimCode.objects.update(wrong_tries=claims.LIFETIME_CAP)
    assert told(patient)[0] == "Her code is locked after too many wrong tries."
    ClaimCode.objects.update(issued_at=timezone.now() - timedelta(days=9), expires_at=timezone.now())
    assert told(patient)[0].startswith("Her code ended on")
    claims.revoke(row, actor=Actor.system())
    assert told(patient)[0].startswith("Her code was ended on")


def test_images_that_went_away_again(cast: Cast, patient: FacilityPatient) -> None:
    code, _ = claims.issue(patient, actor=Actor.system())
    link = claims.claim(cast.eve, code, BORN, address="192.0.2.1")
    wrong_person._freeze(link)
    assert "this was not me" in told(patient)[0]
    Link.objects.update(frozen_at=None)
    assert "in nobody's account now" in told(patient)[0]


def test_an_address_that_nobody_confirmed(cast: Cast) -> None:
    nora = people.sign_up("nora@example.org", "a long and quiet winter", name="Nora", birth_date=None)
    Link.objects.filter(patient=cast.patient).update(record=nora.record)
    assert "has not confirmed her e-mail address yet" in told(cast.patient)[0]


def test_a_letter_that_came_back(cast: Cast, patient: FacilityPatient) -> None:
    contacts.keep(patient, email="wrong@example.org", phone="", language="", actor=Actor.system())
    about = {"patient": patient, "kind": "exam", "channel": "email", "message_id": cast.study.pk}
    Notice.objects.create(state=Notice.State.BOUNCED, **about)
    answers = why.answers(patient, [])
    assert [(one.tone, one.fix) for one in answers if "came back" in one.words] == [("bad", why.Fix.CONTACT)]


def test_each_exam_says_its_own_and_none_silences_another(cast: Cast) -> None:
    """Behaviour 6 of RSNA Image Share, at the desk."""
    patient = cast.patient
    a_study(patient, description="arriving", state=Study.State.STORED, expected_count=9)
    a_study(patient, description="ready")
    releases.withdraw(released(patient, description="withdrawn"), "double", actor=Actor.system())
    stuck = a_study(patient, description="stuck")
    Job.objects.create(study=stuck, dead_at=timezone.now())
    other = a_study(patient, description="other")
    identity.note(other, Said("MILLER^PETER"))
    disagreements.hold(other)
    about = {one.title: (one.words, one.fix) for one in why.answers(patient, desk.studies_of(patient)) if one.study}
    assert about["arriving"][0] == "It is still arriving: 0 of 9 files are here."
    assert about["ready"] == ("It is ready, and not released.", why.Fix.RELEASE)
    assert about["withdrawn"][0].endswith(": double")
    assert about["stuck"][0].startswith("Its pictures could not be prepared")
    assert about["other"][1] == why.Fix.QUESTION
    assert len(about) == 6


def test_what_waits_by_a_rule_and_what_was_opened(cast: Cast) -> None:
    assert told(cast.patient) == ["It is in her account, and nobody has opened it yet."]
    maria = Client()
    maria.force_login(cast.maria)
    maria.get(reverse("study", args=[cast.study.pk]))
    assert told(cast.patient)[0].endswith("it is seen.")
    rules.make(cast.lakeside, images="when_final", reason="Your doctor first.", actor=Actor.system())
    released(cast.patient)
    assert "Opens with the final report: Your doctor first." in told(cast.patient)


def test_the_answer_stands_where_a_search_leads_with_what_mends_it(
    cast: Cast, tom: Client, patient: FacilityPatient
) -> None:
    page = tom.post(reverse("desk"), {"text": "NEW-1"}, follow=True)
    shown = words_of(page)
    assert "Does the patient see it?" in shown
    assert "No code has been handed out." in shown
    assert "Print a new code" in shown


def test_more_exams_cost_few_questions_more(cast: Cast, django_assert_max_num_queries: Any) -> None:
    for _ in range(3):
        released(cast.patient)
    studies = desk.studies_of(cast.patient)
    with django_assert_max_num_queries(20):
        why.answers(cast.patient, studies)


# --- Today


def visits(cast: Cast) -> list[today.Visit]:
    return today.visits(desk.staff_for(cast.tom))


def test_todays_patients_are_those_who_came_and_those_registered(cast: Cast, patient: FacilityPatient) -> None:
    old = a_patient(cast.lakeside, patient_id="OLD", created_at=timezone.now() - timedelta(days=9))
    a_study(old, received_at=timezone.now() - timedelta(days=9))
    a_patient(cast.hilltop, patient_id="ELSEWHERE")
    assert {one.patient for one in visits(cast)} == {cast.patient, patient}
    a_study(old, study_date=timezone.localdate(), received_at=timezone.now() - timedelta(days=9))
    assert old in {one.patient for one in visits(cast)}


def test_who_has_no_sheet_comes_first(cast: Cast, patient: FacilityPatient) -> None:
    nobodys = a_patient(cast.lakeside, patient_id="NEW-2", birth_date=None)
    found = {one.patient: one.lacks_sheet for one in visits(cast)}
    assert found == {patient: True, cast.patient: False, nobodys: False}
    assert visits(cast)[0].patient == patient


def test_the_missing_sheets_are_printed_in_one_go(cast: Cast, tom: Client, patient: FacilityPatient) -> None:
    others = [a_patient(cast.lakeside, patient_id=f"NEW-{number}") for number in (2, 3)]
    form = {f"document-{one.pk}": "passport" for one in (patient, others[0], cast.patient)}
    page = tom.post(reverse("desk_today"), form)
    assert page.content.decode().count('class="paper"') == 2
    assert "2 sheets" in words_of(page)
    assert set(ClaimCode.objects.values_list("patient", flat=True)) == {patient.pk, others[0].pk}
    confirmed = AuditEvent.objects.filter(action="identity_confirmed")
    assert {one.detail["document"] for one in confirmed} == {"passport"}
    assert confirmed.count() == 2
    again = tom.post(reverse("desk_today"), form)
    assert "0 sheets" in words_of(again), "the page sent twice ends no sheet"


def test_nobodys_sheet_is_printed_without_a_document(cast: Cast, tom: Client, patient: FacilityPatient) -> None:
    for said in ("", "a friendly face"):
        tom.post(reverse("desk_today"), {f"document-{patient.pk}": said})
    assert not ClaimCode.objects.exists()


def test_a_sheet_is_in_the_language_on_file(cast: Cast, tom: Client, patient: FacilityPatient) -> None:
    contacts.keep(patient, email="", phone="", language="es", actor=Actor.system())
    page = tom.post(reverse("desk_today"), {f"document-{patient.pk}": "passport"})
    assert "Sus imágenes, en sus manos" in page.content.decode()


def test_the_day_costs_the_same_for_many(cast: Cast, django_assert_max_num_queries: Any) -> None:
    for number in range(10):
        a_study(a_patient(cast.lakeside, patient_id=f"MANY-{number}"))
    staff = desk.staff_for(cast.tom)
    with django_assert_max_num_queries(13):  # the mark that it was read takes eight of them
        assert len(today.visits(staff)) == 11


def test_to_read_the_list_is_written_down_once(cast: Cast, tom: Client) -> None:
    for _ in range(2):
        assert "Today" in words_of(tom.get(reverse("desk_today")))
    assert AuditEvent.objects.filter(action="desk_searched").count() == 1
