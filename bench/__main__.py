"""The benchmark: Lightbox beside Orthanc, on this machine, in turns.

    python -m bench [--quick] [--only receiving|sending|looking] [--orthanc-root FOLDER]

Both servers run all the time, but only one is asked at a time. Each round visits them in turn, so that a machine that
slows down slows both. The clients run on the same processors.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench import trials
from bench.corpus import Study, chest, compressed, head
from bench.orthanc import Orthanc
from bench.server import Server
from bench.site import Lightbox
from bench.table import Table, machine
from bench.trials import Trial

OUT = Path(__file__).resolve().parent.parent / "bench-out"
SINGLES = 60  # instances that are sent one by one


@dataclass(frozen=True)
class Scale:
    """How much is done of everything. `stream` is in bytes."""

    rounds: int
    slices: int
    looks: int
    large: int
    stream: int


WHOLE = Scale(rounds=5, slices=160, looks=200, large=1000, stream=4 * 10**9)
QUICK = Scale(rounds=2, slices=24, looks=32, large=100, stream=10**8)


def main() -> int:
    """Run everything, print the table and keep it."""
    options = _options()
    scale = QUICK if options.quick else WHOLE
    here, study = machine(), chest(scale.slices)
    sent = f"CT of {len(study.instances)} instances, {study.size / 1e6:.0f} MB · {scale.rounds} rounds, in turns"
    with tempfile.TemporaryDirectory(prefix="lightbox-bench-") as folder, ExitStack() as running:
        servers = list(_started(Path(folder), options.orthanc_root, running))
        table = Table([server.name for server in servers], here, sent)
        if options.only != "looking":
            _publish(servers, table, study, scale)
        if options.only in (None, "sending"):
            _strain(servers, table, study, scale)
        if options.only in (None, "looking"):
            _read(servers, table, _shown(servers, study), scale)
    OUT.mkdir(exist_ok=True)
    (OUT / "table.md").write_text(str(table))
    print(table)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", choices=["receiving", "sending", "looking"], help="a part of it")
    parser.add_argument("--quick", action="store_true", help="one minute: says whether it runs, not how fast")
    parser.add_argument(
        "--orthanc-root", type=Path, default=Path("/"), help="root of another system that has Orthanc installed"
    )
    return parser.parse_args()


def _started(folder: Path, orthanc_root: Path, running: ExitStack) -> Iterator[Server]:
    """Lightbox, and Orthanc where there is one."""
    yield _prepared(Lightbox(folder), running)
    if Orthanc.is_in(orthanc_root):
        yield _prepared(Orthanc(orthanc_root), running)
    else:
        print("No Orthanc here: Lightbox is measured alone. Debian has it: apt install orthanc orthanc-dicomweb")


def _prepared(server: Server, running: ExitStack) -> Server:
    running.callback(server.stop)
    server.prepare()
    return server


def _publish(servers: list[Server], table: Table, study: Study, scale: Scale) -> None:
    """Send exams of three kinds again and again, each time as new studies."""
    kinds = {"CT": study, "MR": head(scale.slices * 2 // 5), "JPEG-LS CT": compressed(study)}
    for _round in range(scale.rounds):
        for kind, exam in kinds.items():
            _try(servers, table, trials.send(f"STOW {kind}, 25 a request", 25), exam.again())
            _try(servers, table, trials.send(f"STOW {kind}, one a request", 1), exam.again(SINGLES))
        _try(servers, table, trials.send_at_once("STOW CT, 25 a request, two senders", 25, 2), study.again())


def _strain(servers: list[Server], table: Table, study: Study, scale: Scale) -> None:
    """Send a large study, and very many bytes."""
    large = chest(scale.large // 2)
    _try(servers, table, trials.watch(f"CT of {len(large.instances)} instances", 25), large)
    growth = f"Memory of who receives, more after {scale.stream / 1e9:.2g} GB"
    _try(servers, table, trials.swell(growth, 25, scale.stream), study)


def _shown(servers: list[Server], study: Study) -> Study:
    """The study that is looked at, sent and prepared."""
    shown = study.again()
    for server in servers:
        server.send(shown.requests(25))
        server.wait_for(shown)
    return shown


def _read(servers: list[Server], table: Table, study: Study, scale: Scale) -> None:
    """Look at a study, and take it home."""
    each = scale.looks
    reading = (trials.take_home, trials.look(1, each), trials.look(16, each // 4), trials.pages(each), trials.crowd(20))
    for _round in range(scale.rounds):
        for trial in reading:
            _try(servers, table, trial, study)
    _try(servers, table, trials.memory, study)


def _try(servers: list[Server], table: Table, trial: Trial, study: Study) -> None:
    for server in servers:
        for measure, value in trial(server, study):
            table.note(server.name, measure, value)


if __name__ == "__main__":
    sys.exit(main())
