from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts import audit
from accounts.audit import Action, Actor
from accounts.models import ProviderProfile, Representative, User
from sharing import claims, disclosures, grants, releases
from sharing.access import Relation
from sharing.disclosures import Look
from sharing.models import Grant, Link
from studies.models import Study
from tests.cast import Cast, a_patient, a_study


def _note(cast: Cast, action: Action, actor: Actor, *, study: Study | None = None, **more: Any) -> None:
    about = {"study_id": (study or cast.study).pk, "record_id": cast.maria.record.pk, "way": "page", **more}
    audit.record(action, actor=actor, **about)


def _told(user: User, **narrowed: Any) -> list[Look]:
    return list(disclosures.tell(disclosures.activity(user, **narrowed), user))


def _words(looks: list[Look]) -> list[tuple[str, str]]:
    return [(str(look.who), str(look.what)) for look in looks]


def _lend(giver: User, **changes: Any) -> Any:
    asked = {"studies": "all", "email": "lee@example.org", "rights": ["view"], "way": "page", **changes}
    return grants.grant(giver, expires_at=timezone.now() + timedelta(days=1), **asked)


def test_every_action_has_its_sentence() -> None:
    assert set(disclosures.SENTENCES) == set(Action)
    assert all(map(str, disclosures.SENTENCES.values()))


def test_a_study_tells_who_looked_newest_first(cast: Cast) -> None:
    _note(cast, Action.VIEWED, Actor.person(cast.maria))
    _note(cast, Action.REPORT_VIEWED, Actor.staff(cast.tom, cast.lakeside))
    _note(cast, Action.VIEWED, Actor.person(cast.maria), way=disclosures.TIMELINE)
    _note(cast, Action.RELEASED, Actor.system())
    _note(cast, Action.DOWNLOADED, Actor.person(cast.eve))
    assert _words(disclosures.latest(cast.study, viewer=cast.maria)) == [
        ("eve@example.org", "downloaded the study"),
        ("Staff of Lakeside Imaging", "read the report"),
        ("You", "looked at the pictures"),
    ]


def test_the_list_on_the_study_page_is_short(cast: Cast) -> None:
    for _ in range(7):
        _note(cast, Action.VIEWED, Actor.person(cast.maria))
    assert len(disclosures.latest(cast.study, viewer=cast.maria)) == 5


def test_anothers_small_picture_in_a_list_is_a_look(cast: Cast) -> None:
    _note(cast, Action.VIEWED, Actor.person(cast.eve), way=disclosures.TIMELINE)
    (look,) = disclosures.latest(cast.study, viewer=cast.maria)
    assert look.how == "in a list"


@pytest.mark.parametrize(
    ("actor", "who"),
    [
        (Actor.operator(), "The operator of this site"),
        (Actor.system(), "This site"),
        (Actor.nobody(), "Somebody not signed in"),
    ],
)
def test_operators_and_the_site_are_told_too(cast: Cast, actor: Actor, who: str) -> None:
    _note(cast, Action.VIEWED, actor, way="command")
    (look,) = disclosures.latest(cast.study, viewer=cast.maria)
    assert (str(look.who), look.how) == (who, "at the server")


def test_how_tells_the_right_and_the_way(cast: Cast) -> None:
    _note(cast, Action.VIEWED, Actor.person(cast.eve), relation=Relation.LENT, way="dicomweb")
    (look,) = disclosures.latest(cast.study, viewer=cast.maria)
    assert look.how == "because you share it, in a viewing program"


def test_lending_is_told_and_the_addressees_account_is_not(cast: Cast) -> None:
    made = _lend(cast.maria)
    grants.revoke(cast.maria, made.pk)
    said = [what for who, what in _words(_told(cast.maria)) if who == "You"]
    assert said == ["stopped sharing with lee@example.org", "shared images with lee@example.org"]
    assert not [who for who, _ in _words(_told(cast.maria)) if "lee" in who]


def test_one_study_has_its_own_activity(cast: Cast) -> None:
    other = a_study(cast.patient)
    releases.release(other, actor=Actor.system())
    _note(cast, Action.VIEWED, Actor.person(cast.maria), study=other)
    _lend(cast.maria, studies=[cast.study.pk])
    assert [what for _, what in _words(_told(cast.maria, study=cast.study))] == [
        "shared images with lee@example.org",
        "released the study",
    ]
    assert {look.study_id for look in _told(cast.maria, study=other)} == {other.pk}


def test_only_what_others_did(cast: Cast) -> None:
    _note(cast, Action.VIEWED, Actor.person(cast.maria))
    _note(cast, Action.VIEWED, Actor.person(cast.eve))
    assert "You" not in [who for who, _ in _words(_told(cast.maria, others_only=True))]


def test_nobody_reads_the_activity_of_anothers_images(cast: Cast) -> None:
    _lend(cast.maria)
    for user in (cast.eve, cast.tom, cast.ana, cast.lee):
        assert _told(user) == []


def test_a_representative_reads_it(cast: Cast) -> None:
    Representative.objects.create(record=cast.maria.record, user=cast.eve)
    _note(cast, Action.VIEWED, Actor.person(cast.eve), relation=Relation.REPRESENTED)
    look = _told(cast.eve)[0]
    assert (str(look.who), look.how) == ("You", "on behalf of the record's owner, on this site")


def test_looks_before_a_claim_are_told_and_those_of_a_former_record_are_not(cast: Cast) -> None:
    _note(cast, Action.VIEWED, Actor.staff(cast.tom, cast.lakeside), record_id=None)
    _note(cast, Action.VIEWED, Actor.person(cast.maria))
    claims.unlink(Link.objects.get(patient=cast.patient), actor=Actor.system())
    Link.objects.create(patient=cast.patient, record=cast.eve.record, claimed_by=cast.eve)
    assert ("Staff of Lakeside Imaging", "looked at the pictures") in _words(_told(cast.eve))
    assert "maria@example.org" not in str(_words(_told(cast.eve)))


def test_a_study_that_is_gone_is_not_named(cast: Cast) -> None:
    _note(cast, Action.VIEWED, Actor.person(cast.maria))
    releases.withdraw(cast.study, "wrong patient", actor=Actor.system())
    assert {(look.study_id, look.study) for look in _told(cast.maria)} == {(None, "")}


def test_the_accounting_holds_every_look_from_a_day_on(cast: Cast) -> None:
    _note(cast, Action.VIEWED, Actor.person(cast.eve))
    _note(cast, Action.DOWNLOADED, Actor.staff(cast.tom, cast.lakeside))
    _note(cast, Action.VIEWED, Actor.person(cast.eve), record_id=a_patient(cast.hilltop).pk)
    since = timezone.now() - timedelta(days=6 * 365)
    told = list(disclosures.accounting(cast.maria.record, since))
    assert [str(look.what) for look in told] == ["looked at the pictures", "downloaded the study"]
    assert list(disclosures.accounting(cast.maria.record, timezone.now())) == []


def test_a_borrower_goes_by_her_address_whatever_she_calls_herself(cast: Cast) -> None:
    ProviderProfile.objects.filter(user=cast.lee).update(name="The operator of this site")
    made = _lend(cast.maria)
    Grant.objects.filter(pk=made.pk).update(first_opened_at=timezone.now())
    _note(cast, Action.VIEWED, Actor.person(cast.lee), relation="lent", grant=str(made.pk))
    (look,) = disclosures.latest(cast.study, viewer=cast.maria)
    assert look.who == "The operator of this site (lee@example.org)"
