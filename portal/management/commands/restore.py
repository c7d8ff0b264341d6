"""`manage.py restore DIR`: the site as it was in a backup, in an empty DATA_DIR."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.errors import PortalError
from portal import verifying
from portal.backups import passphrase, restoring, staging
from portal.management.operator import REFUSED


class Command(BaseCommand):
    help = (
        "Restores the newest snapshot in DIR, or --snapshot, into an empty DATA_DIR (and, with PostgreSQL, into the"
        " empty database that DATABASE_URL names), examines every byte of it, and only then puts it in its place: a"
        " restore that fails leaves nothing behind. Patients erased since the snapshot are erased again."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("dir", type=Path, metavar="DIR")
        parser.add_argument("--snapshot", default="", metavar="NAME", help="Another one than the newest.")
        parser.add_argument("--passphrase-file", type=Path, metavar="PATH")
        parser.add_argument("--quick", action="store_true", help="Do not read every byte again after restoring.")
        parser.add_argument("--json", action="store_true", help="Answer in JSON.")

    def handle(self, *args: Any, dir: Path, snapshot: str, passphrase_file: Path | None, **options: Any) -> None:
        target = staging.target()
        if target is None:
            raise CommandError("Call this as `manage.py restore`: it prepares its own folder.", returncode=REFUSED)
        try:
            secret = passphrase.read(passphrase_file, twice=False)
            restored = restoring.restore(dir.absolute(), secret, snapshot=snapshot, say=self.stderr.write)
        except PortalError as refusal:
            raise CommandError(f"{refusal.message} {refusal.hint}".strip(), returncode=REFUSED) from refusal
        verdict = verifying.verify(quick=options["quick"], say=self.stderr.write)
        restoring.put_in_place(restoring.staging(), target)
        fields = {
            "snapshot": restored.snapshot,
            "objects": restored.objects,
            "lost": restored.lost,
            "erased": restored.erased,
            "problems": verdict.problems,
        }
        sentence = (
            f"{target} is the site as of {restored.made_at:%Y-%m-%d %H:%M} UTC: {restored.objects} objects."
            f" {restored.erased} patients were erased again. Start it as before."
        )
        self.stdout.write(json.dumps(fields) if options["json"] else sentence)
        if verdict.problems:
            raise CommandError("Not everything is whole: " + " ".join(verdict.problems))
