"""When exams and their reports open: by a facility's rules, by an urgency, and by the clock."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from accounts.audit import Actor
from accounts.errors import BadRequest, NotFound
from accounts.models import AuditEvent, Membership
from sharing import access, notices, opening_times, releases, rules
from sharing.access import Right
from sharing.models import Release, ReleaseRule
from studies import reports
from studies.models import FacilityPatient, Report, Study
from tests.cast import Cast, a_study
from tests.conftest import Clock
from tests.reading import words_of

Urgency = Release.Urgency
REASON = "Your doctor would like to talk to you first."


@pytest.fixture(autouse=True)
def store(settings: Settings, tmp_path: Path) -> None:
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()


def rule(cast: Cast, **said: Any) -> ReleaseRule:
    return rules.make(cast.lakeside, actor=Actor.system(), **{"reason": REASON, **said})


def an_exam(cast: Cast, **said: Any) -> Study:
    study = a_study(cast.patient, **{"ready_at": timezone.now(), "modalities": ["MG"], **said})
    releases.follow(study)
    return study


def report(study: Study, status: Report.Status = Report.Status.FINAL, text: str = "Nothing found.") -> None:
    """As a RIS sends one; what hears of it once it is committed is called here."""
    kept, is_new = reports.receive(study.facility, study_uid=study.study_uid, status=status, content=text)
    if is_new:
        Report.objects.filter(pk=kept.pk).update(received_at=timezone.now())  # as the moved clock has it
    releases.reconsider(Study.objects.select_related("facility", "patient").get(pk=study.pk))
    notices.note_news(study.pk)


def sees(cast: Cast, study: Study, right: Right = Right.SEE) -> bool:
    return access.has(access.viewer_for(cast.maria), study.pk, right)


# --- Which rule


@pytest.mark.parametrize(
    ("said", "fits"),
    [
        ({}, True),
        ({"modality": "MG"}, True),
        ({"modality": "CT"}, False),
        ({"words": "biopsy"}, True),
        ({"words": "Biopsy left"}, True),
        ({"words": "biopsy right"}, False),
        ({"youngest": 46}, False),
        ({"youngest": 45}, True),
        ({"oldest": 45}, True),
        ({"oldest": 44}, False),
        ({"youngest": 40, "oldest": 50, "modality": "MG", "words": "BIOPSY"}, True),
    ],
)
def test_a_rule_fits_by_kind_words_and_age(cast: Cast, said: dict[str, Any], fits: bool) -> None:
    study = a_study(cast.patient, modalities=["MG"], description="MAMMA^BIOPSY LEFT", study_date=date(2026, 5, 16))
    made = rule(cast, **said)
    assert (rules.rule_for(study, [made]) == made) is fits


def test_without_a_birth_date_no_rule_about_ages_fits(cast: Cast) -> None:
    FacilityPatient.objects.update(birth_date=None)
    study = Study.objects.select_related("patient").get(pk=a_study(cast.patient).pk)
    assert rules.rule_for(study, [rule(cast, oldest=200)]) is None


@given(st.dates(date(1900, 1, 1), date(2026, 1, 1)), st.integers(0, 120))
def test_somebody_is_of_an_age_from_one_birthday_to_the_next(born: date, age: int) -> None:
    patient = FacilityPatient(birth_date=born)
    day = date(2026, 1, 1)
    said = rules._age(Study(patient=patient, study_date=day))
    assert said is not None
    assert (day.year - born.year - 1) <= said <= (day.year - born.year)
    one = ReleaseRule(youngest=age, oldest=age)
    assert rules._fits(one, Study(patient=patient, study_date=day)) is (said == age)


def test_the_first_rule_that_fits_is_the_one(cast: Cast) -> None:
    first, second = rule(cast, modality="MG"), rule(cast)
    study = a_study(cast.patient, modalities=["MG"])
    assert rules.rule_for(study, rules.in_force(cast.lakeside)) == first
    rules.put_first(cast.lakeside, second.pk, actor=Actor.system())
    assert rules.rule_for(study, rules.in_force(cast.lakeside)) == second
    rules.end(cast.lakeside, second.pk, actor=Actor.system())
    assert rules.rule_for(study, rules.in_force(cast.lakeside)) == first


def test_no_facility_touches_anothers_rules(cast: Cast) -> None:
    made = rule(cast)
    for deed in (rules.end, rules.put_first):
        with pytest.raises(NotFound):
            deed(cast.hilltop, made.pk, actor=Actor.system())


@pytest.mark.parametrize(
    "said",
    [
        {"images": "when_final", "reason": " "},
        {"images": "after", "images_hours": 0},
        {"images": "after", "images_hours": 721},
        {"report": "after", "report_hours": 0},
        {"youngest": 20, "oldest": 10},
    ],
)
def test_a_rule_that_makes_no_sense_or_gives_no_reason_is_refused(cast: Cast, said: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        rule(cast, **said)


# --- What it comes to


def test_without_a_rule_everything_opens_at_once(cast: Cast) -> None:
    study = an_exam(cast)
    assert sees(cast, study)
    report(study, Report.Status.PRELIMINARY)
    assert not reports.released(study)
    report(study)
    assert sees(cast, study, Right.REPORT)
    assert reports.released(study)


def test_images_with_the_final_report_open_when_it_comes(cast: Cast) -> None:
    rule(cast, images="when_final")
    study = an_exam(cast)
    assert not sees(cast, study)
    report(study, Report.Status.PRELIMINARY)
    assert not sees(cast, study)
    report(study)
    assert sees(cast, study)
    assert sees(cast, study, Right.REPORT)
    assert notices.tell_due() == 2, "the cast's own exam, and this one"


def test_a_hold_ends_by_itself(cast: Cast, clock: Clock) -> None:
    """No worker and no clerk: the policy reads the clock."""
    rule(cast, images="after", images_hours=72)
    study = an_exam(cast)
    clock.move(hours=71)
    assert not sees(cast, study)
    clock.move(hours=2)
    assert sees(cast, study)


def test_a_final_report_starts_the_clock_of_its_own_hold(cast: Cast, clock: Clock) -> None:
    """Behaviour 3 of RSNA Image Share: the same report again changes nothing."""
    rule(cast, report="after", report_hours=24)
    study = an_exam(cast)
    assert sees(cast, study)
    clock.move(hours=48)
    report(study)
    assert not sees(cast, study, Right.REPORT)
    opens = Release.objects.get(study=study).report_at
    clock.move(hours=12)
    report(study)
    assert Release.objects.get(study=study).report_at == opens
    clock.move(hours=13)
    assert sees(cast, study, Right.REPORT)


def test_a_report_that_opens_by_itself_is_told_of_when_it_does(cast: Cast, clock: Clock) -> None:
    Release.objects.update(told_at=timezone.now())
    rule(cast, report="after", report_hours=24)
    study = an_exam(cast)
    report(study)
    assert notices.tell_due() == 1, "the exam"
    assert notices.tell_due() == 0
    clock.move(hours=25)
    assert notices.tell_due() == 1
    kinds = [one.kind for one in notices.of(cast.patient)]
    assert kinds == ["report", "exam"]


def test_an_addendum_during_the_hold_and_after_it_reaches_the_patient(cast: Cast, clock: Clock) -> None:
    """Behaviour 4."""
    rule(cast, report="after", report_hours=24)
    study = an_exam(cast)
    report(study)
    report(study, Report.Status.APPENDED, "Nothing found. Addendum: compared with 2024.")
    assert not sees(cast, study, Right.REPORT)
    clock.move(hours=25)
    assert sees(cast, study, Right.REPORT)
    assert len(reports.released(study)) == 2
    report(study, Report.Status.CORRECTED, "Something found.")
    assert len(reports.released(study)) == 3


def test_a_preliminary_report_is_shown_where_that_was_chosen(cast: Cast) -> None:
    rule(cast, report="preliminary")
    study = an_exam(cast)
    report(study, Report.Status.PRELIMINARY)
    study.refresh_from_db()
    assert reports.released(study)


@pytest.mark.parametrize(
    ("urgency", "is_open"), [(Urgency.ROUTINE, False), (Urgency.WHEN_FINAL, False), (Urgency.IMMEDIATELY, True)]
)
def test_one_exam_is_sent_by_another_urgency(cast: Cast, urgency: Release.Urgency, is_open: bool) -> None:
    rule(cast, images="after", images_hours=72)
    study = an_exam(cast)
    releases.release(study, actor=Actor.system(), urgency=urgency)
    assert sees(cast, study) is is_open
    report(study)
    assert sees(cast, study) is (urgency != Urgency.ROUTINE)


# --- Changes


def test_a_changed_rule_applies_to_what_waits_and_closes_nothing(cast: Cast) -> None:
    open_one, made = an_exam(cast), rule(cast, images="after", images_hours=72)
    waits = an_exam(cast)
    rule(cast, images="when_final", modality="MG")
    assert releases.reconsider_all(cast.lakeside) == 0, "the first rule stands before it"
    rules.end(cast.lakeside, made.pk, actor=Actor.system())
    assert releases.reconsider_all(cast.lakeside) == 1
    assert Release.objects.get(study=waits).available_at is None
    assert sees(cast, open_one)
    for one in rules.in_force(cast.lakeside):
        rules.end(cast.lakeside, one.pk, actor=Actor.system())
    releases.reconsider_all(cast.lakeside)
    assert sees(cast, waits)


def test_what_was_taken_back_stays_so_whatever_the_rules(cast: Cast) -> None:
    made = rule(cast, images="after", images_hours=72)
    study = an_exam(cast)
    releases.withdraw(study, "wrong patient", actor=Actor.system())
    rules.end(cast.lakeside, made.pk, actor=Actor.system())
    assert releases.reconsider_all(cast.lakeside) == 0
    assert not sees(cast, study)


def test_a_report_whose_bell_was_lost_opens_what_waited(cast: Cast) -> None:
    rule(cast, images="when_final")
    study = an_exam(cast)
    reports.receive(study.facility, study_uid=study.study_uid, status=Report.Status.FINAL, content="Nothing.")
    assert [releases.reconsider_missed(), releases.reconsider_missed()] == [1, 0]
    assert sees(cast, study)


def test_every_decision_is_written_down(cast: Cast) -> None:
    made = rule(cast, images="when_final")
    study = an_exam(cast)
    report(study)
    rules.put_first(cast.lakeside, made.pk, actor=Actor.system())
    rules.end(cast.lakeside, made.pk, actor=Actor.system())
    done = AuditEvent.objects.filter(facility_id=cast.lakeside.pk).values_list("action", flat=True)
    for action in ("rule_made", "released", "release_moved", "rule_moved", "rule_ended"):
        assert action in done
    told = AuditEvent.objects.get(action="released", study_id=study.pk)
    assert told.detail["opens"] == "with the final report"


# --- Pages


def as_(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def administrator(cast: Cast) -> Client:
    Membership.objects.filter(user=cast.tom).update(role=Membership.Role.ADMINISTRATOR)
    return as_(cast.tom)


def test_a_patient_sees_that_her_exam_exists_when_it_opens_and_why(cast: Cast, clock: Clock) -> None:
    rule(cast, images="after", images_hours=72)
    study = an_exam(cast, study_date=date(2026, 11, 26))
    page = words_of(as_(cast.maria).get(reverse("home")))
    assert "Your exam of Nov. 26, 2026 at Lakeside Imaging" in page
    assert f"{REASON}" in page
    assert str(study.pk) not in page
    clock.move(hours=73)
    assert REASON not in words_of(as_(cast.maria).get(reverse("home")))


def test_a_report_that_waits_says_so_on_the_exams_page(cast: Cast) -> None:
    rule(cast, report="after", report_hours=24)
    study = an_exam(cast)
    report(study)
    page = words_of(as_(cast.maria).get(reverse("study", args=[study.pk])))
    assert "The report opens later" in page
    assert REASON in page
    assert "Nothing found." not in page
    assert as_(cast.maria).get(reverse("report", args=[study.pk])).status_code == 403


def test_the_desk_reads_when_an_exam_opens_before_it_is_sent(cast: Cast) -> None:
    rule(cast, images="when_final")
    study = a_study(cast.patient, ready_at=timezone.now())
    tom, place = as_(cast.tom), reverse("desk_patient", args=[cast.patient.pk])
    assert f"Opens with the final report: {REASON}" in words_of(tom.get(place))
    sent = tom.post(reverse("desk_release", args=[study.pk]), {"urgency": "immediately"}, follow=True)
    assert "Opens now." in words_of(sent)
    assert sees(cast, study)
    assert tom.post(reverse("desk_release", args=[study.pk]), {"urgency": "soon"}).status_code == 400


def test_an_administrator_makes_a_rule_after_reading_what_it_changes(cast: Cast) -> None:
    rule(cast, images="after", images_hours=72)
    an_exam(cast)
    admin, place = administrator(cast), reverse("desk_opening")
    form = {"images": "when_final", "report": "when_final", "modality": "MG", "reason": REASON}
    form |= {"images_hours": "0", "report_hours": "0"}
    shown = words_of(admin.post(place, form))
    assert "mammogram: images with the final report, the report as soon as it is final." in shown
    assert "0 exams that wait now would open at another time." in shown
    assert ReleaseRule.objects.count() == 1
    assert admin.post(place, {**form, "sure": "yes"}).status_code == 303
    made = ReleaseRule.objects.latest("made_at")
    assert admin.post(reverse("desk_rule_first", args=[made.pk])).status_code == 303
    assert Release.objects.filter(available_at=None).count() == 1
    assert admin.post(reverse("desk_rule_end", args=[made.pk])).status_code == 303
    assert admin.post(place, {**form, "reason": ""}).status_code == 422


def test_a_clerk_makes_no_rules(cast: Cast) -> None:
    assert as_(cast.tom).get(reverse("desk_opening")).status_code == 403
    assert as_(cast.tom).post(reverse("desk_opening"), {"images": "at_once"}).status_code == 403


def test_rules_are_said_in_sentences(cast: Cast) -> None:
    said = opening_times.of_rule(rule(cast, words="biopsy", oldest=17, images="after", images_hours=24))
    assert said.startswith("“biopsy”, up to 17 years: images 24 hours after they are ready, the report as soon as")
    both = opening_times.of_rule(rule(cast, youngest=18, report="after", report_hours=6))
    assert both.startswith("from 18 years on: images at once, the report 6 hours after it is final.")
    moments = rules.Decision(timezone.now(), timezone.now() + timedelta(days=1), reason=REASON)
    assert opening_times.of_decision(moments).startswith("Images open now, the report on")
