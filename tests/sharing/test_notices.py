"""What patients are told of: when, by which way, and what becomes of it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts import letters, texts
from accounts.audit import Actor
from accounts.models import Letter, PatientRecord, Representative, Text
from sharing import claims, contacts, grants, notices, releases
from sharing.models import Link, Notice, Release
from studies import reports
from studies.models import FacilityPatient, Report, Study
from tests.cast import Cast, a_patient, a_study
from tests.conftest import Clock

Kind = Notice.Kind


def on_file(patient: FacilityPatient, **changes: str) -> None:
    said = {"email": "home@example.org", "phone": "", "language": "", **changes}
    contacts.keep(patient, actor=Actor.system(), **said)


def an_exam(patient: FacilityPatient, **offer: Any) -> Study:
    study = a_study(patient)
    releases.release(study, actor=Actor.system(), **offer)
    return study


def letters_to(address: str) -> list[str]:
    return list(Letter.objects.filter(to=address).order_by("created_at", "pk").values_list("template", flat=True))


@pytest.fixture(autouse=True)
def nothing_told_yet(cast: Cast, settings: Settings, tmp_path: Path) -> None:
    """The cast's own exam is no news."""
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()
    Release.objects.update(told_at=timezone.now())


# --- An exam


def test_whoever_has_claimed_hears_of_a_new_exam_at_her_account(cast: Cast) -> None:
    on_file(cast.patient)
    study = an_exam(cast.patient)
    assert notices.tell_due() == 1
    assert letters_to(cast.maria.email) == ["sharing/email/told_exam"]
    assert letters_to("home@example.org") == []
    (notice,) = notices.of(cast.patient)
    assert (notice.study, notice.kind, notice.channel, notice.state) == (study, "exam", "email", "waiting")


def test_nothing_is_told_twice(cast: Cast) -> None:
    an_exam(cast.patient)
    assert [notices.tell_due(), notices.tell_due()] == [1, 0]
    assert len(letters_to(cast.maria.email)) == 1


def test_an_exam_is_told_of_when_it_opens(cast: Cast, clock: Clock) -> None:
    an_exam(cast.patient, available_at=timezone.now() + timedelta(hours=72))
    assert notices.tell_due() == 0
    clock.move(hours=73)
    assert notices.tell_due() == 1


def test_of_three_exams_one_that_is_late_silences_none(cast: Cast) -> None:
    """Behaviour 6 of RSNA Image Share: two delivered and told of, the third is not waited for."""
    exams = [an_exam(cast.patient) for _ in range(2)]
    late = a_study(cast.patient, state=Study.State.STORED)
    notices.tell_due()
    assert {one.study for one in notices.of(cast.patient)} == set(exams)
    assert len(letters_to(cast.maria.email)) == 1, "what opens at the same moment is one letter"
    releases.release(late, actor=Actor.system())
    notices.tell_due()
    assert late in {one.study for one in notices.of(cast.patient)}


def test_what_was_taken_back_is_not_told_of(cast: Cast) -> None:
    releases.withdraw(an_exam(cast.patient), "wrong patient", actor=Actor.system())
    assert notices.tell_due() == 0


def test_whoever_has_a_code_hears_at_the_contact_on_file(cast: Cast) -> None:
    patient = a_patient(cast.lakeside, patient_id="NEW-1")
    on_file(patient)
    an_exam(patient)
    notices.tell_due()
    assert letters_to("home@example.org") == [], "nobody has handed anything out yet"
    claims.issue(patient, actor=Actor.system())
    an_exam(patient)
    notices.tell_due()
    assert letters_to("home@example.org") == ["sharing/email/told_exam"]
    assert "/claim/" in Letter.objects.get(to="home@example.org").text


def test_whoever_looks_after_somebody_hears_in_her_place(cast: Cast) -> None:
    child = PatientRecord.objects.create(name="Leo")
    Link.objects.filter(patient=cast.patient).update(record=child)
    for user, level in ((cast.ana, Representative.Level.MANAGE), (cast.eve, Representative.Level.VIEW)):
        Representative.objects.create(record=child, user=user, level=level)
    an_exam(cast.patient)
    notices.tell_due()
    assert letters_to(cast.ana.email) == ["sharing/email/told_exam"]
    assert letters_to(cast.eve.email) == []


