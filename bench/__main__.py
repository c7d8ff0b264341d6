"""The benchmark: Lightbox beside Orthanc, on this machine, in turns.

    python -m bench [--quick] [--only receiving|sending|looking|reading] [--studies 10000] [--orthanc-root FOLDER]

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

from bench import reading, trials
from bench.corpus import (
    Instance,
    Study,
    breasts,
    chest,
    compressed,
    enhanced,
    head,
    in_jpeg_2000,
    strangers,
    ultrasound,
    x_ray,
)
from bench.orthanc import Orthanc
from bench.server import Server
from bench.site import Lightbox
from bench.table import Table, machine
from bench.trials import Trial
from tests.factories import related

OUT = Path(__file__).resolve().parent.parent / "bench-out"
SINGLES = 60  # instances that are sent one by one


@dataclass(frozen=True)
class Scale:
    """How much is done of everything. `stream` is in bytes, `long` in instances or frames."""

    rounds: int
    slices: int
    looks: int
    large: int
    stream: int
    long: int


WHOLE = Scale(rounds=5, slices=160, looks=200, large=1000, stream=4 * 10**9, long=300)
QUICK = Scale(rounds=2, slices=24, looks=32, large=100, stream=10**8, long=20)


def main() -> int:
    """Run everything, print the table and keep it."""
    options = _options()
    scale = QUICK if options.quick else WHOLE
    here, study = machine(), chest(scale.slices)
    around = f"{options.studies} studies of others · " if options.studies else ""
    sent = (
        f"{around}CT of {len(study.instances)} instances, {study.size / 1e6:.0f} MB · {scale.rounds} rounds, in turns"
    )
    with tempfile.TemporaryDirectory(prefix="lightbox-bench-") as folder, ExitStack() as running:
        servers = list(_started(Path(folder), options.orthanc_root, running))
        table = Table([server.name for server in servers], here, sent)
        _surround(servers, options.studies)
        if options.only not in ("looking", "reading"):
            _publish(servers, table, study, scale)
        if options.only in (None, "sending"):
            _strain(servers, table, study, scale)
        if options.only in (None, "looking"):
            _look(servers, table, _shown(servers, study), scale)
        if options.only in (None, "reading"):
            _read(servers, table, study, scale)
        if options.only != "receiving":
            _try(servers, table, trials.memory, study)
    OUT.mkdir(exist_ok=True)
    (OUT / "table.md").write_text(str(table))
    print(table)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", choices=["receiving", "sending", "looking", "reading"], help="a part of it")
    parser.add_argument("--studies", type=int, default=0, help="so many studies of other people stand around")
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
        print("No Orthanc here: Lightbox is measured alone. Debian has it as orthanc, orthanc-dicomweb, orthanc-gdcm")


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


def _look(servers: list[Server], table: Table, study: Study, scale: Scale) -> None:
    """Look at a study, and take it home."""
    each = scale.looks
    looking = (
        trials.take_home("ZIP of the study"),
        trials.look(1, each),
        trials.look(16, each // 4),
        trials.pages(each),
        trials.crowd(20),
    )
    for _round in range(scale.rounds):
        for trial in looking:
            _try(servers, table, trial, study)


def _read(servers: list[Server], table: Table, study: Study, scale: Scale) -> None:
    """Ask by DICOMweb, as programs do, and for what is large."""
    series, breast = Study(chest(scale.long).first_series), breasts()
    recordings = {"Ultrasound": ultrasound(scale.long // 2), "Enhanced CT": enhanced(scale.long)}
    large = {"MG": breast, "CR": x_ray(), "MG in JPEG 2000": in_jpeg_2000(breast)}
    kinds = {"explicit": _shown(servers, study), "JPEG-LS": _shown(servers, compressed(study))}
    shown = {name: _shown(servers, exam) for name, exam in large.items()}
    each = scale.looks
    for _round in range(scale.rounds):
        for name, exam in kinds.items():
            _try(servers, table, reading.frames(name, 1, each), exam)
            _try(servers, table, reading.frames(name, 16, each // 4), exam)
        _try(servers, table, reading.headers(each // 4), series)
        for name, exam in recordings.items():
            _try(servers, table, reading.recording(name), exam)
        for name, exam in shown.items():
            _try(servers, table, reading.pictures(name, each // 4), exam)
            _try(servers, table, reading.live(name, each // 20), exam)
        _try(servers, table, reading.retrieve, kinds["explicit"])
        _try(servers, table, trials.take_home("ZIP of JPEG-LS"), kinds["JPEG-LS"])
        _try(servers, table, reading.search(each // 4), kinds["explicit"])


def _surround(servers: list[Server], count: int) -> None:
    """Let other people's studies stand around, in no table."""
    last = ""
    for files in strangers(count):
        last = Instance.of(files[-1]).study_uid
        for server in servers:
            server.send([related(files)])
    for server in servers if last else []:
        server.settle(last)


def _try(servers: list[Server], table: Table, trial: Trial, study: Study) -> None:
    for server in servers:
        for measure, value in trial(server, study):
            table.note(server.name, measure, value)


if __name__ == "__main__":
    sys.exit(main())
