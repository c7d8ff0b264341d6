"""Another master key: everything that the old one wraps or seals is wrapped by the new one, while the site runs.

Three things hang on the master key: the keys of patients and of objects of nobody (`studies.store.rewrapping`), the
seeds of second factors, and the digests of open codes. Where the site keeps its key itself, the new one is made
here:

    master.key          the present key: replaced whole, by a rename
    master.key.former   the key before it; goes when nothing needs it any more

Killed anywhere, the next run finds `master.key.former` and goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from allauth.mfa.models import Authenticator
from cryptography.exceptions import InvalidTag
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.audit import Action, Actor
from accounts.errors import Conflict
from portal.embedded.turns import alone
from portal.environment import new_secret, sync_folder, write_durably
from portal.second_factor import seal_seeds_anew
from sharing import codes
from sharing.models import ClaimCode, ShareLink
from studies.store import masterkeys, rewrapping
from studies.store.rewrapping import Tally

SETTLE: Final = 5.0  # seconds: longer than anybody takes from wrapping a key to committing it

Say = Callable[[str], None]


@dataclass
class Outcome:
    """What a rotation came to. `codes_ended`: open claim codes of an earlier version, which no key can carry over."""

    tally: Tally
    codes_ended: int = 0

    @property
    def is_done(self) -> bool:
        """Whether nothing needs a former key."""
        return self.tally.unopened == 0


def rotate_master(say: Say) -> Outcome:
    """Make a new master key where the site keeps it, wrap everything by the present one, and let the former one go.

    Raises Conflict where the key comes from the environment and no former one is named.
    """
    with _one_at_a_time():
        _begin(say)
        outcome = _rewrap_all(say)
        if outcome.tally.renewed:
            time.sleep(SETTLE)  # somebody may have wrapped by the former key a moment before it was replaced
            outcome.tally.unopened = _rewrap_all(say).tally.unopened
        if outcome.is_done:
            _let_go()
        _write_down("keys of all", outcome)
    return outcome


def rotate_patients(say: Say) -> Outcome:
    """Give every patient another key; goes on where a run before was killed."""
    with _one_at_a_time():
        mark = settings.SECRETS_DIR / "patients.rotated"
        after = UUID(mark.read_text(encoding="ascii")) if mark.exists() else None
        tally = rewrapping.patient_keys(_progress(say, "patients"), after, done=lambda pk: write_durably(mark, str(pk)))
        mark.unlink(missing_ok=True)
        outcome = Outcome(tally)
        _write_down("keys of patients", outcome)
    return outcome


def is_under_way() -> bool:
    """Whether a former key of the site's own is still kept."""
    former = masterkeys.former_file()
    return former is not None and former.exists()


def _begin(say: Say) -> None:
    own, former = settings.MASTER_KEY_OWN_FILE, masterkeys.former_file()
    if own is None or former is None:
        if not settings.MASTER_KEY_FALLBACKS:
            raise Conflict(
                _("MASTER_KEY comes from the environment, and no former key is named."),
                hint=_("Set MASTER_KEY to a new key and MASTER_KEY_FALLBACKS to the old one, restart, and try again."),
            )
        return
    present = own.read_text(encoding="ascii").strip()
    if former.exists() and former.read_text(encoding="ascii").strip() != present:
        say("Going on with the rotation that was begun before.")
        return
    write_durably(former, present)
    write_durably(own, new_secret())


def _rewrap_all(say: Say) -> Outcome:
    tally = rewrapping.patients_by_master(_progress(say, "patients"))
    tally += rewrapping.objects_by_master(_progress(say, "objects of nobody"))
    tally += _seeds()
    codes_tally, ended = _codes()
    return Outcome(tally + codes_tally, ended)


def _let_go() -> None:
    if former := masterkeys.former_file():
        former.unlink(missing_ok=True)
        sync_folder(former.parent)


def _seeds() -> Tally:
    tally = Tally()
    for pk in Authenticator.objects.order_by("pk").values_list("pk", flat=True):
        with transaction.atomic():
            tally += _seed(Authenticator.objects.select_for_update().filter(pk=pk))
    return tally


def _seed(rows: Iterable[Authenticator]) -> Tally:
    tally = Tally()
    for row in rows:
        try:
            anew = seal_seeds_anew(row.data)
        except InvalidTag:
            return Tally(1, unopened=1)
        tally += Tally(1, renewed=int(anew != row.data))
        if anew != row.data:
            row.data = anew
            row.save(update_fields=["data"])
    return tally


def _codes() -> tuple[Tally, int]:
    """Codes to claim, and codes of links on sheets of paper."""
    now = timezone.now()
    tally, ended = Tally(), 0
    for rows, name in (
        (ClaimCode.objects.filter(used_at=None, revoked_at=None, expires_at__gt=now), "digest"),
        (ShareLink.objects.filter(grant__revoked_at=None, grant__expires_at__gt=now), "code_digest"),
    ):
        for pk, stored in rows.values_list("pk", name):
            seen, anew = _code(stored)
            tally += seen
            ended += codes.is_of_old(stored)
            if anew and anew != stored:
                rows.filter(**{"pk": pk, name: stored}).update(**{name: anew})
    return tally, ended


def _code(stored: str) -> tuple[Tally, str | None]:
    """A digest as it should be stored, None when no known key opens it."""
    anew = stored if codes.is_present(stored) else codes.resealed(stored)
    unopened = not anew and not codes.is_of_old(stored)
    return Tally(1, renewed=int(anew not in (None, stored)), unopened=int(unopened)), anew


def _write_down(what: str, outcome: Outcome) -> None:
    tally = outcome.tally
    with transaction.atomic():
        audit.record(
            Action.KEYS_ROTATED,
            actor=Actor.operator(),
            way="command",
            what=what,
            renewed=tally.renewed,
            unopened=tally.unopened,
        )


def _progress(say: Say, what: str) -> rewrapping.Report:
    """A line every few seconds."""
    last = time.monotonic()

    def report(tally: Tally) -> None:
        nonlocal last
        if time.monotonic() - last > 2:
            last = time.monotonic()
            say(f"{what}: {tally.seen} looked at, {tally.renewed} wrapped anew")

    return report


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    with alone(settings.SECRETS_DIR / ".rotating"):
        yield
