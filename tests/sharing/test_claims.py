from __future__ import annotations

from datetime import date
from typing import Any
from unittest.mock import patch

import pytest
from argon2 import PasswordHasher

from accounts import people
from accounts.audit import Action, Actor
from accounts.errors import BadRequest, TooManyTries
from accounts.models import AuditEvent, Letter, User
from sharing import access, claims, codes, proving, releases
from sharing.claims import ClaimRefused, OtherBirthDate
from sharing.models import ClaimCode, Link
from studies.models import FacilityPatient
from tests.at_once import at_once
from tests.cast import BORN, Cast, a_patient, a_study, person
from tests.conftest import Clock

OPERATOR = Actor.operator()
ADDRESS = "192.0.2.1"


def _issue(patient: FacilityPatient, days: int = 30) -> str:
    return claims.issue(patient, actor=OPERATOR, days=days)[0]


def _claim(user: User, code: str, born: date = BORN, address: str = ADDRESS) -> Link:
    return claims.claim(user, code, born, address=address)


def _mistyped(code: str) -> str:
    """Another whole code with the same selector."""
    while True:
        other = code[:4] + codes.make()[4:]
        symbols = codes.tidy(other)
        wrong = symbols[:12] + codes.check_symbol(symbols[:12])
        if wrong != codes.tidy(code):
            return wrong


def _counting_argon2() -> Any:
    return patch.object(PasswordHasher, "verify", autospec=True, side_effect=PasswordHasher.verify)


@pytest.fixture
def newcomer(cast: Cast) -> FacilityPatient:
    """A patient of Hilltop whom nobody has claimed."""
    return a_patient(cast.hilltop)


def test_a_claim_shows_what_is_released_and_what_comes_later(cast: Cast, newcomer: FacilityPatient) -> None:
    code, early = _issue(newcomer), a_study(newcomer)
    releases.release_ready(newcomer, actor=OPERATOR)
    _claim(cast.eve, code.lower())
    late = a_study(newcomer)
    releases.follow(late)
    assert set(access.timeline(access.Person(cast.eve))) == {early, late}


def test_a_code_works_once(cast: Cast, newcomer: FacilityPatient) -> None:
    code = _issue(newcomer)
    _claim(cast.eve, code)
    for user in (cast.eve, cast.maria):
        with pytest.raises(ClaimRefused):
            _claim(user, code)
    assert Link.objects.get(patient=newcomer).record == cast.eve.record


def test_a_code_is_not_stored(cast: Cast, newcomer: FacilityPatient) -> None:
    code = codes.tidy(_issue(newcomer))
    row = ClaimCode.objects.get(patient=newcomer)
    assert code[4:12] not in f"{row.selector} {row.digest}"
    assert code not in str(list(AuditEvent.objects.values_list("detail", flat=True)))


def test_a_new_code_ends_the_old_one(cast: Cast, newcomer: FacilityPatient) -> None:
    old, new = _issue(newcomer), _issue(newcomer)
    with pytest.raises(ClaimRefused):
        _claim(cast.eve, old)
    assert _claim(cast.eve, new).patient == newcomer


def test_a_code_ends(cast: Cast, newcomer: FacilityPatient, clock: Clock) -> None:
    code = _issue(newcomer, days=1)
    clock.move(days=1)
    with pytest.raises(ClaimRefused):
        _claim(cast.eve, code)


def test_a_code_lives_its_days_from_when_there_is_something_to_see(
    cast: Cast, newcomer: FacilityPatient, clock: Clock
) -> None:
    code = _issue(newcomer, days=30)
    clock.move(days=25)
    releases.release(a_study(newcomer), actor=OPERATOR)
    clock.move(days=29)
    assert _claim(cast.eve, code).patient == newcomer


def test_what_comes_too_late_opens_no_code_again(cast: Cast, newcomer: FacilityPatient, clock: Clock) -> None:
    code = _issue(newcomer, days=30)
    clock.move(days=31)
    releases.release(a_study(newcomer), actor=OPERATOR)
    with pytest.raises(ClaimRefused):
        _claim(cast.eve, code)


def test_a_code_with_an_ended_ones_selector_can_be_made(cast: Cast, newcomer: FacilityPatient, clock: Clock) -> None:
    code = _issue(newcomer, days=1)
    clock.move(days=2)
    with patch.object(codes, "make", return_value=code):
        assert _issue(a_patient(cast.lakeside)) == code


