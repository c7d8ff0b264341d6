"""The benchmark: Lightbox beside Orthanc, on this machine, in turns.

    python -m bench [--quick] [--orthanc-root FOLDER]

Both servers run all the time, but only one is asked at a time. Each round visits them in turn, so that a machine that
slows down slows both. The clients run on the same processors.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from bench import trials
from bench.corpus import Study, chest
from bench.orthanc import Orthanc
from bench.server import Server
from bench.site import Lightbox
from bench.table import Table, machine
from bench.trials import Trial

OUT = Path(__file__).resolve().parent.parent / "bench-out"
SINGLES = 60  # instances that are sent one by one


def main() -> int:
    """Run everything, print the table and keep it."""
    options = _options()
    rounds, slices, each = (2, 24, 32) if options.quick else (5, 160, 200)
    here, study = machine(), chest(slices)
    sent = f"CT of {len(study.instances)} instances, {study.size / 1e6:.0f} MB · {rounds} rounds, in turns"
    with tempfile.TemporaryDirectory(prefix="lightbox-bench-") as folder, ExitStack() as running:
        servers = list(_started(Path(folder), options.orthanc_root, running))
        table = Table([server.name for server in servers], here, sent)
        shown = _publish(servers, table, study, rounds)
        _read(servers, table, shown, rounds, each)
    OUT.mkdir(exist_ok=True)
    (OUT / "table.md").write_text(str(table))
    print(table)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
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


def _publish(servers: list[Server], table: Table, study: Study, rounds: int) -> Study:
    """Send it again and again, each time as a new study; returns the last of them."""
    for _round in range(rounds):
        _try(servers, table, trials.send("STOW, one a request", 1), study.again(SINGLES))
        _try(servers, table, trials.send("STOW, 25 a request", 25), whole := study.again())
    return whole


def _read(servers: list[Server], table: Table, study: Study, rounds: int, each: int) -> None:
    """Look at a study, and take it home."""
    reading = (trials.take_home, trials.look(1, each), trials.look(16, each // 4), trials.pages(each), trials.crowd(20))
    for _round in range(rounds):
        for trial in reading:
            _try(servers, table, trial, study)
    _try(servers, table, trials.memory, study)


def _try(servers: list[Server], table: Table, trial: Trial, study: Study) -> None:
    for server in servers:
        for measure, value in trial(server, study):
            table.note(server.name, measure, value)


if __name__ == "__main__":
    sys.exit(main())
