"""One file says everything: where the portal is, which machines may send, where what waits is kept."""

from __future__ import annotations

import codecs
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
LONGEST_AE_TITLE: Final = 16  # PS3.5 table 6.2-1
KINDS: Final = {
    "int": "a number",
    "str": "a text in quotes",
    "Path": "a path in quotes",
    "tuple": "a list of texts in quotes",
    "Mapping": "a table of texts in quotes",
}
SENDERS: Final = frozenset({"peers", "hl7", "folder"})
EXAM_STATES: Final = frozenset(
    {"ordered", "scheduled", "in_progress", "completed", "dictated", "preliminary"}
    | {"final", "non_reportable", "revised", "addended", "cancelled"}
)
REPORT_STATUSES: Final = frozenset({"preliminary", "final", "amended", "corrected", "appended"})
S = TypeVar("S")


class Misconfigured(Exception):
    """The file says something that cannot be; the message tells what to write instead."""


@dataclass(frozen=True)
class Portal:
    """Where studies are published, and by which key. `key_file` holds the facility's key and nothing else.

    `name` is what this gateway is called on the facility's desk.
    """

    url: str
    key_file: Path = Path()
    ca_file: Path | None = None
    name: str = "gateway"

    @property
    def key(self) -> str:
        """The facility's key, read each time: a new one counts from the next request on."""
        try:
            return self.key_file.read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise Misconfigured(f"The key in {self.key_file} cannot be read: {error}.") from error


@dataclass(frozen=True)
class Keeping:
    """Where what waits lies, for how many days what was published stays, and how much room must be left (MB)."""

    folder: Path
    keep_days: int = 7
    least_free_mb: int = 2048


@dataclass(frozen=True)
class Dicom:
    """The address at which machines reach the gateway, and its TLS where it has one."""

    ae_title: str = "LIGHTBOX"
    address: str = "0.0.0.0"  # noqa: S104 - the facility's own network
    port: int = 11112
    certificate: Path | None = None
    private_key: Path | None = None
    peers_ca: Path | None = None


@dataclass(frozen=True)
class Peer:
    """A machine that may send. Its host and port are where storage commitment is answered."""

    ae_title: str
    host: str = ""
    port: int = 0


@dataclass(frozen=True)
class Hl7:
    """Where a RIS sends its messages, which machines may, and how they are to be understood.

    `accession` is the field that names the exam, `patient` the one that holds the PatientID of its images ("": it is
    not compared); `status` maps what OBR-25 or ORC-5 say to a report's status, `states` to an exam's state.
    """

    address: str = "0.0.0.0"  # noqa: S104 - the facility's own network
    port: int = 2575
    hosts: tuple[str, ...] = ()
    charset: str = "utf-8"
    accession: str = "OBR-3.1"
    patient: str = "PID-3.1"
    status: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)
    certificate: Path | None = None
    private_key: Path | None = None
    peers_ca: Path | None = None


@dataclass(frozen=True)
class Pull:
    """Which machine is asked for images of exams that are done, how long late ones are waited for, and how often."""

    peer: str
    idle_seconds: int = 600
    most_tries: int = 10


@dataclass(frozen=True)
class Folder:
    """A folder whose files are published and then removed."""

    path: Path


@dataclass(frozen=True)
class Archive:
    """A practice's own archive, into which `fetch` puts what patients lend to it."""

    ae_title: str
    host: str
    port: int
    calling: str = "LIGHTBOX"
    issuer: str = ""  # of its patient IDs
    practice: str = ""  # as patients read it


@dataclass(frozen=True)
class Config:
    """The whole file."""

    portal: Portal
    spool: Keeping
    dicom: Dicom
    peers: tuple[Peer, ...] = ()
    hl7: Hl7 | None = None
    folder: Folder | None = None
    pull: Pull | None = None
    archive: Archive | None = None

    @property
    def takes(self) -> bool:
        """Whether somebody may send; otherwise it only fetches."""
        return bool(self.peers) or self.hl7 is not None or self.folder is not None

    def peer(self, ae_title: str) -> Peer | None:
        """The machine of this name, if it may send."""
        return next((one for one in self.peers if one.ae_title == ae_title), None)


def load(path: Path) -> Config:
    """Read a file. Raises Misconfigured, which says what is wrong where."""
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read: {error}.") from error
    except ValueError as error:
        raise Misconfigured(f"{path} is not TOML: {error}.") from error
    known = {one.name for one in fields(Config)}
    if unknown := sorted(set(said) - known):
        raise Misconfigured(f"{path} has a section [{unknown[0]}], which nobody knows; there are {_listed(known)}.")
    takes = bool(SENDERS & set(said))
    config = Config(
        portal=_section(Portal, said, "portal"),
        spool=_section(Keeping, said, "spool") if takes or "archive" not in said else Keeping(Path()),
        dicom=_section(Dicom, {"dicom": {}, **said}, "dicom"),
        peers=tuple(_made(Peer, one, "peers") for one in said.get("peers", [])),
        hl7=_section(Hl7, said, "hl7") if "hl7" in said else None,
        folder=_section(Folder, said, "folder") if "folder" in said else None,
        pull=_section(Pull, said, "pull") if "pull" in said else None,
        archive=_section(Archive, said, "archive") if "archive" in said else None,
    )
    _check(config)
    return config