def test_a_taken_selector_is_not_used_again(cast: Cast, newcomer: FacilityPatient) -> None:
    first, second = _issue(newcomer), codes.make()
    with patch.object(codes, "make", side_effect=[first, second]):
        assert _issue(a_patient(cast.lakeside)) == second


@pytest.mark.parametrize("days", [0, 91])
def test_a_code_lives_1_to_90_days(newcomer: FacilityPatient, days: int) -> None:
    with pytest.raises(BadRequest):
        _issue(newcomer, days)


def test_a_code_needs_a_birth_date_to_ask_for(cast: Cast) -> None:
    with pytest.raises(BadRequest):
        _issue(a_patient(cast.hilltop, birth_date=None))


def test_every_failure_has_one_answer_and_costs_one_argon2(cast: Cast, newcomer: FacilityPatient, clock: Clock) -> None:
    codes.dummy_digest()
    code, used = _issue(newcomer), _issue(a_patient(cast.lakeside))
    _claim(cast.eve, used)
    unknown, ended = codes.make(), _issue(a_patient(cast.lakeside), days=1)
    clock.move(days=2)
    other = date(1980, 5, 18)
    attempts = [
        (code, other),
        (_mistyped(code), BORN),
        (used, other),
        (_mistyped(used), BORN),
        (unknown, BORN),
        (ended, other),
        (_mistyped(ended), BORN),
    ]
    answers = set()
    for text, born in attempts:
        with _counting_argon2() as verify, pytest.raises(ClaimRefused) as refusal:
            _claim(cast.eve, text, born)
        answers.add((refusal.value.status, str(refusal.value.message), str(refusal.value.hint)))
        assert verify.call_count == 1
    assert len(answers) == 1
    assert AuditEvent.objects.filter(action=Action.CLAIM_REFUSED).count() == len(attempts)


def test_a_success_costs_one_argon2_too(cast: Cast, newcomer: FacilityPatient) -> None:
    code = _issue(newcomer)
    with _counting_argon2() as verify:
        _claim(cast.eve, code)
    assert verify.call_count == 1


def test_a_slip_of_the_finger_costs_no_try(cast: Cast, newcomer: FacilityPatient) -> None:
    code = codes.tidy(_issue(newcomer))
    slip = code[:-1] + ("0" if code[-1] != "0" else "1")
    for _ in range(30):
        with pytest.raises(ClaimRefused):
            _claim(cast.eve, slip)
    assert _claim(cast.eve, code)


def test_ten_wrong_tries_end_a_code_for_ever(cast: Cast, newcomer: FacilityPatient, clock: Clock) -> None:
    code = _issue(newcomer, days=90)
    for _ in range(claims.LIFETIME_CAP):
        with pytest.raises(ClaimRefused):
            _claim(cast.eve, code, date(1980, 5, 18))
        clock.move(days=1)
    with pytest.raises(ClaimRefused):
        _claim(cast.eve, code)
    assert ClaimCode.objects.get(patient=newcomer).wrong_tries == claims.LIFETIME_CAP


def test_nine_wrong_tries_do_not(cast: Cast, newcomer: FacilityPatient) -> None:
    code = _issue(newcomer)
    for _ in range(claims.LIFETIME_CAP - 1):
        with pytest.raises(ClaimRefused):
            _claim(cast.eve, _mistyped(code))
    assert _claim(cast.eve, code)
    assert ClaimCode.objects.get(patient=newcomer).wrong_tries == 9


def test_an_account_has_20_tries_an_hour(cast: Cast, clock: Clock) -> None:
    for _ in range(proving.PER_ACCOUNT):
        with pytest.raises(ClaimRefused):
            _claim(cast.eve, codes.make())
    with pytest.raises(TooManyTries):
        _claim(cast.eve, codes.make())
    with pytest.raises(ClaimRefused):
        _claim(cast.maria, codes.make())
    clock.move(hours=1)
    with pytest.raises(ClaimRefused):
        _claim(cast.eve, codes.make())


def test_a_network_has_100_tries_an_hour(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving, "PER_NETWORK", 2)
    for user, address in [(cast.eve, "2001:db8::1"), (cast.maria, "2001:db8::2")]:
        with pytest.raises(ClaimRefused):
            _claim(user, codes.make(), address=address)
    with pytest.raises(TooManyTries):
        _claim(cast.tom, codes.make(), address="2001:db8::3")