def test_a_letter_is_in_the_language_on_file_and_names_nobody(cast: Cast) -> None:
    on_file(cast.patient, language="es")
    an_exam(cast.patient)
    notices.tell_due()
    letter = Letter.objects.get(to=cast.maria.email)
    assert letter.subject == "Hay imágenes nuevas para usted"
    said = letter.subject + letter.text + letter.html
    patient = cast.patient
    for word in (patient.name.split("^")[0], patient.patient_id, "CT", str(cast.study.pk)):
        assert word not in said


# --- A report


def reported(study: Study, status: Report.Status = Report.Status.FINAL, text: str = "Lungs clear.") -> None:
    reports.receive(study.facility, study_uid=study.study_uid, status=status, content=text)
    notices.note_news(study.pk)


def test_a_report_is_told_of_and_so_is_a_change_of_it(cast: Cast) -> None:
    reported(cast.study)
    assert notices.tell_due() == 1
    reported(cast.study, Report.Status.APPENDED, "Lungs clear. Addendum: a rib is broken.")
    assert notices.tell_due() == 1
    told = ["sharing/email/told_report", "sharing/email/told_changed"]
    assert letters_to(cast.maria.email) == told
    assert [one.kind for one in notices.of(cast.patient)] == [Kind.CHANGED, Kind.REPORT]


def test_a_preliminary_report_is_not_told_of(cast: Cast) -> None:
    reported(cast.study, Report.Status.PRELIMINARY)
    notices.tell_due()
    assert letters_to(cast.maria.email) == []


def test_a_report_that_comes_with_its_exam_is_one_letter(cast: Cast) -> None:
    study = an_exam(cast.patient)
    reported(study)
    notices.tell_due()
    notices.tell_due()
    assert letters_to(cast.maria.email) == ["sharing/email/told_exam"]


def test_whoever_could_read_the_older_version_by_a_loan_hears_of_the_newer_one(cast: Cast) -> None:
    reported(cast.study)
    notices.tell_due()
    ends = timezone.now() + timedelta(days=3)
    for address, rights in (("lee@example.org", ["view", "report"]), ("eye@example.org", ["view"])):
        grants.grant(cast.maria, email=address, studies=[cast.study.pk], rights=rights, expires_at=ends, way="page")
    reported(cast.study, Report.Status.CORRECTED, "Lungs not clear.")
    notices.tell_due()
    assert "sharing/email/lent_report_changed" in letters_to("lee@example.org")
    assert "sharing/email/lent_report_changed" not in letters_to("eye@example.org")


def test_a_report_whose_news_got_lost_is_found(cast: Cast) -> None:
    reported(cast.study)
    Release.objects.update(news_at=None)
    assert notices.note_missed() == 1
    assert notices.tell_due() == 1
    assert notices.note_missed() == 0


# --- What becomes of it


def test_a_notice_that_left_says_so(cast: Cast) -> None:
    an_exam(cast.patient)
    notices.tell_due()
    letters.deliver_due()
    (notice,) = notices.of(cast.patient)
    assert (notice.state, notice.settled_at is not None) == ("sent", True)
    assert notices.bounced(cast.patient) is None


def test_a_notice_that_came_back_is_told_again_once_the_address_is_right(cast: Cast) -> None:
    patient = a_patient(cast.lakeside, patient_id="NEW-1")
    on_file(patient, email="wrong@example.org")
    claims.issue(patient, actor=Actor.system())
    an_exam(patient)
    notices.tell_due()
    (notice,) = notices.of(patient)
    assert letters.OUT.bounce(notice.message_id, "5.1.1")
    came_back = notices.bounced(patient)
    assert came_back is not None
    assert (came_back.state, came_back.trouble) == ("bounced", "5.1.1")
    on_file(patient, email="right@example.org")
    assert notices.again(came_back)
    assert letters_to("right@example.org") == ["sharing/email/told_exam"]
    assert notices.bounced(patient) is None


def test_phones_are_told_where_somebody_takes_texts(cast: Cast, settings: Settings) -> None:
    on_file(cast.patient, phone="+15551234567")
    an_exam(cast.patient)
    notices.tell_due()
    assert not Text.objects.exists()
    settings.TEXTS_URL = "https://texts.example.org/"
    assert texts.are_on()
    an_exam(cast.patient)
    notices.tell_due()
    (text,) = Text.objects.all()
    assert text.to == "+15551234567"
    assert text.words.startswith(f"{cast.lakeside.name}: New images are ready for you.")
    assert settings.PUBLIC_URL in text.words


def test_nobody_to_tell_is_no_error(cast: Cast) -> None:
    patient = a_patient(cast.lakeside, patient_id="NEW-1")
    an_exam(patient)
    assert notices.tell_due() == 1
    assert not notices.of(patient)
