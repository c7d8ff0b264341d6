"""What a patient lends to this practice, into its own archive: by the code on her sheet, with her passcode.

The portal gives an address for the code. What lies there is shown first, with what will be changed; then each file
comes by WADO-RS, is put under the practice's own patient, and goes to the archive by C-STORE. The patient is told.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import requests
from pynetdicom import AE, _config
from pynetdicom.association import Association

from gateway.coercing import Changes, Coercer, Named, Shown, Unreadable, is_uid
from gateway.config import Archive, Portal

CONNECTING, ANSWERING = 10, 300  # seconds
SUCCESS, WARNING = 0x0000, 0xB000
PAGE: Final = 1000
MOST_PAGES: Final = 1000
MOST_SAID: Final = 64 * 2**20  # bytes of an answer in JSON
MOST_OF_A_FILE: Final = 4 * 2**30
BLOCK: Final = 2**20

Row = dict[str, dict[str, Any]]


class NotFetched(Exception):
    """Nothing can be fetched, and why in words."""


@dataclass(frozen=True)
class Lent:
    """One study at an address, as it comes."""

    study_uid: str
    title: str
    day: str
    patient_name: str
    patient_id: str
    birth_date: str
    instances: int


@dataclass
class Outcome:
    """What became of one study's files."""

    stored: int = 0
    failed: int = 0
    reasons: set[str] = field(default_factory=set)

    @contextmanager
    def counting(self, of: int | None = None) -> Iterator[None]:
        """What goes wrong here is one file that failed; with `of`, all of so many that are not stored."""
        try:
            yield
        except (NotFetched, Unreadable) as error:
            self.failed = self.failed + 1 if of is None else max(self.failed + 1, of - self.stored)
            self.reasons.add(str(error))


class Source:
    """An address from which lent studies are pulled."""

    def __init__(self, portal: Portal, base: str, session: requests.Session | None = None) -> None:
        self.base, self._session = base, session or asking(portal)

    def studies(self) -> list[Lent]:
        """What is lent there; NotFetched for what no portal says."""
        return [_lent(row) for row in self._rows("studies", {"includefield": "NumberOfStudyRelatedInstances"})]

    def instances(self, study_uid: str) -> Iterator[str]:
        """The address of every instance of a study, below the base; NotFetched for what no portal says."""
        seen = set[str]()
        for _ in range(MOST_PAGES):
            rows = self._rows(f"studies/{study_uid}/instances", {"limit": str(PAGE), "offset": str(len(seen))})
            found = {_place(study_uid, row) for row in rows} - seen
            if rows and not found:
                raise NotFetched("The portal lists the same files again and again.")
            yield from sorted(found)
            seen |= found
            if not rows:
                return
        raise NotFetched("The portal lists more files than any study has.")

    def content(self, instance: str) -> bytes:
        """One file as it is."""
        return self._get(instance, {}, "application/dicom", MOST_OF_A_FILE)

    def tell(self, study_uid: str, outcome: Outcome) -> None:
        """The receipt that the patient reads."""
        told = {"study_uid": study_uid, "stored": outcome.stored, "failed": outcome.failed}
        place = self.base.removesuffix("/dicom-web") + "/receipt/"
        with _told_in_words():
            _checked(self._session.post(place, json=told, allow_redirects=False, timeout=(CONNECTING, ANSWERING)))

    def _rows(self, place: str, query: dict[str, str]) -> list[Row]:
        said = self._get(place, query, "application/dicom+json", MOST_SAID)
        try:
            rows = json.loads(said) if said else []
        except ValueError as error:
            raise NotFetched("The portal answers what nobody understands.") from error
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise NotFetched("The portal answers what nobody understands.")
        return rows

    def _get(self, place: str, query: dict[str, str], media_type: str, most: int) -> bytes:
        address, headers = f"{self.base}/{place}", {"Accept": media_type}
        timeout = (CONNECTING, ANSWERING)
        with (
            _told_in_words(),
            self._session.get(
                address, params=query, headers=headers, allow_redirects=False, stream=True, timeout=timeout
            ) as answer,
        ):
            return _bounded(_checked(answer), most)


def asking(portal: Portal) -> requests.Session:
    """A session that goes to the portal: through a proxy where the environment names one, with nobody's password."""
    session = requests.Session()
    session.auth = lambda request: request  # else ~/.netrc is looked into
    if portal.ca_file:
        session.verify = str(portal.ca_file)
    return session


def opened(portal: Portal, said: dict[str, str], session: requests.Session | None = None) -> Source:
    """Ask the portal for the address of what a code lends; NotFetched with the portal's words otherwise."""
    session, place = session or asking(portal), f"{portal.url}/api/v1/pulls/"
    with _told_in_words():
        answer = _checked(session.post(place, json=said, allow_redirects=False, timeout=(CONNECTING, ANSWERING)))
    try:
        base = answer.json()["base"]
    except (ValueError, KeyError, TypeError) as error:
        raise NotFetched("The portal answers what nobody understands.") from error
    if not isinstance(base, str) or not base.startswith(f"{portal.url}/c/"):
        raise NotFetched("The portal names an address that is not its own.")
    return Source(portal, base, session)


