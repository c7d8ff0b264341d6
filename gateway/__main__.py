"""The gateway's one command.

python -m gateway run CONFIG             take, keep and publish, until it is stopped
python -m gateway check CONFIG           whether everything is in place, in words
python -m gateway status CONFIG          what waits, since when, and why
python -m gateway letters CONFIG         what the portal does not take, and why
python -m gateway retry CONFIG [ID]      let one dead letter, or all, wait again
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from gateway import checking
from gateway.config import Config, Misconfigured, load
from gateway.running import run
from gateway.spool import DEAD, PUBLISHED, WAITING, About, AboutReport, InUse, opened


def main(arguments: list[str] | None = None) -> int:
    """Do what was asked for; the exit status: 0 all is well, 1 something is not, 2 it was asked wrongly."""
    asked = _arguments(arguments)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)  # its lines name patients
    commands: dict[str, Callable[[Config, str], int]] = {
        "run": _run,
        "check": _check,
        "status": _status,
        "letters": _letters,
        "retry": _retry,
    }
    try:
        return commands[asked.command](load(asked.config), asked.id)
    except Misconfigured as error:
        print(error, file=sys.stderr)
        return 2


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="gateway", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["run", "check", "status", "letters", "retry"])
    parser.add_argument("config", type=Path)
    parser.add_argument("id", nargs="?", default="", help="of a dead letter")
    return parser.parse_args(arguments)


def _run(config: Config, _id: str) -> int:
    enough = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: enough.set())
    try:
        run(config, enough)
    except InUse:
        print(f"Another gateway works in {config.spool.folder}. Stop that one first.", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"The gateway cannot work: {error}. `python -m gateway check` says more.", file=sys.stderr)
        return 1
    return 0


def _check(config: Config, _id: str) -> int:
    wrong = 0
    for one in checking.findings(config):
        print(f"{'well ' if one.is_well else 'WRONG'}  {one.words}")
        wrong += not one.is_well
    return min(wrong, 1)


def _status(config: Config, _id: str) -> int:
    with opened(config.spool) as spool:
        counts, oldest, trouble = spool.counts(), spool.oldest(), spool.trouble()
    since = "" if oldest is None else f", the oldest for {oldest:.0f} s"
    print(
        f"{counts[WAITING]} waiting{since}\n{counts[PUBLISHED]} published and still kept\n{counts[DEAD]} dead letters"
    )
    if trouble:
        print(f"Last: {trouble}")
    return 0


def _letters(config: Config, _id: str) -> int:
    """Their UIDs stand here, for who must find them in her PACS: it is her own facility's screen."""
    with opened(config.spool) as spool:
        for one in spool.letters():
            day = datetime.fromtimestamp(one.received_at).astimezone().isoformat(" ", "seconds")
            print(f"{one.id}  {day}  from {one.about.source}  {_exam(one.about)}\n    {one.reason}")
    return 0


def _exam(about: About | AboutReport) -> str:
    study = f"study {about.study_uid}" if about.study_uid else ""
    if isinstance(about, AboutReport):
        return f"report, {study or f'accession number {about.accession_number}'}, message {about.control_id}"
    return f"{study or 'study unknown'}, instance {about.sop_uid or 'unknown'}"


def _retry(config: Config, letter_id: str) -> int:
    with opened(config.spool) as spool:
        count = spool.retry(letter_id)
    print(f"{count} wait again." if count else "There is no such dead letter.")
    return 0 if count else 1


if __name__ == "__main__":
    sys.exit(main())
