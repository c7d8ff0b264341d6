"""A real site for the journeys: `manage.py up` on a data folder of its own, with real web, worker and clock."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import psycopg
import pytest
import requests
from psycopg import sql

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 90.0
T = TypeVar("T")


def eventually(look: Callable[[], T | None], what: str, patience: float = PATIENCE) -> T:
    """The first answer of `look` that is something; the journeys wait for real processes."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what} did not happen within {patience:.0f} s")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Site:
    """A running embedded site."""

    data: Path
    port: int
    process: subprocess.Popen[bytes]
    services: dict[str, str] = field(default_factory=dict)  # settings that name a database and a cache

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        return {**site_environment(self.data), **self.services}

    def manage(self, *arguments: str) -> Any:
        """What a management command prints as JSON."""
        run = subprocess.run(
            [sys.executable, "manage.py", *arguments, "--json"],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr.decode()
        return json.loads(run.stdout)

    def receipt(self, key: str, study_uid: str) -> dict[str, Any] | None:
        """The facility's receipt of one study, once there is one."""
        answer = requests.get(
            f"{self.url}/api/v1/publications/{study_uid}/", headers={"Authorization": f"Bearer {key}"}, timeout=30
        )
        return answer.json() if answer.status_code == 200 else None

    def ready(self, key: str, study_uid: str) -> dict[str, Any]:
        """The receipt, as soon as it says ready."""

        def look() -> dict[str, Any] | None:
            receipt = self.receipt(key, study_uid)
            return receipt if receipt and receipt["state"] == "ready" else None

        return eventually(look, f"study {study_uid[-8:]} becoming ready")

    def sign_in(self, email: str, password: str) -> requests.Session:
        """A person's session."""
        session = requests.Session()
        session.get(f"{self.url}/accounts/login/", timeout=30)
        form = {"login": email, "password": password, "csrfmiddlewaretoken": session.cookies["csrftoken"]}
        answer = session.post(f"{self.url}/accounts/login/", data=form, timeout=30, allow_redirects=False)
        assert answer.status_code == 302, "the sign-in failed"
        return session

    def claim(self, session: requests.Session, code: str, birth_date: str) -> requests.Response:
        """One POST of the claim form."""
        year, month, day = birth_date.split("-")
        session.get(f"{self.url}/claim/", timeout=30)
        form = {
            "code": code,
            "birth_day": int(day),
            "birth_month": int(month),
            "birth_year": year,
            "csrfmiddlewaretoken": session.cookies["csrftoken"],
        }
        return session.post(f"{self.url}/claim/", data=form, timeout=30, allow_redirects=False)


def site_environment(data: Path) -> dict[str, str]:
    """The test's environment, pointed at the site's own data folder and settings."""
    foreign = {"PUBLIC_URL", "DATABASE_URL", "BROKER_URL", "CACHE_URL", "OBJECT_STORE_URL"}
    kept = {name: value for name, value in os.environ.items() if name not in foreign}
    return {**kept, "DATA_DIR": str(data), "DJANGO_SETTINGS_MODULE": "portal.settings"}


def start_site(data: Path, *, demo: bool = False, services: dict[str, str] | None = None) -> Site:
    """Start `manage.py up` and wait until it answers."""
    port = free_port()
    command = [sys.executable, "manage.py", "up", "--port", str(port), *([] if demo else ["--no-demo"])]
    log = data.parent / f"{data.name}.log"
    with log.open("ab") as lines:
        environment = {**site_environment(data), **(services or {})}
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=lines, stderr=lines)
    site = Site(data, port, process, services or {})

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return requests.get(f"{site.url}/readyz", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    try:
        eventually(answers, "the site answering")
    except BaseException:
        stop_site(site)  # nobody else knows of it
        raise
    return site


def stop_site(site: Site) -> None:
    """Ctrl-C, and not longer than promised."""
    if site.process.poll() is None:
        site.process.send_signal(signal.SIGINT)
        site.process.wait(timeout=20)


@contextmanager
def own_services() -> Iterator[dict[str, str]]:
    """Settings of a site that has outgrown one machine: a database of its own on the server that DATABASE_URL names,
    and the cache of CACHE_URL. Nothing where the suite runs on SQLite."""
    server = os.environ.get("DATABASE_URL", "")
    if not server:
        yield {}
        return
    name = f"lightbox_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as database:
        database.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        cache = {"CACHE_URL": os.environ["CACHE_URL"]} if "CACHE_URL" in os.environ else {}
        yield {"DATABASE_URL": urlsplit(server)._replace(path=f"/{name}").geturl(), **cache}
        database.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One site for all journeys of a test process, on the database under test."""
    with own_services() as services:
        running = start_site(tmp_path_factory.mktemp("site") / "data", services=services)
        yield running
        stop_site(running)
