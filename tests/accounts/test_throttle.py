from __future__ import annotations

from datetime import timedelta

import pytest

from accounts import throttle
from accounts.errors import TooManyTries
from accounts.models import AttemptCounter
from tests.at_once import at_once
from tests.conftest import Clock

HOUR = timedelta(hours=1)


def _hit(subject: str = "eve", cap: int = 3, within: timedelta | None = HOUR) -> None:
    throttle.hit("guess", subject, cap=cap, within=within)


def test_a_rate_allows_its_cap_and_no_more(db: None) -> None:
    for _ in range(3):
        _hit()
    with pytest.raises(TooManyTries) as refusal:
        _hit()
    assert 3590 <= (refusal.value.retry_after or 0) <= 3601
    assert throttle.peek("guess", "eve", within=HOUR) == 3
    _hit(subject="maria")


def test_a_rate_starts_afresh_after_its_window(db: None, clock: Clock) -> None:
    for _ in range(3):
        _hit()
    clock.move(hours=1)
    assert throttle.peek("guess", "eve", within=HOUR) == 0
    _hit()
    assert throttle.peek("guess", "eve", within=HOUR) == 1


def test_a_lifetime_cap_never_ends(db: None, clock: Clock) -> None:
    _hit(cap=1, within=None)
    clock.move(days=4000)
    throttle.forget_passed()
    with pytest.raises(TooManyTries) as refusal:
        _hit(cap=1, within=None)
    assert refusal.value.retry_after is None


@pytest.mark.django_db(transaction=True)
def test_tries_at_once_pass_a_cap_exactly() -> None:
    answers = at_once([lambda: _hit(cap=5)] * 12)
    assert answers.count(None) == 5
    assert sum(isinstance(answer, TooManyTries) for answer in answers) == 7


def test_counters_name_nobody(db: None) -> None:
    _hit(subject="eve@example.org")
    key = AttemptCounter.objects.get().key
    assert len(key) == 64
    assert "eve" not in key


def test_passed_counters_are_forgotten(db: None, clock: Clock) -> None:
    _hit()
    assert throttle.forget_passed() == 0
    clock.move(days=2)
    assert throttle.forget_passed() == 1


def test_a_window_longer_than_the_memory_is_refused(db: None) -> None:
    with pytest.raises(ValueError, match="day"):
        _hit(within=timedelta(days=2))


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
    ],
)
def test_an_address_counts_as_its_subscriber(address: str, network: str) -> None:
    assert throttle.network_of(address) == network
