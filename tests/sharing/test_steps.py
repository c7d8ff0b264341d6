"""RSNA Image Share's twenty steps, come to by what happened; and the life of an exam as its patient reads it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts import people
from accounts.audit import Actor
from accounts.models import Gateway
from sharing import claims, life, releases, steps
from sharing.models import Link, Notice, Release
from studies.models import Exam, FacilityPatient, Job, Study
from studies.orders import exams, merges
from studies.orders.exams import Said
from studies.orders.states import State
from studies.patients import Person
from tests.cast import Cast, a_patient, a_study

NOTHING_TO_DO = {1, 24, 23, 30, 31, 21, 22, 34, 40, -24}


@pytest.fixture
def patient(cast: Cast) -> FacilityPatient:
    return a_patient(cast.lakeside, patient_id="U1", name="ZEBRAFISH^UMA")


def ordered(cast: Cast, state: State, **ago: float) -> Exam:
    said = Said("ACC9", state, timezone.now() - timedelta(**ago), modality="MR")
    return exams.hear(cast.lakeside, Person("U1"), said)[0]


def code_of(exam: Exam) -> int:
    exam.refresh_from_db()
    return steps.of_exam(exam).code


BEFORE: list[tuple[State, dict[str, float], int]] = [
    (State.ORDERED, {"days": 9}, 1),
    (State.SCHEDULED, {"days": 1}, 1),
    (State.IN_PROGRESS, {"hours": 1}, 24),
    (State.COMPLETED, {"hours": 1}, 23),
    (State.FINAL, {"hours": 30}, -21),
    (State.CANCELLED, {"hours": 1}, -24),
]


@pytest.mark.parametrize(("state", "ago", "code"), BEFORE)
def test_before_its_images(
    cast: Cast, patient: FacilityPatient, state: State, ago: dict[str, float], code: int
) -> None:
    assert code_of(ordered(cast, state, **ago)) == code


def test_when_no_gateway_speaks(cast: Cast, patient: FacilityPatient) -> None:
    silent = timezone.now() - timedelta(hours=1)
    Gateway.objects.create(facility=cast.lakeside, name="cellar", heard_at=silent, waiting=0, dead=0)
    assert code_of(ordered(cast, State.COMPLETED, hours=1)) == -1


def unready(state: str) -> Callable[[Study], None]:
    return lambda study: change(study, state=state, instance_count=1, changed_at=timezone.now())


def change(study: Study, **values: Any) -> None:
    Study.objects.filter(pk=study.pk).update(**values)


def short(idle: timedelta) -> Callable[[Study], None]:
    def expect(study: Study) -> None:
        change(study, expected_count=9, instance_count=2, changed_at=timezone.now() - idle)

    return expect


def bury(study: Study) -> None:
    Job.objects.create(study=study, dead_at=timezone.now())


def of_nobody(study: Study) -> None:
    FacilityPatient.objects.filter(pk=study.patient_id).update(birth_date=None)


def open_now(study: Study) -> None:
    releases.release(study, actor=Actor.operator())


def take_back(study: Study) -> None:
    releases.withdraw(study, "test", actor=Actor.operator())


def with_report(study: Study) -> None:
    releases.release(study, actor=Actor.operator(), urgency=Release.Urgency.WHEN_FINAL)


def later(study: Study) -> None:
    releases.release(study, actor=Actor.operator(), available_at=timezone.now() + timedelta(days=1))


def with_code(study: Study) -> None:
    claims.issue(study.patient, actor=Actor.operator())
    open_now(study)


def claimed(study: Study) -> None:
    open_now(study)
    user = people.add_account("uma@example.org", "a quiet lake in autumn", actor=Actor.operator())
    Link.objects.create(patient=study.patient, record=people.record_of(user), claimed_by=user)


def told(state: Notice.State) -> Callable[[Study], None]:
    def tell(study: Study) -> None:
        claimed(study)
        about = {"kind": Notice.Kind.EXAM, "channel": Notice.Channel.EMAIL, "message_id": study.pk, "state": state}
        Notice.objects.create(patient=study.patient, study=study, settled_at=timezone.now(), **about)

    return tell


def contradict(study: Study) -> None:
    change(study, contradiction={"name": "MILLER^PETER", "birth_date": "", "sex": ""})


AFTER: list[tuple[Callable[[Study], None], int]] = [
    (short(timedelta()), 23),
    (short(timedelta(minutes=11)), -23),
    (unready("stored"), 30),
    (unready("indexed"), 31),
    (bury, -30),
    (contradict, -32),
    (of_nobody, -20),
    (take_back, -24),
    (lambda study: None, 32),
    (with_report, 21),
    (later, 22),
    (open_now, -33),
    (with_code, 33),
    (claimed, 40),
    (told(Notice.State.WAITING), 34),
    (told(Notice.State.BOUNCED), -34),
]


@pytest.mark.parametrize(("happens", "code"), AFTER, ids=lambda value: str(value) if isinstance(value, int) else "")
def test_after_its_images_came(
    cast: Cast, patient: FacilityPatient, happens: Callable[[Study], None], code: int
) -> None:
    exam = ordered(cast, State.COMPLETED, hours=1)
    study = a_study(patient, accession_number="ACC9")
    Exam.objects.update(study=study)
    happens(study)
    assert code_of(exam) == code


def test_every_one_of_the_twenty_is_come_to_and_says_something() -> None:
    come_to = {code for *_, code in BEFORE} | {code for _, code in AFTER} | {-1}
    assert come_to == set(steps.STEPS)
    assert len(steps.STEPS) == 20
    assert len({step.name for step in steps.STEPS.values()}) == 20
    assert all(str(step.patient) for step in steps.STEPS.values())
    assert {code for code, step in steps.STEPS.items() if not step.staff} == NOTHING_TO_DO


# --- as its patient reads it


def test_her_study_tells_how_it_went_and_nothing_of_a_report_that_waits(cast: Cast) -> None:
    change(cast.study, accession_number="ACC9")
    hers = Person(cast.patient.patient_id)
    for state, hours in ((State.FINAL, 1), (State.ORDERED, 9), (State.COMPLETED, 5)):
        exams.hear(cast.lakeside, hers, Said("ACC9", state, timezone.now() - timedelta(hours=hours)))
    study = Study.objects.get(pk=cast.study.pk)
    said = [str(one.words) for one in life.of_study(study)]
    assert said[:3] == ["Ordered", "Done", "The report is final"]
    Release.objects.filter(study=study).update(report_at=None)
    assert "The report is final" not in [str(one.words) for one in life.of_study(study)]


def test_she_sees_what_is_ahead_on_her_page_and_nobody_else_does(cast: Cast, client: Client) -> None:
    when = timezone.now() + timedelta(days=3)
    said = Said("ACC9", State.SCHEDULED, timezone.now(), modality="MR", scheduled_for=when)
    exams.hear(cast.lakeside, Person(cast.patient.patient_id), said)
    client.force_login(cast.maria)
    assert "Your appointment" in client.get("/").content.decode()
    client.force_login(cast.eve)
    assert "Your appointment" not in client.get("/").content.decode()
    assert [one.facility for one in life.ahead_of(cast.maria)] == [cast.lakeside]


def test_what_never_came_is_not_told_of_for_ever(cast: Cast) -> None:
    long_ago = timezone.now() - timedelta(days=31)
    exams.hear(cast.lakeside, Person(cast.patient.patient_id), Said("ACC9", State.CANCELLED, long_ago))
    assert life.ahead_of(cast.maria) == []


# --- at the desk


def test_the_desk_finds_an_exam_before_its_images(cast: Cast, client: Client) -> None:
    born = Person("U9", name="ZEBRAFISH^UMA", birth_date=date(1960, 2, 3))
    exam, _ = exams.hear(cast.lakeside, born, Said("ACC9", State.COMPLETED, timezone.now() - timedelta(days=2)))
    client.force_login(cast.tom)
    found = client.post("/desk/", {"text": "zebrafish uma"}, follow=True)
    assert "ACC9" in found.content.decode()
    assert "Send the images from the PACS" in found.content.decode()
    assert client.get(f"/desk/patients/{exam.patient_id}/code/").status_code == 200


def test_the_desk_takes_a_merge_back(cast: Cast, client: Client) -> None:
    merge, _ = merges.merge(cast.lakeside, Person(cast.patient.patient_id), Person("OLD"))
    page = f"/desk/patients/{cast.patient.pk}/"
    client.force_login(cast.ana)
    assert client.post(f"/desk/merges/{merge.pk}/part/").status_code == 404
    client.force_login(cast.tom)
    assert "Two people after all" in client.get(page).content.decode()
    assert client.post(f"/desk/merges/{merge.pk}/part/").status_code == 303
    assert "Two people after all" not in client.get(page).content.decode()
