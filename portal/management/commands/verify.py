"""`manage.py verify`: is everything whole?"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from portal import verifying
from portal.management.operator import OperatorCommand


class Command(OperatorCommand):
    help = (
        "Looks at the database, its rows and triggers, every object's file, key and bytes, and every instance's"
        " SHA-256. Exits 1 when something is damaged. Safe while the site runs; what it finds damaged is not served"
        " from then on, and what was put back from a backup is served again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--quick", action="store_true", help="Sizes and keys only: reads no byte of the objects.")

    def handle(self, *args: Any, quick: bool, json: bool, **options: Any) -> None:
        verdict = verifying.verify(quick=quick, say=self.stderr.write)
        fields = {"whole": not verdict.problems, **vars(verdict)}
        sentence = "\n".join([*verdict.problems, *verdict.notes, f"Looked at: {verdict.counts}."])
        self.answer(fields, sentence if verdict.problems else f"Everything is whole. {sentence}", as_json=json)
        if verdict.problems:
            raise CommandError(
                "Not everything is whole. Put files back from a backup and run this again, or have the facility"
                " send the studies again: its receipts say which."
            )
