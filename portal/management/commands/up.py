"""The embedded site: web server, worker and clock on this machine, with the demo unless told otherwise."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts.models import User
from portal.demo import world
from portal.embedded.site import children, prepare
from portal.embedded.supervisor import Supervisor, die_with_parent


class Command(BaseCommand):
    help = "Runs the embedded site until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--no-demo", action="store_true", help="Start without the demo world.")
        parser.add_argument("--with-parent", action="store_true", help="Stop when the calling process ends.")

    def handle(self, *args: Any, port: int, no_demo: bool, with_parent: bool, **options: Any) -> None:
        if with_parent:
            die_with_parent(signal.SIGTERM)
        new_key = not (settings.DATA_DIR / "lightbox.sqlite3").exists()
        self.address = f"http://127.0.0.1:{port}"
        prepare(self.address)
        if new_key:
            self._tell_of_the_key()
        if not no_demo and not settings.DEMO:
            self._demo_unless_lived_in()
        Supervisor(children(port), self.stderr.write).run(self._greet)

    def _tell_of_the_key(self) -> None:
        self.stdout.write(
            f"\nThe master key lies in {settings.MASTER_KEY_PATH} and is readable by you alone."
            "\nEverything patients and facilities store is sealed with it: without this file nothing can be read"
            " again, by anybody.\nKeep a copy in a safe place, apart from the data.\n"
        )

    def _demo_unless_lived_in(self) -> None:
        """A demo's letter box is open to everybody, so a site with people of its own is never made one in passing."""
        if User.objects.exclude(email__in=world.CAST).exists():
            self.stdout.write("This site has accounts of its own, so no demo is made in it.")
            return
        self.stdout.write("Making the demo world (once, under a minute) …")
        self._demo()

    def _demo(self) -> dict[str, Any]:
        """The demo is made by its own command: one that also runs without this one."""
        made = subprocess.run(
            [sys.executable, str(settings.BASE_DIR / "manage.py"), "demo", "--json"],
            stdout=subprocess.PIPE, check=False,
        )  # fmt: skip
        if made.returncode:
            raise CommandError("The demo could not be made; the lines above say why. Start with --no-demo.")
        world: dict[str, Any] = json.loads(made.stdout)
        return world

    def _greet(self) -> None:
        self._wait_until_up()
        self.stdout.write(self.style.SUCCESS(f"\nLightbox is at {self.address}"))
        demo = settings.DATA_DIR / "demo.json"
        if demo.exists():
            self._introduce(json.loads(demo.read_text(encoding="utf-8")))
        self.stdout.write("Stop it with Ctrl-C.\n")

    def _wait_until_up(self) -> None:
        for _attempt in range(300):
            try:
                urllib.request.urlopen(f"{self.address}/livez", timeout=2).close()  # noqa: S310 - our own address
            except urllib.error.HTTPError:
                return  # it answers, if only to ask for https
            except OSError:
                time.sleep(0.1)
            else:
                return
        self.stderr.write("The site has not answered for 30 seconds; its own lines above should say why.")

    def _introduce(self, world: dict[str, Any]) -> None:
        new = world["new_patient"]
        rows = [
            ("a patient", world["patient"]["email"], world["patient"]["password"]),
            ("facility staff", world["facility_staff"]["email"], world["facility_staff"]["password"]),
            ("a physician", world["provider"]["email"], world["provider"]["password"]),
            ("a stranger", world["stranger"]["email"], world["stranger"]["password"]),
        ]
        for who, address, password in rows:
            self.stdout.write(f"  Sign in as {who:<15} {address:<28} {password}")
        self.stdout.write(f"  Or claim with the code {new['claim_code']}, born {new['birth_date']}")
