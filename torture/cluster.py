"""A PostgreSQL cluster of our own: its postmaster and backends will be killed, so nobody else may use it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psycopg

NAME = "lightbox"
PATIENCE = 60.0


def programs() -> Path | None:
    """The folder of the newest PostgreSQL of this machine (Debian's place), or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[4]))
    return found[-1].parent if found else None


class Cluster:
    """One cluster in a folder of its own, owned by somebody who is not root: PostgreSQL refuses to run as root."""

    def __init__(self, folder: Path, port: int, bin_folder: Path) -> None:
        server = f"postgresql://{NAME}@127.0.0.1:{port}"
        self.url, self._server = f"{server}/{NAME}", f"{server}/postgres"
        self._folder, self._port, self._bin = folder, port, bin_folder
        self._process: subprocess.Popen[bytes] | None = None
        self._make()
        self.start()
        with psycopg.connect(self._server, autocommit=True) as database:
            database.execute(f"CREATE DATABASE {NAME}")

    def start(self) -> float:
        """Start the postmaster and wait until it answers; returns the seconds that took.

        The dead one's backends may live for a moment, and a new postmaster does not start beside them.
        """
        began = time.monotonic()
        while time.monotonic() < began + PATIENCE:
            if self._process is None or self._process.poll() is not None:
                self._process = self._run("postgres", "-D", str(self._folder), "-p", str(self._port))
            if self._answers():
                return time.monotonic() - began
            time.sleep(0.1)
        raise RuntimeError(f"PostgreSQL did not start; see {self._folder}.log")

    @property
    def postmaster(self) -> int:
        """Its process id."""
        assert self._process
        return self._process.pid

    def backends(self) -> list[int]:
        """Process ids of the sessions of the site; none while it recovers from a session that was killed before."""
        try:
            with psycopg.connect(self.url) as database:
                rows = database.execute(
                    "SELECT pid FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()", [NAME]
                ).fetchall()
        except psycopg.OperationalError:
            return []
        return [pid for (pid,) in rows]

    def kill(self) -> None:
        """Kill the postmaster, as it is."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it at once and remove it."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _make(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True)
        if owner := _owner():
            os.chown(self._folder, owner.pw_uid, owner.pw_gid)
        making = self._run("initdb", "-D", str(self._folder), "-U", NAME, "-A", "trust", "-E", "UTF8", "--no-locale")
        if making.wait():
            raise RuntimeError(f"initdb failed; see {self._folder}.log")
        with (self._folder / "postgresql.conf").open("a") as settings:
            settings.write("listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\n")

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        owner = _owner()
        as_owner: dict[str, Any] = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if owner else {}
        with Path(f"{self._folder}.log").open("ab") as log:
            return subprocess.Popen([self._bin / program, *arguments], stdout=log, stderr=log, cwd="/", **as_owner)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._server, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def _owner() -> pwd.struct_passwd | None:
    """Who owns the cluster when we are root: the system's own user of PostgreSQL."""
    if os.geteuid():
        return None
    return pwd.getpwnam("postgres")