def test_an_empty_record_never_disagrees_but_another_birth_date_does(cast: Cast, newcomer: FacilityPatient) -> None:
    code = _issue(newcomer)
    people.change_details(cast.eve, name="Eve", birth_date=date(1990, 1, 1))
    with pytest.raises(OtherBirthDate):
        _claim(cast.eve, code)
    assert ClaimCode.objects.get(patient=newcomer).wrong_tries == 0
    assert _claim(cast.maria, code)


def test_a_code_issued_after_a_claim_moves_the_patient(cast: Cast) -> None:
    epoch, code = cast.study.access_epoch, _issue(cast.patient)
    _claim(cast.eve, code)
    assert list(access.timeline(access.Person(cast.eve))) == [cast.study]
    assert not access.timeline(access.Person(cast.maria)).exists()
    cast.study.refresh_from_db()
    assert cast.study.access_epoch > epoch
    assert [letter.to for letter in Letter.objects.all()] == ["maria@example.org"]


def test_a_code_issued_after_a_claim_changes_nothing_for_the_same_person(cast: Cast) -> None:
    before = Link.objects.get(patient=cast.patient)
    assert _claim(cast.maria, _issue(cast.patient)) == before


@pytest.mark.django_db(transaction=True)
def test_of_50_right_claims_at_once_one_succeeds(cast: Cast) -> None:
    patient = a_patient(cast.hilltop)
    code, people_ = _issue(patient), [person(f"person{n}@example.org") for n in range(50)]
    answers = at_once([lambda user=user: _claim(user, code) for user in people_])  # type: ignore[misc]
    assert sum(isinstance(answer, Link) for answer in answers) == 1
    assert sum(isinstance(answer, ClaimRefused) for answer in answers) == 49
    assert Link.objects.filter(patient=patient).count() == 1
    assert AuditEvent.objects.filter(action=Action.CLAIMED).count() == 1
    assert AuditEvent.objects.filter(action=Action.CLAIM_REFUSED).count() == 49


@pytest.mark.django_db(transaction=True)
def test_of_200_wrong_tries_in_waves_of_50_ten_count_and_three_more_are_compared(cast: Cast) -> None:
    patient = a_patient(cast.hilltop)
    codes.dummy_digest()
    text, code = claims.issue(patient, actor=OPERATOR)
    wrong, people_ = _mistyped(text), [person(f"person{n}@example.org") for n in range(50)]
    with patch.object(codes, "matches", side_effect=codes.matches) as matches:
        # From an address each: it is the code's own cap that must hold, not the network's.
        wave = [lambda user=user, n=n: _claim(user, wrong, address=f"192.0.2.{n}") for n, user in enumerate(people_)]
        answers = [answer for _ in range(4) for answer in at_once(wave)]
    compared_with = [call.args[1] for call in matches.call_args_list]
    compared = proving.LIFETIME_CAP + proving.LAST_WORDS
    assert {type(answer) for answer in answers} == {ClaimRefused}
    assert compared_with.count(code.digest) == compared
    assert compared_with.count(codes.dummy_digest()) == 200 - compared
    code.refresh_from_db()
    assert code.wrong_tries == compared
    for user in (cast.eve, cast.maria):  # the three behind the tenth open nothing, nor does any after them
        with pytest.raises(ClaimRefused):
            _claim(user, text)
    assert not Link.objects.filter(patient=patient).exists()


@pytest.mark.django_db(transaction=True)
def test_a_refusal_stands_whatever_its_caller_does(cast: Cast) -> None:
    with pytest.raises(ClaimRefused):
        _claim(cast.eve, codes.make())
    assert AuditEvent.objects.get(action=Action.CLAIM_REFUSED).record_id == cast.eve.record.pk


@pytest.mark.django_db(transaction=True)
def test_codes_issued_at_once_leave_one_open(cast: Cast) -> None:
    patient = a_patient(cast.hilltop)
    texts = at_once([lambda: _issue(patient)] * 4)
    assert all(isinstance(text, str) for text in texts), texts
    assert ClaimCode.objects.filter(patient=patient, revoked_at=None).count() == 1
