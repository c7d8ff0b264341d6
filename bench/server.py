"""What is measured: a server that takes studies and gives pictures and archives, and what its processes cost."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from bench.client import Answer, Connection, Download
from bench.corpus import Study

TICKS = os.sysconf("SC_CLK_TCK")
GONE = (FileNotFoundError, ProcessLookupError)


class Server(ABC):
    """One of those that stand beside each other. Its processes run from its making to `stop`."""

    name: str
    renders = False
    """Whether it makes pictures before somebody asks for them."""
    receiver = "server"
    """The kind of its processes that answer who sends."""
    port: int
    pid: int
    dicomweb = "/dicom-web"
    sending: dict[str, str] = {}
    """Headers of whoever sends."""
    looking: dict[str, str] = {}
    """Headers of whoever looks."""

    @abstractmethod
    def prepare(self) -> None:
        """Make ready what the trials need: call it once, first."""

    @abstractmethod
    def wait_for(self, study: Study) -> None:
        """Until everything is made of a study that was sent."""

    def settle(self, study_uid: str) -> None:
        """Until everything is made of what was sent up to this study, however long that takes."""
        return

    @abstractmethod
    def pictures(self, study: Study) -> list[str]:
        """Paths of the pictures of its first series."""

    @abstractmethod
    def has_picture(self, study: Study) -> bool:
        """Whether somebody who looks now sees a picture of a study that may still be coming."""

    @abstractmethod
    def archive(self, study: Study) -> str:
        """Path of the ZIP of a study."""

    def pages(self, study: Study) -> dict[str, str]:
        """Paths of what else a person opens, by what it is."""
        return {}

    def searching(self) -> dict[str, dict[str, str]]:
        """Headers of those who search, by what is said of them in the table."""
        return {"": self.looking}

    @abstractmethod
    def stop(self) -> None:
        """End its processes."""

    def downloads(self, study: Study, count: int) -> list[Download]:
        """So many downloads of such a study, by others than who looks, where people are told apart."""
        return [(self.looking, self.archive(study))] * count

    def send(self, requests: Iterable[tuple[str, bytes]]) -> None:
        """Send STOW-RS requests, over one connection."""
        with Connection(self.port, self.sending) as connection:
            for content_type, body in requests:
                connection.post(f"{self.dicomweb}/studies", content_type, body)

    def get(self, path: str) -> Answer:
        """GET, over a new connection, as who looks."""
        with Connection(self.port, self.looking) as connection:
            return connection.get(path)

    def cpu(self) -> float:
        """Seconds that its processes have computed until now."""
        return sum(_cpu(pid) for pid, _commands in _family(self.pid))

    def receiving(self) -> float:
        """Seconds that those have computed which answer who sends."""
        kinds = ((self.kind(commands), pid) for pid, commands in _family(self.pid))
        return sum(_cpu(pid) for kind, pid in kinds if kind == self.receiver)

    def memory(self) -> dict[str, float]:
        """Megabytes of each kind of its processes; what they share is divided between them (PSS)."""
        kinds: Counter[str] = Counter()
        for pid, commands in _family(self.pid):
            with suppress(*GONE):
                kinds[self.kind(commands)] += _pss(pid)
        return {kind: kibibytes * 1024 / 1e6 for kind, kibibytes in kinds.items()}

    def kind(self, commands: str) -> str:
        """In a word, what a process does, by its command line and those of the processes above it."""
        return "server"


def _family(pid: int, above: str = "") -> Iterator[tuple[int, str]]:
    """A process and all below it, each with the command lines that lead to it."""
    with suppress(*GONE):
        commands = above + _read(pid, "cmdline")
        yield pid, commands
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _family(int(child), commands)


def _cpu(pid: int) -> float:
    """Its own time and that of its children which have ended (proc(5), fields 14 to 17)."""
    with suppress(*GONE):
        return sum(map(int, _read(pid, "stat").rpartition(") ")[2].split()[11:15])) / TICKS
    return 0.0


def _pss(pid: int) -> int:
    """Kibibytes (proc(5))."""
    lines = _read(pid, "smaps_rollup").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _read(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
