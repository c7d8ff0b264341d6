"""What waits at the desk: a question, and the answer that ends it."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.audit import Actor
from accounts.errors import BadRequest, NotFound, TooManyTries
from accounts.models import AuditEvent, Letter
from sharing import cases, contacts, erasure
from sharing.models import Case, Contact
from tests.cast import Cast

PROBLEM, CODE = Case.Kind.PROBLEM, Case.Kind.CODE


def a_case(cast: Cast, kind: Case.Kind = PROBLEM, text: str = "Where is my report?") -> Case:
    return cases.open_case(kind, cast.patient, actor=Actor.person(cast.maria), user=cast.maria, text=text)


def test_a_case_waits_at_its_own_facility_until_it_is_answered(cast: Cast) -> None:
    case = a_case(cast)
    assert [list(cases.waiting_at(one)) for one in (cast.lakeside, cast.hilltop)] == [[case], []]
    with pytest.raises(NotFound):
        cases.case_for(cast.hilltop, case.pk)
    cases.answer(case, " It came today. ", user=cast.tom, actor=Actor.staff(cast.tom, cast.lakeside))
    assert not cases.waiting_at(cast.lakeside)
    (asked,) = cases.asked_by(cast.maria)
    assert (asked.answer, asked.answered_by) == ("It came today.", cast.tom)
    assert [one.action for one in AuditEvent.objects.filter(detail__case=str(case.pk)).order_by("pk")] == [
        "case_opened",
        "case_answered",
    ]


@pytest.mark.parametrize("answer", ["", "  ", "x" * 2001])
def test_nobody_closes_a_case_silently(cast: Cast, answer: str) -> None:
    case = a_case(cast)
    with pytest.raises(BadRequest):
        cases.answer(case, answer, user=cast.tom, actor=Actor.system())
    with pytest.raises(IntegrityError), transaction.atomic():
        Case.objects.filter(pk=case.pk).update(closed_at=timezone.now())


def test_a_case_is_answered_once(cast: Cast) -> None:
    case = a_case(cast)
    cases.answer(case, "Yes.", user=cast.tom, actor=Actor.system())
    with pytest.raises(cases.Answered):
        cases.answer(case, "No.", user=cast.tom, actor=Actor.system())


def test_a_code_is_asked_for_once_at_a_time(cast: Cast) -> None:
    first = a_case(cast, CODE)
    assert a_case(cast, CODE) == first
    cases.answer(first, "Here it is.", user=cast.tom, actor=Actor.system())
    assert a_case(cast, CODE) != first


def test_a_facility_is_not_flooded_with_questions_about_one_patient(cast: Cast) -> None:
    for _ in range(cases.MOST_A_DAY):
        a_case(cast)
    with pytest.raises(TooManyTries):
        a_case(cast)
    with pytest.raises(BadRequest):
        a_case(cast, text="x" * 2001)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (("Maria@Example.org ", "+1 (555) 123-4567"), ("maria@example.org", "+15551234567")),
        (("", "+44 20 7946 0000"), ("", "+442079460000")),
        (("", ""), ("", "")),
    ],
)
def test_the_contact_on_file_is_kept_as_it_is_used(cast: Cast, said: tuple[str, str], kept: tuple[str, str]) -> None:
    contact = contacts.keep(cast.patient, email=said[0], phone=said[1], language="es", actor=Actor.system())
    assert (contact.email, contact.phone, contact.language) == (*kept, "es")
    assert contacts.of(cast.patient) == contact


@pytest.mark.parametrize(("email", "phone"), [("maria", ""), ("", "123"), ("", "0155512345"), ("", "+1555x")])
def test_what_reaches_nobody_is_refused(cast: Cast, email: str, phone: str) -> None:
    with pytest.raises(BadRequest):
        contacts.keep(cast.patient, email=email, phone=phone, language="", actor=Actor.system())
    assert contacts.of(cast.patient) is None


def test_who_was_on_file_until_now_hears_of_another_address(cast: Cast) -> None:
    for email in ("old@example.org", "old@example.org", "new@example.org", ""):
        contacts.keep(cast.patient, email=email, phone="", language="", actor=Actor.system())
    told = Letter.objects.filter(template="sharing/email/contact_changed").order_by("created_at")
    assert [letter.to for letter in told] == ["old@example.org", "new@example.org"]
    assert "new@example.org" not in told[0].text


def test_the_same_contact_again_is_no_deed(cast: Cast) -> None:
    for _ in range(2):
        contacts.keep(cast.patient, email="m@example.org", phone="", language="", actor=Actor.system())
    assert AuditEvent.objects.filter(action="contact_kept").count() == 1


def test_a_hint_tells_who_knows_the_mailbox_and_nobody_else(cast: Cast) -> None:
    assert contacts.hinted(None) == ""
    contact = contacts.keep(cast.patient, email="maria@example.org", phone="", language="", actor=Actor.system())
    assert contacts.hinted(contact) == "m…@example.org"


def test_erasing_a_patient_takes_her_contact_and_her_words(cast: Cast) -> None:
    contacts.keep(cast.patient, email="maria@example.org", phone="", language="", actor=Actor.system())
    case = a_case(cast)
    erasure.erase(cast.patient, actor=Actor.operator())
    case.refresh_from_db()
    assert not Contact.objects.exists()
    assert case.text == ""
