"""Lightbox as `make run` starts it, with one facility and one patient who has claimed what it sends."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import requests

from bench.corpus import EXAM, Study
from bench.server import Server
from tests.journeys.conftest import start_site, stop_site

PASSWORD = "a quiet lake in autumn"
# What a command line holds, the innermost first.
KINDS = {"studies.sandbox": "sandbox", "granian": "web", "worker": "worker", "beat": "clock", "manage.py": "supervisor"}
POLL = 0.02


class Lightbox(Server):
    """The embedded site."""

    name = "Lightbox"
    renders = True

    def __init__(self, folder: Path) -> None:
        self._site = start_site(folder / "lightbox")
        self.port, self.pid = self._site.port, self._site.process.pid
        self._paths: dict[str, str] = {}

    def prepare(self) -> None:
        facility = self._site.manage("facility", "add", EXAM.facility)
        self._key = facility["key"]
        self._session = self._patient(facility["slug"])
        self.sending = {"Authorization": f"Bearer {self._key}"}
        self.looking = {"Cookie": "; ".join(f"{one.name}={one.value}" for one in self._session.cookies)}

    def _patient(self, slug: str) -> requests.Session:
        """Somebody who has claimed before anything arrived, signed in."""
        born = str(EXAM.birth_date)
        self._site.manage("account", "add", "maria@example.org", "--password", PASSWORD)
        code = self._site.manage("claimcode", slug, EXAM.patient_id, "--name", EXAM.name, "--birth-date", born)
        session = self._site.sign_in("maria@example.org", PASSWORD)
        if self._site.claim(session, code["code"], born).status_code != 303:
            raise RuntimeError("the claim failed")
        return session

    def wait_for(self, study: Study) -> None:
        while (self._site.receipt(self._key, study.uid) or {}).get("state") != "ready":
            time.sleep(POLL)
        while study.uid not in self._paths:
            self._paths = {one["study_uid"]: f"/studies/{one['id']}/" for one in self._get("/api/v1/studies/")}

    def pictures(self, study: Study) -> list[str]:
        series = self._get(f"{self._paths[study.uid]}manifest/")["series"]
        first = max(series, key=lambda one: one["count"])
        return [first["pictures"].replace("{n}", str(number + 1)) for number in range(first["count"])]

    def archive(self, study: Study) -> str:
        return f"{self._paths[study.uid]}download/"

    def pages(self, study: Study) -> dict[str, str]:
        return {f"My images, {len(self._paths)} studies": "/", "Study page": self._paths[study.uid]}

    def stop(self) -> None:
        stop_site(self._site)

    def kind(self, commands: str) -> str:
        return next(kind for sign, kind in KINDS.items() if sign in commands)

    def _get(self, path: str) -> Any:
        answer = self._session.get(f"{self._site.url}{path}", timeout=30)
        answer.raise_for_status()
        return answer.json()
