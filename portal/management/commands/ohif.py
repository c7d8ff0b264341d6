"""Installs OHIF, the viewer that physicians know, beside the site."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.ohif import installed, package, preparing


class Command(BaseCommand):
    help = "Installs OHIF, the viewer that physicians know. Without it the site's own viewer opens."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", dest="file", type=Path, help="Its tarball, where there is no internet.")

    def handle(self, *args: Any, file: Path | None, **options: Any) -> None:
        if installed.entry():
            self.stdout.write(f"OHIF {package.VERSION} is installed.")
            return
        self.stdout.write(f"Installing OHIF {package.VERSION}, the viewer that physicians know …")
        try:
            with package.fetched(file) as tarball:
                preparing.prepare(tarball, installed.FOLDER)
        except (package.NotFetched, preparing.Unfit) as problem:
            raise CommandError(f"OHIF was not installed: {problem}") from problem
        installed.entry.cache_clear()
        self.stdout.write(f"OHIF {package.VERSION} is installed; a running site shows it after its next start.")