def _section(kind: type[S], said: Mapping[str, Any], name: str) -> S:
    if not isinstance(said.get(name), dict):
        raise Misconfigured(f"There is no section [{name}]. docs/gateway.md has an example to copy.")
    return _made(kind, said[name], name)


def _made(kind: type[S], said: Mapping[str, Any], where: str) -> S:
    wanted = {one.name: one for one in fields(kind)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for name, value in said.items():
        if name not in wanted:
            raise Misconfigured(f"[{where}] says {name}, which nobody knows; it may say {_listed(wanted)}.")
        values[name] = _value(f"[{where}] {name}", str(wanted[name].type), value)
    try:
        return kind(**values)
    except TypeError as error:
        missing = [name for name in wanted if f"'{name}'" in str(error)]
        raise Misconfigured(f"[{where}] must say {_listed(missing)}.") from error


def _value(name: str, kind: str, value: Any) -> Any:
    if kind.startswith("Path") and isinstance(value, str) and value:
        return Path(value).expanduser()
    if kind == "int" and type(value) is int and value >= 0:
        return value
    if kind == "str" and isinstance(value, str):
        return value.strip()
    if kind.startswith("tuple") and isinstance(value, list) and all(isinstance(one, str) for one in value):
        return tuple(value)
    if kind.startswith("Mapping") and isinstance(value, dict) and all(isinstance(one, str) for one in value.values()):
        return dict(value)
    raise Misconfigured(f"{name} cannot be {value!r}: it is {KINDS[kind.partition('[')[0].partition(' ')[0]]}.")


def _check(config: Config) -> None:
    address = urlsplit(config.portal.url)
    if address.scheme != "https" and not (address.scheme == "http" and address.hostname in LOOPBACK):
        raise Misconfigured("[portal] url must begin with https://: what is sent tells of patients.")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}", config.portal.name):
        raise Misconfigured(
            f"[portal] name cannot be {config.portal.name!r}: it has 1 to 64 letters, digits, . _ - or blanks."
        )
    archive = [config.archive.ae_title, config.archive.calling] if config.archive else []
    for title in (config.dicom.ae_title, *archive, *(one.ae_title for one in config.peers)):
        if not 0 < len(title) <= LONGEST_AE_TITLE or "\\" in title or not title.isascii():
            raise Misconfigured(f"{title!r} is no AE title: one has 1 to 16 letters, digits or blanks.")
    _check_tls("dicom", config.dicom)
    if config.hl7:
        _check_hl7(config.hl7)
    if config.pull:
        _check_pull(config, config.pull)
    if config.takes:
        if config.portal.key_file == Path():
            raise Misconfigured("[portal] must say key_file.")
    elif config.archive is None:
        raise Misconfigured("Nobody may send: name a machine under [[peers]], an [hl7] address, or a [folder].")


def _check_tls(name: str, said: Dicom | Hl7) -> None:
    tls = said.certificate, said.private_key
    if any(tls) and not all(tls):
        raise Misconfigured(f"[{name}] certificate and private_key belong together: say both or neither.")
    if said.peers_ca and not all(tls):
        raise Misconfigured(f"[{name}] peers_ca asks others for certificates, so the gateway needs its own as well.")


def _check_hl7(said: Hl7) -> None:
    _check_tls("hl7", said)
    for name, field_name in (("accession", said.accession), ("patient", said.patient or "PID-3")):
        if not re.fullmatch(r"[A-Z][A-Z0-9]{2}-\d{1,2}(\.\d{1,2})?", field_name):
            raise Misconfigured(f"[hl7] {name} cannot be {field_name!r}: it is a field like OBR-3.1 or PID-3.")
    for code, status in said.status.items():
        if status not in REPORT_STATUSES:
            raise Misconfigured(f"[hl7] status {code} cannot be {status!r}: it is one of {_listed(REPORT_STATUSES)}.")
    for code, state in said.states.items():
        if state not in EXAM_STATES:
            raise Misconfigured(f"[hl7] states {code} cannot be {state!r}: it is one of {_listed(EXAM_STATES)}.")
    try:
        codecs.lookup(said.charset)
    except LookupError:
        raise Misconfigured(f"[hl7] charset cannot be {said.charset!r}: it is one like utf-8 or latin-1.") from None


def _check_pull(config: Config, said: Pull) -> None:
    peer = config.peer(said.peer)
    if peer is None or not peer.host or not peer.port:
        raise Misconfigured(f"[pull] peer cannot be {said.peer!r}: it is one of [[peers]], with host and port.")
    if config.hl7 is None or not config.hl7.patient:
        raise Misconfigured("[pull] asks for exams that the RIS tells of, so it needs [hl7] and its patient.")
    if not said.most_tries:
        raise Misconfigured("[pull] most_tries is 1 or more.")


def _listed(names: Any) -> str:
    return ", ".join(sorted(names))
