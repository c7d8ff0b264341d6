"""DICOM in, over real associations: bytes as they came, "stored" when they are, "committed" when published."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.association import Association

from gateway.config import Config, Peer
from gateway.receiving import COMMITMENT, COMMITMENT_INSTANCE, VERIFICATION, Receiver, about_file, echo, keep_promises
from gateway.spool import NoRoom, Spool
from tests import factories
from tests.gateway.conftest import unanswered

CT = "1.2.840.10008.5.1.4.1.1.2"
PRIVATE_CLASS = "1.2.826.0.1.3680043.10.1420.77.1"
JPEG_LS = "1.2.840.10008.1.2.4.80"


@pytest.fixture
def receiver(config: Config, spool: Spool) -> Iterator[Receiver]:
    one = Receiver(config, spool)
    one.start()
    yield one
    one.stop()


@contextmanager
def association(
    receiver: Receiver, *contexts: tuple[str, str], calling: str = "PACS", called: str = "LIGHTBOX"
) -> Iterator[Association]:
    """A machine's line to the gateway."""
    machine = AE(ae_title=calling)
    for abstract, syntax in contexts or [(VERIFICATION, "1.2.840.10008.1.2")]:
        machine.add_requested_context(abstract, syntax)
    line = machine.associate("127.0.0.1", receiver.port, ae_title=called)
    yield line
    if line.is_established:
        line.release()


def store(receiver: Receiver, file: bytes) -> int:
    """Send a file as it is; the status."""
    dataset = dcmread(BytesIO(file))
    with association(receiver, (dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)) as line:
        return int(line.send_c_store(dataset).Status)


def kept(spool: Spool) -> list[bytes]:
    return [b"".join(spool.read(one)) for one in spool.due(100, 10**9, 0)]


def test_a_machine_that_is_known_gets_an_echo(receiver: Receiver) -> None:
    with association(receiver) as line:
        assert line.send_c_echo().Status == 0x0000


@pytest.mark.parametrize(("calling", "called"), [("PACS", "OTHER"), ("STRANGER", "LIGHTBOX")])
def test_others_and_wrong_names_are_refused(receiver: Receiver, calling: str, called: str) -> None:
    with association(receiver, calling=calling, called=called) as line:
        assert line.is_rejected


def test_a_machine_at_another_address_stores_nothing(config: Config, spool: Spool) -> None:
    elsewhere = Receiver(replace(config, peers=(Peer("PACS", "192.0.2.1"),)), spool)
    elsewhere.start()
    try:
        assert store(elsewhere, factories.ct_file(1)) == 0x0124
        with association(elsewhere) as line:
            assert line.send_c_echo().Status == 0x0124
    finally:
        elsewhere.stop()
    assert spool.counts()["waiting"] == 0


@pytest.mark.parametrize(
    "syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99", JPEG_LS]
)
def test_every_transfer_syntax_is_kept_as_the_bytes_that_came(receiver: Receiver, spool: Spool, syntax: str) -> None:
    """What is compressed is not opened, and what it holds need not be what it says."""
    picture = factories.ct_slice(1)
    with association(receiver, (CT, syntax)) as line:
        if syntax == JPEG_LS:
            sent = dcmread(BytesIO(factories.dicom_bytes(picture, UID("1.2.840.10008.1.2.1"))))
            sent.file_meta.TransferSyntaxUID = UID(syntax)
            sent["PixelData"].is_undefined_length = False
        else:
            sent = dcmread(BytesIO(factories.dicom_bytes(picture, UID(syntax))))
        assert line.send_c_store(sent).Status == 0x0000
    (file,) = kept(spool)
    came = dcmread(BytesIO(file))
    assert came.file_meta.TransferSyntaxUID == syntax
    assert came.PixelData == sent.PixelData
    (one,) = spool.due(1, 10**9, 0)
    assert one.about.study_uid == factories.uid(1)
    assert (one.about.sop_uid, one.about.source) == (sent.SOPInstanceUID, "PACS")


def test_a_private_class_is_kept(receiver: Receiver, spool: Spool) -> None:
    file = factories.ct_file(1, SOPClassUID=PRIVATE_CLASS)
    assert store(receiver, file) == 0x0000
    assert spool.due(1, 10**9, 0)[0].about.sop_class_uid == PRIVATE_CLASS


def test_the_same_again_is_a_success_and_is_kept_once(receiver: Receiver, spool: Spool) -> None:
    for _again in range(2):
        assert store(receiver, factories.ct_file(1)) == 0x0000
    assert spool.counts()["waiting"] == 1


