"""Questions: asked on an exam's page, answered at the desk, read by whoever asked."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.audit import Actor
from accounts.models import Letter
from sharing import cases, claims, contacts, notices, releases
from sharing.models import Case, ClaimCode, Link, Notice
from tests.cast import BORN, Cast, a_patient, a_study
from tests.reading import words_of

HOME = "home@example.org"


def as_(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def on_file(cast: Cast, **changes: str) -> None:
    said = {"email": HOME, "phone": "", "language": "", **changes}
    contacts.keep(cast.patient, actor=Actor.system(), **said)


def a_request(cast: Cast) -> Case:
    """Somebody's code has ended, and she asks for another."""
    _, code = claims.issue(cast.patient, actor=Actor.system())
    return cases.open_case(Case.Kind.CODE, cast.patient, actor=Actor.nobody(), code=code)


def decide(cast: Cast, case: Case, **form: str) -> Any:
    return as_(cast.tom).post(reverse("desk_question", args=[case.pk]), form)


# --- Something is missing or wrong


def test_a_patient_asks_the_desk_answers_and_she_reads_it(cast: Cast) -> None:
    maria, tom = as_(cast.maria), as_(cast.tom)
    study = reverse("study", args=[cast.study.pk])
    assert "Something is missing or wrong?" in words_of(maria.get(study))
    form = {"about": "report", "text": "It was promised for Monday."}
    page = maria.post(reverse("ask_facility", args=[cast.study.pk]), form, follow=True)
    assert "They have it" in words_of(page)
    assert "1 question waits for an answer" in words_of(tom.get(reverse("desk")))
    assert "Something is missing or wrong" in words_of(tom.get(reverse("desk_questions")))
    case = Case.objects.get()
    shown = words_of(tom.get(reverse("desk_question", args=[case.pk])))
    assert "It was promised for Monday." in shown
    assert "The report is missing" in shown
    decide(cast, case, verdict="answer", answer="Dr Ray writes it today.")
    assert "Dr Ray writes it today." in words_of(maria.get(reverse("questions")))
    assert "Nothing waits" in words_of(tom.get(reverse("desk_questions")))
    assert "Dr Ray writes it today." in words_of(tom.get(reverse("desk_question", args=[case.pk])))


def test_nobody_asks_about_what_she_does_not_keep(cast: Cast) -> None:
    place = reverse("ask_facility", args=[cast.study.pk])
    assert as_(cast.eve).post(place, {"about": "else"}).status_code == 404
    assert as_(cast.tom).post(place, {"about": "else"}).status_code == 403
    assert not Case.objects.exists()


def test_a_question_without_a_choice_says_so(cast: Cast) -> None:
    assert as_(cast.maria).post(reverse("ask_facility", args=[cast.study.pk]), {"text": "?"}).status_code == 422


@pytest.mark.parametrize("form", [{"verdict": "answer"}, {"verdict": "answer", "answer": "  "}])
def test_no_question_is_closed_without_an_answer(cast: Cast, form: dict[str, str]) -> None:
    case = cases.open_case(Case.Kind.PROBLEM, cast.patient, actor=Actor.nobody(), text="?")
    answer = decide(cast, case, **form)
    assert answer.status_code == 422
    assert "Write an answer" in words_of(answer)
    case.refresh_from_db()
    assert case.closed_at is None


@pytest.mark.parametrize("verdict", ["undo", "mail", "same"])
def test_a_button_of_another_question_does_nothing(cast: Cast, verdict: str) -> None:
    on_file(cast)
    case = cases.open_case(Case.Kind.PROBLEM, cast.patient, actor=Actor.nobody(), text="?")
    assert decide(cast, case, verdict=verdict, answer="So.").status_code == 400
    case.refresh_from_db()
    assert case.closed_at is None
    assert Link.objects.filter(patient=cast.patient, ended_at=None).exists()


def test_what_somebody_else_answered_meanwhile_stays(cast: Cast) -> None:
    case = cases.open_case(Case.Kind.PROBLEM, cast.patient, actor=Actor.nobody(), text="?")
    decide(cast, case, verdict="answer", answer="First.")
    again = decide(cast, case, verdict="answer", answer="Second.")
    assert again.status_code == 409
    assert "This has been answered already." in words_of(again)
    case.refresh_from_db()
    assert case.answer == "First."


# --- A new code


