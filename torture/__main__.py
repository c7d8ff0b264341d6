"""Kill, wait until the site is ready, kill again; then audit.

    python -m torture [--kills 300] [--database sqlite|postgresql|both] [--seed N]

`TORTURE_KILLS` sets the number, too. Exit code 1 when anything acknowledged was lost, wrong or double, something did
not become ready, a sweep left an orphan, an answer was none that a sender should see, or the site was not ready again
in time.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from tests.journeys.conftest import ROOT, free_port
from torture.cluster import Cluster, programs
from torture.senders import Book, Sender
from torture.site import Site, kill

KILLS = 300
SENDERS = 3
READY_WITHIN = 10.0  # seconds
# Of a hundred kills, so many of each kind. Those of the whole site take longest: everything starts anew.
VICTIMS = {"web worker": 38, "worker": 25, "web": 12, "sandbox": 8, "clock": 5, "supervisor": 6, "site": 6}
DATABASE_VICTIMS = {"postmaster": 8, "backend": 12}


@dataclass
class Tally:
    """What was killed, what it hit, and how long the site was away."""

    kills: Counter[str] = field(default_factory=Counter)
    inside: int = 0
    ready: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.kills.most_common())
        return (
            f"{self.kills.total()} kills ({kinds}); {self.inside} landed while a publication was on its way\n"
            f"ready again after {median(self.ready):.1f} s in the median, {max(self.ready):.1f} s at most"
        )


@dataclass
class Scene:
    """One site under torture."""

    site: Site
    cluster: Cluster | None
    book: Book
    chance: random.Random
    tally: Tally = field(default_factory=Tally)

    def strike(self) -> None:
        """Kill one thing at a random moment, and wait until the site is ready again."""
        kinds = VICTIMS | (DATABASE_VICTIMS if self.cluster else {})
        (kind,) = self.chance.choices(list(kinds), list(kinds.values()))
        victims = self._victims(kind)
        time.sleep(self.chance.uniform(0, 0.5))
        if not victims:
            return
        inside = self.book.open_requests > 0
        began = time.monotonic()
        kill(victims)
        self.tally.kills[kind] += 1
        self.tally.inside += inside
        self._bring_back(kind)
        self.site.wait_until_ready()
        self.tally.ready.append(time.monotonic() - began)
        print(f"{self.tally.kills.total():4} {kind:<12}{self.tally.ready[-1]:6.1f} s", flush=True)

    def _victims(self, kind: str) -> list[int]:
        if kind in ("supervisor", "site"):
            return self.site.pids(kind)
        if kind == "postmaster":
            return [self.cluster.postmaster] if self.cluster else []
        pids = self.cluster.backends() if kind == "backend" and self.cluster else self.site.pids(kind)
        return [self.chance.choice(pids)] if pids else []

    def _bring_back(self, kind: str) -> None:
        """What nobody else starts again."""
        if kind == "postmaster" and self.cluster:
            self.cluster.start()
        if kind in ("supervisor", "site"):
            self.site.process.wait()
            self.site.start()


def main() -> int:
    """Torture a site on each database, print what came of it; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="torture", description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=int(os.environ.get("TORTURE_KILLS", KILLS)))
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--ready-within", type=float, default=READY_WITHIN, help="seconds; more on a busy machine")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    databases = ["sqlite", "postgresql"] if options.database == "both" else [options.database]
    if "postgresql" in databases and programs() is None:
        print("No PostgreSQL on this machine: only SQLite is tortured (apt install postgresql).")
        databases.remove("postgresql")
    broken = [_torture(each, options.kills // len(databases), options) for each in databases]
    return int(any(broken) or not broken)


def _torture(database: str, kills: int, options: argparse.Namespace) -> bool:
    """Whether a promise was broken."""
    print(f"\n{database}: {kills} kills, seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="lightbox-torture-") as name, ExitStack() as running:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL's own user has to pass
        scene = _scene(folder, database, options.seed, running)
        began = time.monotonic()
        with _publishing(scene):
            while scene.tally.kills.total() < kills:
                scene.strike()
        scene.site.wait_for_all()
        found = _audit(scene, folder)
        print(f"{scene.tally}\n{time.monotonic() - began:.0f} s in all; answers: {dict(scene.book.answers)}")
        return _tell(scene, found, options.ready_within)


def _scene(folder: Path, database: str, seed: int, running: ExitStack) -> Scene:
    cluster = None
    if database == "postgresql" and (bin_folder := programs()):
        cluster = Cluster(folder / "cluster", free_port(), bin_folder)
        running.callback(cluster.stop)
    services = {"DATABASE_URL": cluster.url} if cluster else {}
    site = Site(folder / "data", free_port(), services)
    running.callback(site.stop)
    return Scene(site, cluster, Book(), random.Random(seed))


@contextmanager
def _publishing(scene: Scene) -> Iterator[None]:
    """Facilities publish meanwhile."""
    keys = [scene.site.manage("facility", "add", f"Facility {number}")["key"] for number in range(SENDERS)]
    senders = [Sender(number, scene.site.port, key, scene.book) for number, key in enumerate(keys, 1)]
    for sender in senders:
        sender.start()
    try:
        yield
    finally:
        for sender in senders:
            sender.enough.set()
        for sender in senders:
            sender.join(120)


def _audit(scene: Scene, folder: Path) -> dict[str, Any]:
    told = folder / "acknowledged.json"
    told.write_text(json.dumps([[*mark, study] for mark, study in scene.book.acknowledged.items()]))
    run = subprocess.run(
        [sys.executable, "-m", "torture.audit", str(told)],
        cwd=ROOT, env=scene.site.environment, check=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def _tell(scene: Scene, found: dict[str, Any], ready_within: float) -> bool:
    print(
        f"{found['acknowledged']} instances acknowledged: {found['lost']} lost, {found['wrong']} wrong, "
        f"{found['double']} double; {found['orphans']} orphans swept; "
        f"all {found['studies']} studies ready {found['ready_after']:.1f} s after the last kill"
    )
    violations = list(found["violations"])
    violations += [f"answer {status}, {count} times" for status, count in scene.book.wrong_answers().items()]
    violations += [f"ready only after {late:.1f} s" for late in scene.tally.ready if late > ready_within]
    if not found["acknowledged"] or not scene.tally.inside:
        violations.append("nothing was published while something was killed: this run shows nothing")
    for each in violations[:40]:
        print(f"BROKEN: {each}")
    print("No promise was broken." if not violations else f"{len(violations)} promises were broken.", flush=True)
    return bool(violations)


if __name__ == "__main__":
    sys.exit(main())
