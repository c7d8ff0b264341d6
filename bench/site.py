"""Lightbox as `make run` starts it, with one facility and patients who have claimed what it sends."""

from __future__ import annotations

import time
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import requests

from bench.client import Download
from bench.corpus import EXAM, Study
from bench.server import Server
from tests.journeys.conftest import Site, start_site, stop_site

PASSWORD = "a quiet lake in autumn"
OTHERS = ("BENCH-2", "BENCH-3")  # nobody gets more than two dozen downloads at once
# What a command line holds, the innermost first.
KINDS = {"studies.sandbox": "sandbox", "granian": "web", "worker": "worker", "beat": "clock", "manage.py": "supervisor"}
POLL = 0.02


class Patient:
    """Somebody who has claimed before anything arrived, signed in."""

    def __init__(self, site: Site, facility: str, patient_id: str) -> None:
        email, born = f"{patient_id}@example.org", str(EXAM.birth_date)
        site.manage("account", "add", email, "--password", PASSWORD)
        code = site.manage("claimcode", facility, patient_id, "--name", EXAM.name, "--birth-date", born)
        self.patient_id, self._url = patient_id, site.url
        self._site, self._email = site, email
        self.sign_in()
        if site.claim(self._session, code["code"], born).status_code != 303:
            raise RuntimeError("the claim failed")

    def sign_in(self) -> None:
        """A session of hers; again after a long wait, which ends one."""
        self._session = self._site.sign_in(self._email, PASSWORD)
        self.headers = _cookie(self._session)

    def studies(self) -> dict[str, str]:
        """Paths of the pages of her studies, by Study Instance UID."""
        return {one["study_uid"]: f"/studies/{one['id']}/" for one in self.get("/api/v1/studies/")}

    def get(self, path: str) -> Any:
        """What a path answers, from JSON."""
        answer = self._session.get(f"{self._url}{path}", timeout=30)
        answer.raise_for_status()
        return answer.json()


def _cookie(session: requests.Session) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{one.name}={one.value}" for one in session.cookies)}


class Lightbox(Server):
    """The embedded site."""

    name = "Lightbox"
    renders = True
    receiver = "web"

    def __init__(self, folder: Path) -> None:
        self._site = start_site(folder / "lightbox", services={"STAFF_MFA": "off"})  # nobody here holds a phone
        self.port, self.pid = self._site.port, self._site.process.pid
        self._paths: dict[str, str] = {}
        self._downloads: list[Download] = []

    def prepare(self) -> None:
        facility = self._site.manage("facility", "add", EXAM.facility)
        self._key = facility["key"]
        self._patient, *self._others = (
            Patient(self._site, facility["slug"], patient_id) for patient_id in (EXAM.patient_id, *OTHERS)
        )
        self.sending = {"Authorization": f"Bearer {self._key}"}
        self._clerk_email = f"clerk@{facility['slug']}.example"
        self._site.manage("account", "add", self._clerk_email, "--password", PASSWORD, "--staff", facility["slug"])
        self._sign_in()

    def _sign_in(self) -> None:
        for one in (self._patient, *self._others):
            one.sign_in()
        self.looking = self._patient.headers
        self._clerk = _cookie(self._site.sign_in(self._clerk_email, PASSWORD))

    def settle(self, study_uid: str) -> None:
        while (self._site.receipt(self._key, study_uid) or {}).get("state") != "ready":
            time.sleep(1)
        self._sign_in()

    def searching(self) -> dict[str, dict[str, str]]:
        return {"": self.looking, ", by a clerk": self._clerk}

    def wait_for(self, study: Study) -> None:
        self._wait_for(study, self._patient)

    def _wait_for(self, study: Study, patient: Patient) -> None:
        while (self._site.receipt(self._key, study.uid) or {}).get("state") != "ready":
            time.sleep(POLL)
        while study.uid not in self._paths:
            self._paths |= patient.studies()

    def pictures(self, study: Study) -> list[str]:
        series = self._patient.get(f"{self._paths[study.uid]}manifest/")["series"]
        first = max(series, key=lambda one: one["count"], default=None)
        if first is None:
            return []
        return [first["pictures"].replace("{n}", str(number + 1)) for number in range(first["count"])]

    def has_picture(self, study: Study) -> bool:
        if study.uid not in self._paths:
            self._paths |= self._patient.studies()
        if study.uid not in self._paths:
            return False
        shown = self.pictures(study)
        return bool(shown) and self.get(shown[0]).length > 0

    def page(self, study: Study) -> str:
        """Path of the page of a study that is ready."""
        return self._paths[study.uid]

    def archive(self, study: Study) -> str:
        return f"{self._paths[study.uid]}download/"

    def downloads(self, study: Study, count: int) -> list[Download]:
        for patient in self._others[len(self._downloads) :]:
            copy = study.again(patient_id=patient.patient_id)
            self.send(copy.requests(25))
            self._wait_for(copy, patient)
            self._downloads.append((patient.headers, self.archive(copy)))
        return list(islice(cycle(self._downloads), count))

    def pages(self, study: Study) -> dict[str, str]:
        return {f"My images, {len(self._patient.studies())} studies": "/", "Study page": self._paths[study.uid]}

    def stop(self) -> None:
        stop_site(self._site)

    def kind(self, commands: str) -> str:
        return next(kind for sign, kind in KINDS.items() if sign in commands)
