"""`manage.py rotatekeys [--patients]`: another master key, or another key for every patient, while the site runs."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from portal import rotation
from portal.management.operator import OperatorCommand
from portal.rotation import Outcome


class Command(OperatorCommand):
    help = (
        "Wraps every key by a new master key; with --patients gives every patient another key. Stored objects stay as"
        " they are, and the site goes on meanwhile. If it is interrupted, run it again: it goes on. Back up afterwards."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--patients", action="store_true", help="Rotate the patients' keys, not the master key.")

    def handle(self, *args: Any, patients: bool, json: bool, **options: Any) -> None:
        rotate = rotation.rotate_patients if patients else rotation.rotate_master
        outcome = rotate(self.stderr.write)
        fields = {
            "seen": outcome.tally.seen,
            "renewed": outcome.tally.renewed,
            "unopened": outcome.tally.unopened,
            "codes_ended": outcome.codes_ended,
            "done": outcome.is_done,
        }
        self.answer(fields, _sentence(outcome, patients=patients), as_json=json)
        if not outcome.is_done:
            raise CommandError(
                f"{outcome.tally.unopened} keys open with none of the keys that are known, so the former one is kept."
                " If there was an older one, name it in MASTER_KEY_FALLBACKS and run this again;"
                " `manage.py verify` says which objects they belong to."
            )


def _sentence(outcome: Outcome, *, patients: bool) -> str:
    tally = outcome.tally
    if patients:
        return f"{tally.renewed} patients have another key. Back up now: older backups open with the keys before."
    said = f"{tally.renewed} of {tally.seen} keys were wrapped anew."
    if outcome.is_done:
        said += (
            " Nothing needs a former master key any more: take it out of MASTER_KEY_FALLBACKS if it stands there."
            " Back up now: older backups open with their own."
        )
    if outcome.codes_ended:
        said += f" {outcome.codes_ended} open claim codes of an earlier version ended with it; hand out new ones."
    return said
