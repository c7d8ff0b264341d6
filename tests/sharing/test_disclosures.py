from __future__ import annotations

from accounts import audit
from accounts.audit import Action, Actor
from sharing import access, disclosures
from tests.cast import Cast


def test_every_action_has_its_sentence() -> None:
    assert set(disclosures.SENTENCES) == set(Action)
    assert all(map(str, disclosures.SENTENCES.values()))


def test_a_patient_reads_who_looked_newest_first(cast: Cast) -> None:
    looks = [
        (Action.VIEWED, Actor.person(cast.maria), "page"),
        (Action.REPORT_VIEWED, Actor.staff(cast.tom, cast.lakeside), "page"),
        (Action.VIEWED, Actor.person(cast.maria), disclosures.TIMELINE),
        (Action.RELEASED, Actor.system(), ""),
        (Action.DOWNLOADED, Actor.person(cast.eve), "page"),
    ]
    for action, actor, way in looks:
        audit.record(action, actor=actor, study_id=cast.study.pk, way=way)
    said = [
        (str(who), str(what)) for _at, who, what in disclosures.latest(cast.study, viewer=access.viewer_for(cast.maria))
    ]
    assert said == [
        ("eve@example.org", "downloaded the study"),
        ("Staff of Lakeside Imaging", "read the report"),
        ("You", "looked at the pictures"),
    ]


def test_the_list_is_short(cast: Cast) -> None:
    for _ in range(7):
        audit.record(Action.VIEWED, actor=Actor.person(cast.maria), study_id=cast.study.pk)
    assert len(disclosures.latest(cast.study, viewer=access.viewer_for(cast.maria))) == 5