def test_a_code_that_ended_is_made_good_by_mail_in_two_clicks(cast: Cast) -> None:
    on_file(cast, language="es")
    case = a_request(cast)
    tom = as_(cast.tom)
    assert "Send it to h…@example.org" in words_of(tom.get(reverse("desk_question", args=[case.pk])))
    assert decide(cast, case, verdict="mail").status_code == 303
    (letter,) = Letter.objects.filter(to=HOME)
    assert letter.template == "sharing/email/new_code", "one letter, with the code and the way to say no"
    assert "/claim/#" in letter.text
    assert "/not-me/#" in letter.text
    code = letter.text.split("/claim/#")[1].split()[0]
    assert claims.claim(cast.eve, code, BORN, address="192.0.2.1").patient == cast.patient
    case.refresh_from_db()
    assert case.answer == "Un código nuevo está en camino a h…@example.org."


def test_without_an_address_nothing_is_sent(cast: Cast) -> None:
    case = a_request(cast)
    answer = decide(cast, case, verdict="mail")
    assert answer.status_code == 409
    assert "no e-mail address on file" in words_of(answer)
    assert ClaimCode.objects.count() == 1
    case.refresh_from_db()
    assert case.closed_at is None


def test_a_printed_code_answers_whoever_asked(cast: Cast) -> None:
    case = a_request(cast)
    newest = ClaimCode.objects.get()
    form = {"document": "passport", "language": "en", "replacing": str(newest.pk)}
    assert as_(cast.tom).post(reverse("desk_code", args=[cast.patient.pk]), form).status_code == 200
    case.refresh_from_db()
    assert case.answer == "A new code was printed at the desk."


# --- The contact on file


def test_the_desk_keeps_how_a_patient_is_reached(cast: Cast) -> None:
    place = reverse("desk_contact", args=[cast.patient.pk])
    form = {"email": HOME, "phone": "+1 555 123 4567", "language": "es"}
    assert as_(cast.tom).post(place, form).status_code == 303
    page = as_(cast.tom).get(place).content.decode()
    assert HOME in page
    assert "+15551234567" in page


@pytest.mark.parametrize("form", [{"email": "nowhere"}, {"phone": "12"}, {"language": "xx"}])
def test_what_reaches_nobody_is_said(cast: Cast, form: dict[str, str]) -> None:
    assert as_(cast.tom).post(reverse("desk_contact", args=[cast.patient.pk]), form).status_code == 422


def test_the_desk_reads_that_a_letter_came_back_and_sends_it_again(cast: Cast) -> None:
    patient = a_patient(cast.lakeside, patient_id="NEW-1")
    contacts.keep(patient, email="wrong@example.org", phone="", language="", actor=Actor.system())
    claims.issue(patient, actor=Actor.system())
    releases.release(a_study(patient), actor=Actor.system())
    notices.tell_due()
    Notice.objects.filter(patient=patient).update(state="bounced", trouble="5.1.1")
    tom, place = as_(cast.tom), reverse("desk_contact", args=[patient.pk])
    assert "The last letter did not arrive" in words_of(tom.get(place))
    tom.post(place, {"email": HOME})
    assert "It is on its way again." in words_of(tom.post(reverse("desk_tell_again", args=[patient.pk]), follow=True))
    assert Letter.objects.filter(to=HOME, template="sharing/email/told_exam").exists()
    assert "The last letter did not arrive" not in words_of(tom.get(place))


def test_with_nobody_to_tell_it_says_so(cast: Cast) -> None:
    patient = a_patient(cast.lakeside, patient_id="NEW-1")
    page = as_(cast.tom).post(reverse("desk_tell_again", args=[patient.pk]), follow=True)
    assert "There is nobody to tell" in words_of(page)


# --- A wrong claim


def test_the_desk_undoes_a_wrong_claim(cast: Cast) -> None:
    tom, place = as_(cast.tom), reverse("desk_undo", args=[cast.patient.pk])
    assert "Undo the claim" in words_of(tom.get(reverse("desk_patient", args=[cast.patient.pk])))
    assert "Take the images out of that account" in words_of(tom.get(place))
    assert tom.post(place).status_code == 303
    assert as_(cast.maria).get(reverse("study", args=[cast.study.pk])).status_code == 404
    assert "These images are in nobody's account." in words_of(tom.get(place))
    assert tom.post(place).status_code == 409


def test_the_desk_gives_back_what_was_right(cast: Cast) -> None:
    from sharing import wrong_person

    wrong_person._freeze(Link.objects.get(patient=cast.patient))
    case = Case.objects.get()
    shown = words_of(as_(cast.tom).get(reverse("desk_question", args=[case.pk])))
    assert "It was right: give the images back" in shown
    assert "It was the wrong person: undo it" in shown
    assert decide(cast, case, verdict="give_back", answer="Your daughter did it.").status_code == 303
    assert as_(cast.maria).get(reverse("study", args=[cast.study.pk])).status_code == 200
