"""The gateway's one command.

python -m gateway run CONFIG             take, keep and publish, until it is stopped
python -m gateway check CONFIG           whether everything is in place, in words
python -m gateway status CONFIG          what waits, since when, and why
python -m gateway letters CONFIG         what the portal does not take, and why
python -m gateway retry CONFIG [ID]      let one dead letter, or all, wait again
python -m gateway fetch CONFIG --patient-id ID   bring what a patient lends into the archive, by the code on her sheet
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from getpass import getpass
from pathlib import Path

from gateway import checking, fetching
from gateway.coercing import Changes, wanted
from gateway.config import Archive, Config, Misconfigured, load
from gateway.running import run
from gateway.spool import DEAD, PUBLISHED, WAITING, InUse, opened
from gateway.telling import what


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
        config = load(asked.config)
        if asked.command == "fetch":
            return _fetch(config, asked)
        if not config.takes:
            raise Misconfigured("This configuration only fetches: it names nobody who may send.")
        return commands[asked.command](config, asked.id)
    except Misconfigured as error:
        print(error, file=sys.stderr)
        return 2


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="gateway", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["run", "check", "status", "letters", "retry", "fetch"])
    parser.add_argument("config", type=Path)
    parser.add_argument("id", nargs="?", default="", help="of a dead letter")
    parser.add_argument("--code", default="", help="on the patient's sheet; asked for when it is not here")
    parser.add_argument("--passcode", default="", help="that she told; asked for when it is not here")
    parser.add_argument("--patient-id", default="", help="of the patient in the archive")
    parser.add_argument(
        "--accession", default="", help="of the order in the practice; none: the foreign one is removed"
    )
    parser.add_argument("--name", default="", help="who fetches, for the patient to read")
    parser.add_argument("--yes", action="store_true", help="do not ask whether it is the same patient")
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
            print(f"{one.id}  {day}  from {one.about.source}  {what(one.about)}\n    {one.reason}")
    return 0


def _retry(config: Config, letter_id: str) -> int:
    with opened(config.spool) as spool:
        count = spool.retry(letter_id)
    print(f"{count} wait again." if count else "There is no such dead letter.")
    return 0 if count else 1


def _fetch(config: Config, asked: argparse.Namespace) -> int:
    if config.archive is None or not asked.patient_id:
        print("Say where to under [archive], and whose it is in there: --patient-id.", file=sys.stderr)
        return 2
    said = {
        "code": asked.code or input("Code: "),
        "passcode": asked.passcode or getpass("Passcode (none: Enter): "),
        "practice": config.archive.practice or config.archive.ae_title,
        "name": asked.name,
    }
    changes = Changes(asked.patient_id, config.archive.issuer, asked.accession)
    try:
        source = fetching.opened(config.portal, said)
        lent = source.studies()
        print(preview(lent, changes))
        if lent and (asked.yes or input("Is this the same patient? [y/N] ").strip().lower() == "y"):
            return max(_fetched(source, one, config.archive, changes) for one in lent)
    except fetching.NotFetched as error:
        print(error, file=sys.stderr)
        return 1
    print("Nothing was fetched.")
    return 1


def preview(lent: Sequence[fetching.Lent], changes: Changes) -> str:
    """What comes, and what will be changed in it: to be compared with the patient at hand before anything is stored."""
    lines = []
    for one in lent:
        lines += [
            f"{one.title}, {one.day or 'day not known'}, {one.instances} instances",
            f"    comes as   {one.patient_name}, born {one.birth_date or '?'}, patient ID {one.patient_id}",
            *(f"    will have  {keyword} {value or '(none)'}" for keyword, value in wanted(changes).items()),
        ]
    return "\n".join(lines) or "Nothing is lent there."


def _fetched(source: fetching.Source, lent: fetching.Lent, archive: Archive, changes: Changes) -> int:
    outcome = fetching.fetch(source, lent, archive, changes)
    print(f"{lent.title}: {outcome.stored} stored, {outcome.failed} not. The patient was told.")
    for reason in sorted(outcome.reasons):
        print(f"    {reason}")
    return int(outcome.failed > 0 or not outcome.stored)


if __name__ == "__main__":
    sys.exit(main())