@pytest.mark.parametrize("trouble", [NoRoom(), OSError(28, "no space"), OSError(5, "input/output")])
def test_a_disk_in_trouble_is_said_and_the_line_stays(
    receiver: Receiver, spool: Spool, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    dataset = dcmread(BytesIO(factories.ct_file(1)))
    take, troubles = spool.take, [trouble]

    def first_fails(*said: Any) -> bool:
        if troubles:
            raise troubles.pop()
        return take(*said)

    monkeypatch.setattr(spool, "take", first_fails)
    with association(receiver, (CT, dataset.file_meta.TransferSyntaxUID)) as line:
        assert line.send_c_store(dataset).Status == 0xA700
        assert line.send_c_store(dataset).Status == 0x0000


def test_many_machines_at_once(receiver: Receiver, spool: Spool) -> None:
    files = factories.ct_series(20)
    statuses: list[int] = []
    machines = [threading.Thread(target=lambda one=one: statuses.append(store(receiver, one))) for one in files]
    for machine in machines:
        machine.start()
    for machine in machines:
        machine.join()
    assert statuses == [0x0000] * 20
    assert len(kept(spool)) == 20


@unanswered
def test_the_gateway_asks_others_for_an_echo(receiver: Receiver, config: Config) -> None:
    there = Peer("LIGHTBOX", "127.0.0.1", receiver.port)
    as_pacs = replace(config, dicom=replace(config.dicom, ae_title="PACS"))
    assert echo(as_pacs, there)
    assert not echo(as_pacs, replace(there, ae_title="OTHER"))
    assert not echo(as_pacs, replace(there, port=1))


def test_a_file_without_a_readable_study_is_known_by_its_meta_information() -> None:
    meta = b"\2\0\2\0UI\4\x001.2\0" + b"\2\0\3\0UI\6\x001.2.3\0"
    about = about_file(bytes(128) + b"DICM" + meta + b"and then nonsense", "PACS")
    assert (about.study_uid, about.sop_class_uid, about.sop_uid) == ("", "1.2", "1.2.3")


# --- storage commitment


class Machine:
    """A machine that asks for commitment and hears of it on an association that the gateway opens."""

    def __init__(self) -> None:
        self.heard: list[tuple[int | None, Dataset]] = []
        entity = AE(ae_title="PACS")
        entity.add_supported_context(COMMITMENT, scu_role=True, scp_role=True)
        handlers: list[Any] = [(evt.EVT_N_EVENT_REPORT, self._hear)]
        server: Any = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        self.port, self.stop = int(server.server_address[1]), server.shutdown

    def _hear(self, event: evt.Event) -> tuple[int, None]:
        self.heard.append((event.event_type, event.event_information))
        return 0x0000, None


@pytest.fixture
def machine() -> Iterator[Machine]:
    one = Machine()
    yield one
    one.stop()


def ask(receiver: Receiver, *uids: str) -> int:
    wanted = Dataset()
    wanted.TransactionUID = "1.2.3.4.5"
    wanted.ReferencedSOPSequence = []
    for uid in uids:
        one = Dataset()
        one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID = CT, uid
        wanted.ReferencedSOPSequence.append(one)
    with association(receiver, (COMMITMENT, "1.2.840.10008.1.2")) as line:
        status, _said = line.send_n_action(wanted, 1, COMMITMENT, COMMITMENT_INSTANCE)
        return int(status.Status)


def test_committed_is_said_only_of_what_is_published(
    receiver: Receiver, config: Config, spool: Spool, machine: Machine
) -> None:
    config = replace(config, peers=(Peer("PACS", "127.0.0.1", machine.port),))
    for number in (1, 2):
        store(receiver, factories.ct_file(number))
    one, two = spool.due(2, 10**9, 0)
    assert ask(receiver, one.about.sop_uid, two.about.sop_uid) == 0x0000
    spool.published([one])
    assert keep_promises(config, spool, lambda _attempts: 0) == 0
    assert machine.heard == []
    spool.published([two])
    assert keep_promises(config, spool, lambda _attempts: 0) == 1
    ((kind, said),) = machine.heard
    assert kind == 1
    assert said.TransactionUID == "1.2.3.4.5"
    assert len(said.ReferencedSOPSequence) == 2
    assert keep_promises(config, spool, lambda _attempts: 0) == 0


def test_what_failed_and_what_never_came_is_said_with_the_reason(
    receiver: Receiver, config: Config, spool: Spool, machine: Machine
) -> None:
    config = replace(config, peers=(Peer("PACS", "127.0.0.1", machine.port),))
    store(receiver, factories.ct_file(1))
    (one,) = spool.due(1, 10**9, 0)
    spool.refused(one, "no")
    ask(receiver, one.about.sop_uid, "1.2.3")
    assert keep_promises(config, spool, lambda _attempts: 0) == 1
    ((kind, said),) = machine.heard
    assert kind == 2
    assert {item.ReferencedSOPInstanceUID: item.FailureReason for item in said.FailedSOPSequence} == {
        one.about.sop_uid: 0x0110,
        "1.2.3": 0x0112,
    }


@unanswered
def test_a_machine_that_does_not_answer_is_asked_again(receiver: Receiver, config: Config, spool: Spool) -> None:
    config = replace(config, peers=(Peer("PACS", "127.0.0.1", 1),))
    ask(receiver, "1.2.3")
    assert keep_promises(config, spool, lambda _attempts: 0) == 0
    (promise,) = spool.promises()
    assert promise.attempts == 1


def test_a_machine_without_an_address_is_not_waited_for(receiver: Receiver, config: Config, spool: Spool) -> None:
    ask(receiver, "1.2.3")
    assert keep_promises(config, spool, lambda _attempts: 0) == 0
    assert spool.promises() == []
