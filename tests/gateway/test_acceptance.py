"""What a facility relies on, line by line: nothing is lost, nobody waits for another, and what is wrong is said."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE

from gateway.config import Config, Dicom
from gateway.forwarding import Forwarder, wait_after
from gateway.receiving import Receiver, about_file
from gateway.spool import Spool
from gateway.telling import Teller
from tests import factories
from tests.gateway.conftest import Says, ScriptedPortal
from tests.gateway.test_receiving import kept, receiver, store

__all__ = ["receiver"]

HOUR = 3600.0


class Hand:
    """The gateway's clock, moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = time.time()
        monkeypatch.setattr(time, "time", lambda: self.now)


def test_a_portal_that_is_away_for_an_hour_gets_all_of_it_in_order_and_once(
    config: Config, spool: Spool, portal: ScriptedPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Hand(monkeypatch)
    forwarder = Forwarder(config.portal, spool, wait=wait_after, idle=3.0)
    began, sent = clock.now, 0
    while clock.now - began < 2 * HOUR and spool.counts()["published"] < 12:
        is_away = clock.now - began < HOUR
        if is_away and sent < 12:
            sent += 1
            file = factories.ct_file(1, study=sent)
            spool.take(about_file(file, "PACS"), file)
        portal.script = [Says(503, silent=True)] if is_away else []
        portal.requests = portal.requests if not is_away else []
        forwarder.step()
        clock.now += 10.0
    came = [study_of(files[0]) for files in portal.requests]
    assert came == [factories.uid(number) for number in range(1, 13)]
    assert clock.now - began < HOUR + 1200


def study_of(file: bytes) -> str:
    """Of the study that a file is of."""
    return about_file(file, "").study_uid


def test_of_200_one_that_is_refused_is_a_dead_letter_and_199_are_stored(
    config: Config, spool: Spool, portal: ScriptedPortal
) -> None:
    for file in factories.ct_series(200, size=8):
        spool.take(about_file(file, "PACS"), file)
    portal.script = [Says(), Says(), Says(202, verdict={7: 0xA900}, headers={"Warning": '299 x "Another patient."'})]
    forwarder = Forwarder(config.portal, spool, wait=lambda _attempts: 0.0, idle=0)
    while forwarder.step():
        pass
    assert spool.counts() == {"waiting": 0, "published": 199, "dead": 1}
    assert "Another patient." in spool.letters()[0].reason


@pytest.mark.parametrize("largest_pdu", [0, 16384])
def test_fifty_machines_store_at_once(receiver: Receiver, spool: Spool, largest_pdu: int) -> None:
    files, statuses = factories.ct_series(50), []
    together = threading.Barrier(50)

    def send(file: bytes) -> None:
        dataset = dcmread(BytesIO(file))
        machine = AE(ae_title="PACS")
        machine.maximum_pdu_size = largest_pdu
        machine.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
        line = machine.associate("127.0.0.1", receiver.port, ae_title="LIGHTBOX")
        together.wait(60)  # all fifty lines are open
        statuses.append(int(line.send_c_store(dataset).Status) if line.is_established else -1)
        line.release()

    machines = [threading.Thread(target=send, args=(file,)) for file in files]
    for machine in machines:
        machine.start()
    for machine in machines:
        machine.join()
    assert statuses == [0x0000] * 50
    assert len(kept(spool)) == 50


def test_nested_private_sequences_of_undefined_length_are_kept_as_they_came(receiver: Receiver, spool: Spool) -> None:
    dataset = factories.ct_slice(1)
    inner = Dataset()
    for _level in range(20):
        outer = Dataset()
        block = outer.private_block(0x0029, "LIGHTBOX TEST", create=True)
        block.add_new(0x10, "SQ", [inner])
        outer[block.get_tag(0x10)].is_undefined_length = True
        inner = outer
    dataset.update(inner)
    file = factories.dicom_bytes(dataset, ExplicitVRLittleEndian)
    assert store(receiver, file) == 0x0000
    (came,) = kept(spool)
    assert about_file(came, "").sop_uid == factories.uid(1, 1, 1)
    assert came.count(b"LIGHTBOX TEST") == 20


def test_nothing_in_the_spool_says_whose_images_wait(spool: Spool) -> None:
    for file in factories.ct_series(3):
        spool.take(about_file(file, "PACS"), file)
    everything = b"".join(path.read_bytes() for path in spool.keeping.folder.rglob("*") if path.is_file())
    names = " ".join(str(path) for path in spool.keeping.folder.rglob("*"))
    for word in (b"ZEBRAFISH", b"ACC1", factories.uid(1).encode()):
        assert word not in everything
        assert word.decode() not in names


@pytest.mark.parametrize("off", [-86400.0, 86400.0])
def test_a_clock_that_is_a_day_wrong_is_seen_by_nobody(
    config: Config, spool: Spool, portal: ScriptedPortal, monkeypatch: pytest.MonkeyPatch, off: float
) -> None:
    clock = Hand(monkeypatch)
    clock.now += off
    file = factories.ct_file(1)
    spool.take(about_file(file, "PACS"), file)
    clock.now += 60
    Teller(config, spool).step()
    assert (portal.states[0]["oldest_seconds"], portal.states[0]["machines"][0]["seconds_ago"]) == (60, 60)
    assert Forwarder(config.portal, spool, idle=0).step() == 1


# --- certificates


@pytest.fixture
def certificate(tmp_path: Path) -> Callable[[str, int], Path]:
    """The path of a key and a certificate of one authority, for so many days; "authority" is its own."""
    keys: dict[str, ec.EllipticCurvePrivateKey] = {}

    def make(name: str, days: int) -> Path:
        keys[name] = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(tz=UTC)
        who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        by = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        made = (
            x509.CertificateBuilder()
            .subject_name(who)
            .issuer_name(by)
            .public_key(keys[name].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=30))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=name == "authority", path_length=None), critical=True)
            .sign(keys["authority"], hashes.SHA256())
        )
        path = tmp_path / f"{name}.pem"
        key = keys[name].private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(key + made.public_bytes(serialization.Encoding.PEM))
        return path

    return make


@pytest.mark.parametrize(("days", "gets_in"), [(1, True), (-1, False)])
def test_an_expired_certificate_is_refused_and_said(
    config: Config, spool: Spool, certificate: Callable[[str, int], Path], days: int, *, gets_in: bool
) -> None:
    authority = certificate("authority", 30)
    ours, theirs = certificate("gateway", 30), certificate("machine", days)
    said = Dicom("LIGHTBOX", "127.0.0.1", 0, certificate=ours, private_key=ours, peers_ca=authority)
    receiver = Receiver(replace(config, dicom=said), spool)
    receiver.start()
    try:
        assert shakes_hands(receiver.port, authority, theirs) == gets_in
    finally:
        receiver.stop()
    assert ("its certificate does not hold" in spool.trouble()) is not gets_in


def shakes_hands(port: int, authority: Path, certificate: Path) -> bool:
    """Whether the gateway takes a machine's certificate; by TLS 1.2, in which it says so within the handshake."""
    context = ssl.create_default_context(cafile=authority)
    context.check_hostname, context.maximum_version = False, ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        try:
            context.wrap_socket(line).close()
        except ssl.SSLError:
            return False
    return True
