"""What a patient lends to this practice, into its own archive: by the code on her sheet, with her passcode.

The portal gives an address for the code. What lies there is shown first, with what will be changed; then each file
comes by WADO-RS, is put under the practice's own patient, and goes to the archive by C-STORE. The patient is told.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import requests
from pynetdicom import AE, _config
from pynetdicom.association import Association

from gateway.coercing import Changes, Named, Unreadable, coerce, coercer
from gateway.config import Archive, Portal

CONNECTING, ANSWERING = 10, 300  # seconds
SUCCESS, WARNING = 0x0000, 0xB000
PAGE: Final = 1000

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


class Source:
    """An address from which lent studies are pulled."""

    def __init__(self, portal: Portal, base: str, session: requests.Session | None = None) -> None:
        self.base, self._session = base, session or requests.Session()
        if portal.ca_file:
            self._session.verify = str(portal.ca_file)

    def studies(self) -> list[Lent]:
        """What is lent there."""
        return [_lent(row) for row in self._rows("studies", {"includefield": "NumberOfStudyRelatedInstances"})]

    def instances(self, study_uid: str) -> Iterator[str]:
        """The address of every instance of a study, below the base."""
        offset = 0
        while rows := self._rows(f"studies/{study_uid}/instances", {"limit": str(PAGE), "offset": str(offset)}):
            for row in rows:
                yield f"studies/{study_uid}/series/{_first(row, '0020000E')}/instances/{_first(row, '00080018')}"
            offset += len(rows)

    def content(self, instance: str) -> bytes:
        """One file as it is."""
        return self._get(instance, {}, "application/dicom").content

    def tell(self, study_uid: str, outcome: Outcome) -> None:
        """The receipt that the patient reads."""
        told = {"study_uid": study_uid, "stored": outcome.stored, "failed": outcome.failed}
        place = self.base.removesuffix("/dicom-web") + "/receipt/"
        _checked(self._session.post(place, json=told, timeout=(CONNECTING, ANSWERING)))

    def _rows(self, place: str, query: dict[str, str]) -> list[Row]:
        found = self._get(place, query, "application/dicom+json")
        return found.json() if found.status_code == 200 else []

    def _get(self, place: str, query: dict[str, str], media_type: str) -> requests.Response:
        headers = {"Accept": media_type}
        address = f"{self.base}/{place}"
        return _checked(self._session.get(address, params=query, headers=headers, timeout=(CONNECTING, ANSWERING)))


def opened(portal: Portal, said: dict[str, str], session: requests.Session | None = None) -> Source:
    """Ask the portal for the address of what a code lends; NotFetched with the portal's words otherwise."""
    asking = session or requests.Session()
    if portal.ca_file:
        asking.verify = str(portal.ca_file)
    try:
        answer = asking.post(f"{portal.url}/api/v1/pulls/", json=said, timeout=(CONNECTING, ANSWERING))
    except requests.RequestException as error:
        raise NotFetched(f"The portal cannot be reached ({type(error).__name__}).") from error
    return Source(portal, _checked(answer).json()["base"], session)


def fetch(source: Source, lent: Lent, archive: Archive, changes: Changes) -> Outcome:
    """Bring one study into the archive, file by file; what fails is counted, and holds up nothing else."""
    outcome = Outcome()
    with ExitStack() as open_until_done:
        folder = Path(open_until_done.enter_context(tempfile.TemporaryDirectory(prefix="lightbox-fetch-")))
        process = open_until_done.enter_context(coercer())
        sender = open_until_done.enter_context(Sender(archive))
        for instance in source.instances(lent.study_uid):
            path = folder / "instance.dcm"
            try:
                sender.store(path, coerce(process, source.content(instance), changes, path))
                outcome.stored += 1
            except (NotFetched, Unreadable) as error:
                outcome.failed += 1
                outcome.reasons.add(str(error))
            except requests.RequestException as error:
                outcome.failed += 1
                outcome.reasons.add(f"The portal broke off ({type(error).__name__}).")
            finally:
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
            association.release()

    def store(self, path: Path, named: Named) -> None:
        """Send one file; NotFetched when the archive does not take it."""
        answer = self._to(named).send_c_store(path)
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


def _checked(answer: requests.Response) -> requests.Response:
    if answer.ok:
        return answer
    try:
        said = answer.json()
        words = f"{said['message']} {said['hint']}"
    except (ValueError, KeyError, TypeError):
        words = f"The portal answers {answer.status_code}."
    raise NotFetched(words)


def _lent(row: Row) -> Lent:
    return Lent(
        study_uid=_first(row, "0020000D"),
        title=_first(row, "00081030") or "Study without a title",
        day=_first(row, "00080020"),
        patient_name=_first(row, "00100010"),
        patient_id=_first(row, "00100020"),
        birth_date=_first(row, "00100030"),
        instances=int(_first(row, "00201208") or 0),
    )


def _first(row: Row, tag: str) -> str:
    values = row.get(tag, {}).get("Value", [""])
    value = values[0] if values else ""
    return str(value.get("Alphabetic", "")) if isinstance(value, dict) else str(value)
