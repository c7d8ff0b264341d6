"""DICOM in: verification, storage and storage commitment as a provider (PS3.4 §A, §B, §J).

A data set is kept as the bytes that came: nothing here decodes one. Only when it is durable does the machine that sent
it hear "success", and only when the portal has it does a machine that asked for commitment hear "committed".
"""

from __future__ import annotations

import errno
import logging
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from pydicom.dataset import Dataset
from pynetdicom import AE, AllStoragePresentationContexts, _config, evt
from pynetdicom.association import Association
from pynetdicom.presentation import build_role
from pynetdicom.transport import ThreadedAssociationServer

from gateway import tls
from gateway.config import Config, Dicom, Peer
from gateway.spool import DEAD, PUBLISHED, NoRoom, Spool
from gateway.waiting import About, Commitment
from studies.receiving.part10 import Walk

logger = logging.getLogger("gateway.dicom")

ASSOCIATIONS: Final = 50
LARGEST_PDU: Final = 0  # as large as a peer likes
PATIENCE: Final = 60  # seconds of silence within an association
TRANSFER_SYNTAXES: Final = [
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.5",
    *(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70, 80, 81, 90, 91, 92, 93)),
    *(f"1.2.840.10008.1.2.4.{number}" for number in (100, 101, 102, 103, 104, 105, 106, 107, 108)),
    *(f"1.2.840.10008.1.2.4.{number}" for number in (110, 111, 112, 201, 202, 203)),
]
VERIFICATION, COMMITMENT, COMMITMENT_INSTANCE = "1.2.840.10008.1.1", "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
# PS3.4 tables B.2-1 and J.3-1; PS3.7 §C
SUCCESS, OUT_OF_RESOURCES, NOT_AUTHORISED, CANNOT_UNDERSTAND = 0x0000, 0xA700, 0x0124, 0xC000
PROCESSING_FAILURE, NO_SUCH_INSTANCE, REFUSED_BY_PORTAL = 0x0110, 0x0112, 0x0110


class Receiver:
    """Listens from `start` to `stop`."""

    def __init__(self, config: Config, spool: Spool) -> None:
        self._config, self._spool = config, spool
        self._server: ThreadedAssociationServer | None = None

    def start(self) -> None:
        """Begin to listen. Raises OSError where the port is taken, Misconfigured for a certificate that is none."""
        _config.UNRESTRICTED_STORAGE_SERVICE = True  # private classes too
        said = self._config.dicom
        entity = _entity(self._config)
        entity.add_supported_context(VERIFICATION)
        entity.add_supported_context(COMMITMENT)
        for context in AllStoragePresentationContexts:
            entity.add_supported_context(context.abstract_syntax or "", TRANSFER_SYNTAXES)
        entity.require_called_aet = True
        entity.require_calling_aet = [one.ae_title for one in self._config.peers]
        handlers: list[Any] = [
            (evt.EVT_C_ECHO, self._echo),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_N_ACTION, self._commit),
        ]
        self._server = entity.start_server(
            (said.address, said.port), block=False, evt_handlers=handlers, ssl_context=tls.listening("dicom", said)
        )
        self._accept_with_care()

    def _accept_with_care(self) -> None:
        """Answer at once, for small PDUs wait for each other otherwise; and say it when a certificate is refused, for
        pynetdicom drops such a line without a word."""
        assert self._server is not None  # noqa: S101 - `start` has made it
        accept = self._server.get_request

        def get_request() -> Any:
            try:
                line, address = accept()
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return line, address
            except ssl.SSLError as error:
                words = f"A machine was refused: its certificate does not hold ({error.reason or 'unknown'})."
                logger.warning(words)
                self._spool.warn(words)
                raise

        self._server.get_request = get_request  # type: ignore[method-assign]

    def stop(self) -> None:
        """End what runs, and listen no more."""
        if self._server is not None:
            self._server.shutdown()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1]) if self._server else 0

    def _may(self, event: evt.Event) -> bool:
        """Whether the machine is at the address that the configuration gives it, where it gives one."""
        peer = self._config.peer(event.assoc.requestor.ae_title)
        return peer is not None and (not peer.host or event.assoc.requestor.address in tls.addresses(peer.host))

    def _echo(self, event: evt.Event) -> int:
        return SUCCESS if self._may(event) else NOT_AUTHORISED

    def _store(self, event: evt.Event) -> int:
        """Keep what came. See `Spool.take` for what "stored" promises."""
        if not self._may(event):
            logger.warning("refused a file: its sender is not at the address of the machine it says to be")
            return NOT_AUTHORISED
        try:
            file = event.encoded_dataset()
            about = about_file(file, event.assoc.requestor.ae_title, event.context.transfer_syntax)
        except (AttributeError, ValueError, TypeError):
            logger.warning("refused a file: its request names no instance")
            return CANNOT_UNDERSTAND
        try:
            self._spool.take(about, file)
        except NoRoom:
            logger.error("refused a file: less room is left than must be")
            return OUT_OF_RESOURCES
        except OSError as error:
            logger.error("refused a file: the disk says %s", errno.errorcode.get(error.errno or 0, "nothing"))
            return OUT_OF_RESOURCES
        return SUCCESS

    def _commit(self, event: evt.Event) -> tuple[int, None]:
        """Remember what a machine wants committed; it hears of it on an association of its own (PS3.4 §J.3.2)."""
        peer = self._config.peer(event.assoc.requestor.ae_title)
        asked = event.action_information
        if peer is None or not self._may(event):
            return NOT_AUTHORISED, None
        if event.action_type != 1 or "TransactionUID" not in asked:
            return PROCESSING_FAILURE, None
        instances = [
            (str(one.ReferencedSOPClassUID), str(one.ReferencedSOPInstanceUID))
            for one in asked.get("ReferencedSOPSequence") or []
        ]
        self._spool.promise(peer.ae_title, str(asked.TransactionUID), instances)
        return SUCCESS, None


