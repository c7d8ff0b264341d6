"""Does the time of a refusal tell why? Medians of each kind of failure, beside each other.

    python -m bench.timing [--tries 200]

Runs the real site in this process, over a data folder of its own, with real password hashing and real rate limits.
Kinds are tried in random turn, so that a machine that slows down slows them all. Exit code 1 when the medians of one
door are more than 10 ms apart.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from statistics import median, quantiles

from django.core.cache import cache
from django.test import Client

MOST_APART = 10.0  # milliseconds between medians
WARMING_UP = 5  # tries that are not counted
PASSWORD = "a quiet lake in autumn"
BORN = date(1980, 5, 17)
ACCOUNTS = 50  # so many that none meets its limit of wrong passwords

Try = Callable[[int], None]


@dataclass(frozen=True)
class Door:
    """Where a stranger can knock: what can go wrong there, and what makes one try like the other."""

    name: str
    kinds: dict[str, Try]
    before: Callable[[], object] = lambda: cache.clear()  # outside the clock: every try finds the rates as they were


def main() -> int:
    """Measure every door and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tries", type=int, default=200, help="of each kind")
    tries = parser.parse_args().tries
    with tempfile.TemporaryDirectory(prefix="lightbox-timing-") as folder:
        _start(folder)
        apart = [_measure(door, tries) for door in (_sign_in(), _sign_up(), _forgotten_password(), _claim())]
    return int(max(apart) > MOST_APART)


def _start(folder: str) -> None:
    """Set the site up. Everything of the project is imported after this."""
    os.environ |= {"DATA_DIR": folder, "DJANGO_SETTINGS_MODULE": "portal.settings"}
    import django

    django.setup()

    from accounts import people
    from accounts.audit import Actor
    from accounts.models import User
    from portal.embedded.site import prepare

    prepare("http://127.0.0.1:8000")
    for number in range(ACCOUNTS):
        for kind in ("known", "gone"):
            people.add_account(f"{kind}{number}@example.org", PASSWORD, actor=Actor.operator())
    User.objects.filter(email__startswith="gone").update(is_active=False)


def _measure(door: Door, tries: int) -> float:
    """Try each kind in turn, print what it took, and return how far the medians are apart, in milliseconds."""
    took: dict[str, list[float]] = {kind: [] for kind in door.kinds}
    cost: dict[str, list[float]] = {kind: [] for kind in door.kinds}
    for number in range(tries + WARMING_UP):
        for kind in random.sample(list(took), len(took)):
            door.before()
            began, spent = time.perf_counter(), time.process_time()
            door.kinds[kind](number)
            took[kind].append((time.perf_counter() - began) * 1000)
            cost[kind].append((time.process_time() - spent) * 1000)
    parts = {kind: quantiles(times[WARMING_UP:]) for kind, times in took.items()}
    apart = max(middle for _, middle, _ in parts.values()) - min(middle for _, middle, _ in parts.values())
    print(f"\n{door.name}: medians of {tries} tries at most {apart:.1f} ms apart")
    for kind, (low, middle, high) in parts.items():
        print(f"  {kind:<28}{middle:8.1f} ms   quartiles {low:.1f}, {high:.1f}   processor {median(cost[kind]):.1f}")
    return apart


@lru_cache
def _browser() -> Client:
    return Client(SERVER_NAME="127.0.0.1")


def _post(path: str, **form: str) -> None:
    """One POST without cookies from an address of its own, so that no network's limit is met."""
    _browser().cookies.clear()
    answer = _browser().post(path, form, REMOTE_ADDR=".".join(str(random.randrange(1, 255)) for _ in range(4)))
    if answer.status_code not in (200, 302):
        raise RuntimeError(f"{path} answered {answer.status_code}: this measures something else")


def _sign_in() -> Door:
    def kind(address: str, password: str) -> Try:
        return lambda number: _post("/accounts/login/", login=_fill(address, number), password=password)

    return Door(
        "sign-in",
        {
            "unknown address": kind("nobody{each}@example.org", "wrong"),
            "wrong password": kind("known{one}@example.org", "wrong"),
            "inactive, wrong password": kind("gone{one}@example.org", "wrong"),
        },
    )


def _sign_up() -> Door:
    details = {"name": "N", "birth_day": "17", "birth_month": "5", "birth_year": "1980", "password1": PASSWORD}

    def kind(address: str) -> Try:
        return lambda number: _post("/accounts/signup/", email=_fill(address, number), **details)

    return Door(
        "sign-up", {"new address": kind("new{each}@example.org"), "taken address": kind("known{one}@example.org")}
    )


def _forgotten_password() -> Door:
    def kind(address: str) -> Try:
        return lambda number: _post("/accounts/password/reset/", email=_fill(address, number))

    return Door(
        "forgotten password",
        {"unknown address": kind("absent{each}@example.org"), "known address": kind("known{one}@example.org")},
    )


def _fill(address: str, number: int) -> str:
    return address.format(one=number % ACCOUNTS, each=number)


def _claim() -> Door:
    from django.utils import timezone

    from accounts import facilities, people
    from accounts.audit import Actor
    from accounts.models import AttemptCounter
    from sharing import claims, codes
    from sharing.models import ClaimCode
    from studies import patients

    operator, now = Actor.operator(), timezone.now()
    facility, _key = facilities.add_facility("Lakeside Imaging", actor=operator)
    user = people.add_account("claimant@example.org", PASSWORD, actor=operator)

    def a_code(state: str, **changes: object) -> str:
        patient = patients.register(facility, state, birth_date=BORN, source="claimcode", actor=operator)
        text, row = claims.issue(patient, actor=operator)
        ClaimCode.objects.filter(pk=row.pk).update(**changes)
        return text

    def beside(text: str) -> str:
        symbols = codes.selector(codes.tidy(text)) + codes.tidy(codes.make())[4:12]
        return symbols + codes.check_symbol(symbols)

    def kind(text: str, born: date = BORN) -> Try:
        def attempt(number: int) -> None:
            try:
                claims.claim(user, text, born, address="192.0.2.1")
            except claims.ClaimRefused:
                return
            raise RuntimeError("a claim that must fail succeeded")

        return attempt

    good = a_code("open")
    locked = a_code("locked")

    def before() -> None:
        """Every try finds the caps as they were."""
        AttemptCounter.objects.all().delete()
        ClaimCode.objects.update(wrong_tries=0)
        ClaimCode.objects.filter(patient__patient_id="locked").update(wrong_tries=claims.LIFETIME_CAP)

    return Door(
        "claim",
        {
            "no such code": kind(codes.make()),
            "another code": kind(beside(good)),
            "another birth date": kind(good, BORN + timedelta(days=1)),
            "used": kind(a_code("used", used_at=now)),
            "ended": kind(a_code("ended", issued_at=now - timedelta(days=2), expires_at=now - timedelta(days=1))),
            "revoked": kind(a_code("revoked", revoked_at=now)),
            "too many wrong tries": kind(locked),
        },
        before,
    )


if __name__ == "__main__":
    sys.exit(main())