def fetch(source: Source, lent: Lent, archive: Archive, changes: Changes) -> Outcome:
    """Bring one study into the archive, file by file; what fails is counted, and holds up nothing else.

    The patient is told in any case, also of what came before everything broke off.
    """
    outcome = Outcome()
    shown = Shown(lent.study_uid, lent.patient_id, lent.patient_name, lent.birth_date)
    with ExitStack() as open_until_done:
        folder = Path(open_until_done.enter_context(tempfile.TemporaryDirectory(prefix="lightbox-fetch-")))
        coercer = open_until_done.enter_context(Coercer())
        sender = open_until_done.enter_context(Sender(archive))
        with outcome.counting(lent.instances):
            for instance in source.instances(lent.study_uid):
                path = folder / "instance.dcm"
                with outcome.counting():
                    sender.store(path, coercer.coerce(source.content(instance), changes, shown, path))
                    outcome.stored += 1
                path.unlink(missing_ok=True)
    source.tell(lent.study_uid, outcome)
    return outcome


class Sender:
    """C-STORE to the archive: one association for each kind of file, kept open until all is done."""

    def __init__(self, archive: Archive) -> None:
        self._archive, self._open = archive, dict[tuple[str, str], Association]()

    def __enter__(self) -> Sender:
        _config.STORE_SEND_CHUNKED_DATASET = True  # the file's bytes as they are, and never all in memory
        return self

    def __exit__(self, *_error: object) -> None:
        for association in self._open.values():
            if association.is_established:
                association.release()

    def store(self, path: Path, named: Named) -> None:
        """Send one file; NotFetched when the archive does not take it."""
        try:
            answer = self._to(named).send_c_store(path)
        except (ValueError, AttributeError, RuntimeError) as error:  # what pynetdicom says of files it cannot send
            raise NotFetched(f"A file cannot be sent ({type(error).__name__}).") from error
        status = answer.get("Status")
        if status is None:
            self._open.pop((named.sop_class, named.transfer_syntax), None)
            raise NotFetched("The archive broke the connection off.")
        if status != SUCCESS and status & 0xF000 != WARNING:
            raise NotFetched(f"The archive refuses it (0x{status:04X}).")

    def _to(self, named: Named) -> Association:
        kind = (named.sop_class, named.transfer_syntax)
        if kind in self._open and self._open[kind].is_established:
            return self._open[kind]
        entity = AE(ae_title=self._archive.calling)
        entity.add_requested_context(*kind)
        made = entity.associate(self._archive.host, self._archive.port, ae_title=self._archive.ae_title)
        if not made.is_established:
            raise NotFetched(
                "The archive takes no connection for such files: check its address, AE titles and syntaxes."
            )
        self._open[kind] = made
        return made


@contextmanager
def _told_in_words() -> Iterator[None]:
    try:
        yield
    except requests.RequestException as error:
        raise NotFetched(f"The portal cannot be reached ({type(error).__name__}).") from error


def _checked(answer: requests.Response) -> requests.Response:
    if 200 <= answer.status_code < 300:
        return answer
    try:
        said = answer.json()
        words = f"{said['message']} {said['hint']}"
    except (ValueError, KeyError, TypeError):
        words = f"The portal answers {answer.status_code}."
    raise NotFetched(words)


def _lent(row: Row) -> Lent:
    study_uid = _first(row, "0020000D")
    if not is_uid(study_uid):
        raise NotFetched("The portal names a study by what is no UID.")
    return Lent(
        study_uid=study_uid,
        title=_first(row, "00081030") or "Study without a title",
        day=_first(row, "00080020"),
        patient_name=_first(row, "00100010"),
        patient_id=_first(row, "00100020"),
        birth_date=_first(row, "00100030"),
        instances=_number(_first(row, "00201208")),
    )


def _place(study_uid: str, row: Row) -> str:
    series, sop = _first(row, "0020000E"), _first(row, "00080018")
    if not is_uid(series) or not is_uid(sop):
        raise NotFetched("The portal names a file by what is no UID.")
    return f"studies/{study_uid}/series/{series}/instances/{sop}"


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"\d{1,9}", text, re.ASCII) else 0


def _bounded(answer: requests.Response, most: int) -> bytes:
    """What an answer holds; NotFetched for more than it may."""
    if answer.status_code == 204:
        return b""
    found = bytearray()
    for block in answer.iter_content(BLOCK):
        found += block
        if len(found) > most:
            raise NotFetched("The portal answers with more than any file has.")
    return bytes(found)


def _first(row: Row, tag: str) -> str:
    element = row.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    value = values[0] if isinstance(values, list) and values else ""
    return str(value.get("Alphabetic", "")) if isinstance(value, dict) else str(value)
