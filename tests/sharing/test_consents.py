"""What patients agree to at the desk, what follows from it, and what stops when they take it back."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.audit import Actor
from accounts.errors import BadRequest, Conflict, NotFound
from accounts.models import AuditEvent, Membership
from sharing import access, consents, desk, releases
from sharing.desk import Document
from sharing.models import ClaimCode, Consent, ConsentText, Link
from studies.models import FacilityPatient, Study
from tests.cast import Cast, a_patient, a_study
from tests.conftest import Clock
from tests.reading import words_of

SIGNED = Consent.Method.SIGNED
WORDS = "My images and reports are put on-line for me."


def as_(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def written(cast: Cast, text: str = WORDS, days: int = 365) -> ConsentText:
    return consents.write(cast.lakeside, text, lasts_days=days, actor=Actor.system())


def agreed(cast: Cast, text: ConsentText, *, later_too: bool = True) -> Consent:
    actor = Actor.staff(cast.tom, cast.lakeside)
    return consents.give(cast.patient, text, SIGNED, later_too=later_too, user=cast.tom, actor=actor)


def later_exam(patient: FacilityPatient) -> Study:
    study = a_study(patient)
    releases.follow(study)
    return study


def sees(cast: Cast, study: Study) -> bool:
    return access.has(access.viewer_for(cast.maria), study.pk)


# --- Whether later exams follow


def test_where_nobody_is_asked_later_exams_follow(cast: Cast) -> None:
    assert sees(cast, later_exam(cast.patient))


def test_where_patients_are_asked_later_exams_follow_only_by_consent(cast: Cast) -> None:
    text = written(cast)
    assert not sees(cast, later_exam(cast.patient))
    agreed(cast, text, later_too=False)
    assert not sees(cast, later_exam(cast.patient))
    agreed(cast, text)
    assert sees(cast, later_exam(cast.patient))


def test_a_consent_that_is_taken_back_stops_later_exams_at_once(cast: Cast) -> None:
    given = agreed(cast, written(cast))
    before = later_exam(cast.patient)
    consents.withdraw(cast.maria, given.pk)
    after = later_exam(cast.patient)
    releases.follow_missed()
    assert sees(cast, before), "what she has stays hers"
    assert not sees(cast, after)
    consents.withdraw(cast.maria, given.pk)
    assert AuditEvent.objects.filter(action="consent_withdrawn").count() == 1


def test_a_consent_ends(cast: Cast, clock: Clock) -> None:
    agreed(cast, written(cast, days=30))
    clock.move(days=31)
    assert not sees(cast, later_exam(cast.patient))
    assert consents.is_asked(cast.patient)


def test_anothers_consent_is_nobodys_to_take_back(cast: Cast) -> None:
    given = agreed(cast, written(cast))
    for user in (cast.eve, cast.tom):
        with pytest.raises(NotFound):
            consents.withdraw(user, given.pk)


def test_another_facilitys_text_asks_nobody_here(cast: Cast) -> None:
    consents.write(cast.hilltop, WORDS, lasts_days=365, actor=Actor.system())
    assert sees(cast, later_exam(cast.patient))


# --- The words


def test_a_change_is_a_new_version_and_consents_keep_theirs(cast: Cast) -> None:
    first = written(cast)
    given = agreed(cast, first)
    assert written(cast, f" {WORDS} ") == first
    second = written(cast, "Other words.")
    assert (first.version, second.version) == (1, 2)
    given.refresh_from_db()
    assert given.text == first
    assert consents.is_asked(cast.patient) is None, "who agreed is not asked again before it ends"


@pytest.mark.parametrize(("text", "days"), [(" ", 365), ("x" * 5001, 365), (WORDS, 0), (WORDS, 3651)])
def test_words_that_are_none_are_refused(cast: Cast, text: str, days: int) -> None:
    with pytest.raises(BadRequest):
        written(cast, text, days)


# --- At the desk


def test_no_code_is_handed_out_before_the_patient_was_asked(cast: Cast) -> None:
    written(cast)
    patient, staff = a_patient(cast.lakeside), desk.staff_for(cast.tom)
    with pytest.raises(Conflict):
        desk.hand_out(staff, patient, Document.PASSPORT, replacing=None)
    assert not ClaimCode.objects.exists()
    desk.hand_out(staff, patient, Document.PASSPORT, replacing=None, agreed=(SIGNED, True))
    assert consents.valid(patient)


def test_the_desk_asks_once_by_one_question(cast: Cast) -> None:
    written(cast)
    patient, tom = a_patient(cast.lakeside), as_(cast.tom)
    place = reverse("desk_code", args=[patient.pk])
    assert WORDS in words_of(tom.get(place))
    form = {"document": "passport", "language": "en"}
    assert tom.post(place, form).status_code == 422
    assert tom.post(place, {**form, "consent": "spoken-once"}).status_code == 200
    given = consents.valid(patient)
    assert given is not None
    assert (given.method, given.later_too, given.taken_by) == ("spoken", False, cast.tom)
    assert "to the exams of that day only" in words_of(tom.get(reverse("desk_patient", args=[patient.pk])))
    assert WORDS not in words_of(tom.get(place))


def test_an_administrator_writes_the_words_and_a_clerk_does_not(cast: Cast) -> None:
    tom, place = as_(cast.tom), reverse("desk_consent")
    assert tom.get(place).status_code == 403
    Membership.objects.filter(user=cast.tom).update(role=Membership.Role.ADMINISTRATOR)
    assert "Nobody is asked yet" in words_of(tom.get(place))
    assert tom.post(place, {"text": WORDS, "lasts_days": "90"}).status_code == 303
    assert "Version 1" in words_of(tom.get(place))
    assert tom.post(place, {"text": "", "lasts_days": "90"}).status_code == 422


# --- On-line


def test_a_patient_reads_what_she_agreed_to_and_takes_it_back(cast: Cast) -> None:
    given = agreed(cast, written(cast))
    maria = as_(cast.maria)
    assert "What I agreed to" in words_of(maria.get(reverse("sharing")))
    page = words_of(maria.get(reverse("consents")))
    assert "Lakeside Imaging" in page
    assert WORDS in page
    shown = words_of(maria.post(reverse("withdraw_consent", args=[given.pk]), follow=True))
    assert "Taken back on" in shown
    assert "Take it back" not in shown
    assert not sees(cast, later_exam(cast.patient))
    assert as_(cast.eve).post(reverse("withdraw_consent", args=[given.pk])).status_code == 404


def test_what_was_agreed_goes_with_the_images(cast: Cast) -> None:
    agreed(cast, written(cast))
    Link.objects.update(record=cast.eve.record)
    assert [len(consents.of(user)) for user in (cast.maria, cast.eve)] == [0, 1]
