"""`manage.py backup DIR`: one more snapshot of the whole site, while it runs."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from portal.backups import making, passphrase
from portal.counting import counted
from portal.management.operator import OperatorCommand


class Command(OperatorCommand):
    help = (
        "Adds a snapshot of database, objects and keys to DIR, while the site runs; only new objects are copied. The"
        " keys are sealed with a passphrase: from --passphrase-file, BACKUP_PASSPHRASE_FILE, BACKUP_PASSPHRASE, or"
        " typed. Exits 1 when something stored here is damaged. Keep DIR on another machine, the passphrase apart from"
        " it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("dir", type=Path, metavar="DIR")
        parser.add_argument("--passphrase-file", type=Path, metavar="PATH")
        parser.add_argument(
            "--keep-days", type=int, default=35, metavar="N", help="Throw older snapshots away (35); 0 keeps all."
        )

    def handle(
        self, *args: Any, dir: Path, passphrase_file: Path | None, keep_days: int, json: bool, **options: Any
    ) -> None:
        secret = passphrase.read(passphrase_file, twice=True)
        keep = timedelta(days=keep_days or 36_500)
        made = making.make(dir.absolute(), secret, keep=keep, say=self.stderr.write)
        fields = {
            "snapshot": made.snapshot.name,
            "objects": made.objects,
            "bytes": made.size,
            "copied": made.copied,
            "lost": [str(object_id) for object_id in made.lost],
            "expired": made.expired,
        }
        sentence = (
            f"{made.snapshot.name} holds {counted(made.objects, 'object')} of {made.size} bytes, {made.copied} new."
            f" {counted(made.expired, 'old snapshot')} thrown away. Try it: `manage.py restore` into an empty DATA_DIR."
        )
        self.answer(fields, sentence, as_json=json)
        if made.lost:
            raise CommandError(
                f"{counted(len(made.lost), 'object is', 'objects are')} damaged or missing here, so this backup does"
                " not hold all. Put them back from an earlier one, or have their facility send them again;"
                " `manage.py verify` names them."
            )