def about_file(file: bytes, source: str, transfer_syntax_uid: str = "") -> About:
    """What a whole file says of itself, as far as its elements can be passed without opening them."""
    walk = Walk()
    for start in range(0, len(file), 2**20):
        walk.feed(file[start : start + 2**20])
        if walk.identity:
            break
    seen = walk.identity
    return About(
        study_uid=seen.study_uid if seen else "",
        sop_uid=seen.sop_uid if seen else _of_meta(file, 0x0003),
        sop_class_uid=seen.sop_class_uid if seen else _of_meta(file, 0x0002),
        transfer_syntax_uid=transfer_syntax_uid or walk.transfer_syntax,
        source=source,
    )


def _of_meta(file: bytes, element: int) -> str:
    """A UID of the file meta information, which is always Explicit VR Little Endian (PS3.10 §7.1)."""
    begin = file.find(bytes([2, 0, element & 0xFF, element >> 8]) + b"UI", 132, 132 + 1024)
    if begin < 0:
        return ""
    length = int.from_bytes(file[begin + 6 : begin + 8], "little")
    return file[begin + 8 : begin + 8 + length].rstrip(b"\0 ").decode("ascii", "replace")


# --- committing


def keep_promises(config: Config, spool: Spool, wait: Callable[[int], float]) -> int:
    """Tell machines what is published; how many heard. `wait` says for how many seconds after so many tries."""
    heard = 0
    for promise in spool.promises():
        states = {uid: spool.state_of(uid) for _kind, uid in promise.instances}
        peer = config.peer(promise.peer)
        if peer is None or not peer.host or not peer.port:
            logger.error("nobody can be told of a commitment: the machine has no host and port in the configuration")
            spool.kept(promise)
        elif any(state == "waiting" for state in states.values()) or not _tell(config, peer, promise, states):
            spool.wait_with(promise, wait(promise.attempts))
        else:
            spool.kept(promise)
            heard += 1
    return heard


def _tell(config: Config, peer: Peer, promise: Commitment, states: dict[str, str]) -> bool:
    """N-EVENT-REPORT (PS3.4 §J.3.3). Whether the machine has heard it."""
    role = build_role(COMMITMENT, scp_role=True)
    with line(config, peer, COMMITMENT, role) as opened:
        if opened is None:
            return False
        report, is_all = _report(promise, states)
        answer, _said = opened.send_n_event_report(report, 1 if is_all else 2, COMMITMENT, COMMITMENT_INSTANCE)
    return "Status" in answer and answer.Status == SUCCESS


def _report(promise: Commitment, states: dict[str, str]) -> tuple[Dataset, bool]:
    """What is committed, what is not and why, and whether all is."""
    report = Dataset()
    report.TransactionUID = promise.transaction_uid
    report.ReferencedSOPSequence, failed = [], []
    for kind, uid in promise.instances:
        one = Dataset()
        one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID = kind, uid
        if states[uid] == PUBLISHED:
            report.ReferencedSOPSequence.append(one)
        else:
            one.FailureReason = REFUSED_BY_PORTAL if states[uid] == DEAD else NO_SUCH_INSTANCE
            failed.append(one)
    if failed:
        report.FailedSOPSequence = failed
    return report, not failed


# --- both ways


def echo(config: Config, peer: Peer) -> bool:
    """Whether a machine answers C-ECHO."""
    with line(config, peer, VERIFICATION) as opened:
        answer = opened.send_c_echo() if opened else Dataset()
    return "Status" in answer and answer.Status == SUCCESS


@contextmanager
def line(
    config: Config, peer: Peer, sop_class: str, *roles: Any, patience: float = PATIENCE
) -> Iterator[Association | None]:
    """An association that the gateway opens; None when the machine does not answer.

    Within it an answer may take so many seconds.
    """
    entity = _entity(config)
    entity.network_timeout = entity.dimse_timeout = max(patience, PATIENCE)
    entity.add_requested_context(sop_class)
    opened = entity.associate(
        peer.host, peer.port, ae_title=peer.ae_title, ext_neg=list(roles), tls_args=_calling(config.dicom, peer)
    )
    try:
        yield opened if opened.is_established else None
    finally:
        if opened.is_established:
            opened.release()


def _entity(config: Config) -> AE:
    entity = AE(ae_title=config.dicom.ae_title)
    entity.maximum_associations, entity.maximum_pdu_size = ASSOCIATIONS, LARGEST_PDU
    entity.network_timeout = entity.dimse_timeout = entity.acse_timeout = entity.connection_timeout = PATIENCE
    return entity


def _calling(said: Dicom, peer: Peer) -> tuple[ssl.SSLContext, str] | None:
    if not said.certificate or not said.private_key:
        return None
    context = ssl.create_default_context(cafile=said.peers_ca)
    context.load_cert_chain(said.certificate, said.private_key)
    return context, peer.host
