"""The gateway between real machines and a real portal: DCMTK and Orthanc send, the portal has what they sent."""

from __future__ import annotations

import base64
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from tests import factories
from tests.clients.conftest import Reader
from tests.gateway.test_messages import oru
from tests.gateway.test_orders import message as order
from tests.journeys.conftest import ROOT, Site, eventually, free_port, site
from tests.journeys.orthancs import orthanc_with
from tests.journeys.test_real_senders import Facility, run, tool
from tests.studies.pdfs_made import pdf

__all__ = ["site"]

pytestmark = pytest.mark.journey

STUDY = factories.uid(8300)
AFTER_OBR_4 = "|" * 21  # to OBR-25
CONVERSIONS = {  # DCMTK's tools, what they make of a plain file, and how storescu must propose it
    "explicit": ((), "-xe"),
    "implicit": (("dcmconv", "+ti"), "-xi"),
    "big endian": (("dcmconv", "+tb"), "-xb"),
    "deflated": (("dcmconv", "+td"), "-xd"),
    "RLE": (("dcmcrle",), "-xr"),
    "JPEG lossless": (("dcmcjpeg", "+e1"), "-xs"),
    "JPEG-LS": (("dcmcjpls",), "-xt"),
}


class Gateway:
    """The program with a configuration of its own."""

    def __init__(self, folder: Path, portal: str, key: str, *more: str) -> None:
        self.port, self.folder = free_port(), folder
        folder.mkdir(exist_ok=True)
        (folder / "facility.key").write_text(key)
        self.config = folder / "gateway.toml"
        self.config.write_text(
            f'[portal]\nurl = "{portal}"\nkey_file = "{folder / "facility.key"}"\n'
            f'[spool]\nfolder = "{folder / "spool"}"\nleast_free_mb = 1\n'
            f'[dicom]\naddress = "127.0.0.1"\nport = {self.port}\n' + "\n".join(more)
        )
        self._log = (folder / "log").open("ab")
        command = [sys.executable, "-m", "gateway", "run", str(self.config)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=self._log, stderr=self._log)
        eventually(self._listens, "the gateway listening")

    def _listens(self) -> bool:
        assert self.process.poll() is None, (self.folder / "log").read_text()
        with socket.socket() as line:
            return line.connect_ex(("127.0.0.1", self.port)) == 0

    def ask(self, command: str) -> str:
        """One of its other commands, and what it prints."""
        said = [sys.executable, "-m", "gateway", command, str(self.config)]
        return subprocess.run(said, cwd=ROOT, capture_output=True, text=True, check=False).stdout

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(sign)
        self.process.wait(30)
        self._log.close()


def peer(host: str = "127.0.0.1", port: int = 0) -> str:
    return f'[[peers]]\nae_title = "PACS"\nhost = "{host}"\nport = {port}\n'


@pytest.fixture(scope="module")
def facility(site: Site) -> Facility:
    return Facility(site)


@contextmanager
def gateway_of(folder: Path, facility: Facility, *more: str) -> Iterator[Gateway]:
    running = Gateway(folder / "gateway", facility.site.url, facility.key, *(more or [peer()]))
    try:
        yield running
    finally:
        running.stop()


def scu(program: str, gateway: Gateway, *more: str, called: str = "LIGHTBOX") -> int:
    """One of DCMTK's programs as the PACS; its exit status."""
    command = [tool(program), "-aet", "PACS", "-aec", called, *more[:1], "127.0.0.1", str(gateway.port), *more[1:]]
    return subprocess.run([word for word in command if word], capture_output=True, check=False).returncode


def test_dcmtk_stores_every_transfer_syntax_and_the_portal_shows_it(facility: Facility, tmp_path: Path) -> None:
    with gateway_of(tmp_path, facility) as gateway:
        assert scu("echoscu", gateway) == 0
        assert scu("echoscu", gateway, called="OTHER") != 0
        for number, (name, (command, option)) in enumerate(CONVERSIONS.items(), start=1):
            plain, path = tmp_path / f"plain{number}.dcm", tmp_path / f"made{number}.dcm"
            plain.write_bytes(factories.ct_file(number, study=7700, PatientID="GATEWAY-1"))
            if command:
                run(*command, str(plain), str(path))
            else:
                path = plain
            assert scu("storescu", gateway, option, str(path)) == 0, name
        eventually(lambda: f"{len(CONVERSIONS)} published" in gateway.ask("status"), "everything published")
    assert len(facility.digests(factories.uid(7700))) == len(CONVERSIONS)
    log = (gateway.folder / "log").read_text()
    assert "GATEWAY-1" not in log
    assert factories.uid(7700) not in log


def test_what_was_stored_outlives_the_power_and_a_portal_that_is_away(facility: Facility, tmp_path: Path) -> None:
    files = []
    for number in range(1, 6):
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(factories.ct_file(number, study=7701, PatientID="GATEWAY-2"))
        files.append(str(path))
    gateway = Gateway(tmp_path / "gateway", "http://127.0.0.1:1", facility.key, peer())
    assert scu("storescu", gateway, "", *files) == 0
    gateway.stop(signal.SIGKILL)
    assert "5 waiting" in gateway.ask("status")
    again = Gateway(tmp_path / "gateway", facility.site.url, facility.key, peer())
    try:
        eventually(lambda: "5 published" in again.ask("status"), "everything published")
    finally:
        again.stop()
    assert again.process.returncode == 0
    assert len(facility.digests(factories.uid(7701))) == 5


def test_one_that_the_portal_does_not_take_is_a_dead_letter(facility: Facility, tmp_path: Path) -> None:
    """A file that is cut off on the way to the PACS, among good ones."""
    for number in range(1, 4):
        file = factories.ct_file(number, study=7702, PatientID="GATEWAY-3")
        (tmp_path / f"{number}.dcm").write_bytes(file)
    folder = tmp_path / "in"
    folder.mkdir()
    with gateway_of(tmp_path, facility, peer(), f'[folder]\npath = "{folder}"\n') as gateway:
        for number in range(1, 4):
            content = (tmp_path / f"{number}.dcm").read_bytes()
            (folder / f".{number}").write_bytes(content if number != 2 else content[:-1000])
            os.utime(folder / f".{number}", (0, 0))
            (folder / f".{number}").rename(folder / f"{number}.dcm")
        eventually(lambda: "1 dead letters" in gateway.ask("status"), "the verdict")
        eventually(lambda: "2 published" in gateway.ask("status"), "the others published")
        assert "cut off" in gateway.ask("letters")
    assert len(facility.digests(factories.uid(7702))) == 2


# --- HL7


def mllp(port: int, message: str) -> str:
    """Send one message as a RIS does; what is acknowledged."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
        line.sendall(b"\x0b" + message.encode() + b"\x1c\r")
        return line.recv(65536).decode().split("\r")[1]


def test_a_report_that_a_ris_sends_is_read_beside_the_pictures(reader: Reader, tmp_path: Path) -> None:
    """It comes before its images; its final version, with a PDF of 200 kB, after them."""
    accession, hl7_port = f"ACC-{secrets.token_hex(4)}", free_port()
    hl7 = f'[hl7]\naddress = "127.0.0.1"\nport = {hl7_port}\nhosts = ["127.0.0.1"]\n'
    gateway = Gateway(tmp_path / "gateway", reader.site.url, reader.key, peer(), hl7)
    try:
        early = oru("TX|||Early words.", status="P", accession=accession, patient=reader.patient_id)
        assert mllp(hl7_port, early) == "MSA|AA|MSG-1|"
        eventually(lambda: "2 published" in gateway.ask("status"), "the report and the state published")
        reader.published(
            [factories.ct_file(1, study=8300, AccessionNumber=accession, PatientID=reader.patient_id)], STUDY
        )
        scan = base64.b64encode(pdf("Lungs clear.") + b"\n" * 200_000).decode()
        scanned = f"ED|||^application^pdf^Base64^{scan}"
        final = oru(scanned, accession=accession, patient=reader.patient_id).replace("MSG-1", "MSG-2")
        assert mllp(hl7_port, final) == "MSA|AA|MSG-2|"
        eventually(lambda: "4 published" in gateway.ask("status"), "the final version published")
        wrong = oru("TX|||Of somebody else.", accession=accession, patient="SOMEBODY-ELSE").replace("MSG-1", "MSG-3")
        assert mllp(hl7_port, wrong) == "MSA|AA|MSG-3|"
        eventually(lambda: "2 dead letters" in gateway.ask("status"), "the verdicts")
        assert "another patient" in gateway.ask("letters")
        assert mllp(hl7_port, final.replace("ORU^R01", "ADT^A01")).startswith("MSA|AR|MSG-2|The gateway takes ADT^A04")
    finally:
        gateway.stop()
    hers = reader.session.get(f"{reader.site.url}/api/v1/studies/", timeout=30).json()
    (study,) = [one for one in hers if one["study_uid"] == STUDY]
    page = reader.session.get(f"{reader.site.url}/studies/{study['id']}/report/", timeout=30).text
    assert "Early words." not in page
    assert "PDF" in page


def test_orders_states_and_merges_reach_the_portal(reader: Reader, tmp_path: Path) -> None:
    """An exam is known before its images, moves by each message, and is hers under both of her numbers."""
    accession, hl7_port, old = f"ACC-{secrets.token_hex(4)}", free_port(), f"OLD-{secrets.token_hex(4)}"
    now = datetime.now().astimezone()
    pid = f"PID|1||{old}^^^HOSPITAL^MR||ZEBRAFISH^MARIA||19800517|F"
    obr = f"OBR|1||{accession}|MR^MR KNEE{AFTER_OBR_4}{{state}}"
    gateway = Gateway(tmp_path / "gateway", reader.site.url, reader.key, peer(), hl7_in(hl7_port))
    try:
        for number, state in enumerate(("F", "O", "CM"), start=1):
            said = order(state=state, pid=pid, obr=obr, written=f"{now - timedelta(minutes=number):%Y%m%d%H%M%S%z}")
            assert mllp(hl7_port, said.replace("MSG-1", f"MSG-{number}")) == f"MSA|AA|MSG-{number}|"
        pid_now = pid.replace(old, reader.patient_id)
        merge = order("ADT^A40", pid=pid_now, obr="", control="", more=f"MRG|{old}").replace("MSG-1", "MSG-9")
        assert mllp(hl7_port, merge) == "MSA|AA|MSG-9|"
        eventually(lambda: "5 published" in gateway.ask("status"), "everything passed on")
    finally:
        gateway.stop()
    home = reader.session.get(f"{reader.site.url}/", timeout=30).text
    assert "The images are arriving." in home or "on their way" in home


def test_images_of_an_exam_that_is_done_are_fetched_from_orthanc(reader: Reader, tmp_path: Path) -> None:
    """Nobody sends them: C-FIND by accession number and patient, C-MOVE to the gateway, counted."""
    accession, hl7_port, dicom_port = f"ACC-{secrets.token_hex(4)}", free_port(), free_port()
    pulling = '[pull]\npeer = "PACS"\nidle_seconds = 0\n'
    machine = peer(port=dicom_port)
    gateway = Gateway(tmp_path / "gateway", reader.site.url, reader.key, machine, hl7_in(hl7_port), pulling)
    files = [
        factories.ct_file(number, study=8310, AccessionNumber=accession, PatientID=reader.patient_id)
        for number in range(1, 6)
    ]
    try:
        with orthanc_with(**storing_to(gateway, dicom_port)) as archive:
            for file in files:
                requests.post(f"{archive.url}/instances", file, timeout=60).raise_for_status()
            pid = f"PID|1||{reader.patient_id}^^^HOSPITAL^MR||ZEBRAFISH^MARIA||19800517|F"
            said = order(state="CM", pid=pid, obr=f"OBR|1||{accession}|CT^CT CHEST{AFTER_OBR_4}{{state}}")
            assert mllp(hl7_port, said) == "MSA|AA|MSG-1|"
            eventually(lambda: "7 published" in gateway.ask("status"), "five files and two messages")
    finally:
        gateway.stop()
    receipt = reader.site.ready(reader.key, factories.uid(8310))
    assert (len(receipt["instances"]), receipt["expected"], receipt["complete"]) == (5, 5, True)


def test_from_the_pacs_to_her_notice_and_her_picture(reader: Reader, tmp_path: Path) -> None:
    """storescu sends; her letter comes; the picture opens. How long that took is printed (pytest -rP)."""
    study = factories.uid(8320)
    paths = []
    for number in range(1, 6):
        paths.append(tmp_path / f"{number}.dcm")
        paths[-1].write_bytes(factories.ct_file(number, study=8320, PatientID=reader.patient_id))
    gateway = Gateway(tmp_path / "gateway", reader.site.url, reader.key, peer())
    letters = _letters_to(reader)
    try:
        begin = time.monotonic()
        assert scu("storescu", gateway, "", *map(str, paths)) == 0
        stored = time.monotonic() - begin
        mine = eventually(lambda: _picture_of(reader, study), "her picture")
        seen = time.monotonic() - begin
        eventually(lambda: _letters_to(reader) > letters, "her letter")
        told = time.monotonic() - begin
    finally:
        gateway.stop()
    assert mine[:3] == b"\xff\xd8\xff" or mine[:4] in (b"RIFF", b"\x89PNG")
    print(f"stored {stored:.1f} s, picture {seen:.1f} s, letter {told:.1f} s after the send began")


def _letters_to(reader: Reader) -> int:
    return sum(reader.email in path.read_text() for path in (reader.site.data / "mail").glob("*.log"))


def _picture_of(reader: Reader, study_uid: str) -> bytes | None:
    """The thumbnail of her study, once it is hers and there."""
    hers = reader.session.get(f"{reader.site.url}/api/v1/studies/", timeout=30).json()
    if not any(one["study_uid"] == study_uid for one in hers):
        return None
    got = reader.session.get(f"{reader.base}/studies/{study_uid}/thumbnail", timeout=30)
    return got.content if got.status_code == 200 else None


def hl7_in(port: int) -> str:
    return f'[hl7]\naddress = "127.0.0.1"\nport = {port}\nhosts = ["127.0.0.1"]\n'


# --- TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Paths of keys and certificates: of an authority, and of the gateway and a machine under it."""
    folder = tmp_path_factory.mktemp("certificates")
    new = ("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout")
    run(*new, str(folder / "ca.key"), "-x509", "-days", "2", "-subj", "/CN=Authority", "-out", str(folder / "ca.pem"))
    for name in ("gateway", "machine"):
        run(*new, str(folder / f"{name}.key"), "-subj", f"/CN={name}", "-out", str(folder / f"{name}.csr"))
        authority = ("-CA", str(folder / "ca.pem"), "-CAkey", str(folder / "ca.key"), "-CAcreateserial", "-days", "2")
        run(
            "openssl",
            "x509",
            "-req",
            "-in",
            str(folder / f"{name}.csr"),
            *authority,
            "-out",
            str(folder / f"{name}.pem"),
        )
    return lambda name: folder / name


def test_with_certificates_only_machines_that_have_one_get_in(
    facility: Facility, tmp_path: Path, certificates: Callable[[str], Path]
) -> None:
    path = tmp_path / "1.dcm"
    path.write_bytes(factories.ct_file(1, study=7703, PatientID="GATEWAY-4"))
    tls = "\n".join(
        f'{name} = "{certificates(file)}"'
        for name, file in (("certificate", "gateway.pem"), ("private_key", "gateway.key"), ("peers_ca", "ca.pem"))
    )
    with gateway_of(tmp_path, facility, tls, peer()) as gateway:
        its_own = ["+tls", str(certificates("machine.key")), str(certificates("machine.pem"))]
        trusted = ["+cf", str(certificates("ca.pem"))]
        store = [tool("storescu"), "-aet", "PACS", "-aec", "LIGHTBOX"]
        there = ["127.0.0.1", str(gateway.port), str(path)]

        def stores(*how: str) -> bool:
            return subprocess.run([*store, *how, *there], capture_output=True, check=False).returncode == 0

        assert not stores()
        assert not stores("+tla", *trusted)
        assert stores(*its_own, *trusted)
        eventually(lambda: "1 published" in gateway.ask("status"), "it published")


# --- Orthanc


def storing_to(gateway: Gateway, dicom_port: int) -> dict[str, Any]:
    """Orthanc's settings as a PACS that stores to the gateway, and listens for its commitments."""
    there = {"AET": "LIGHTBOX", "Host": "127.0.0.1", "Port": gateway.port, "AllowStorageCommitment": True}
    itself = {"DicomServerEnabled": True, "DicomAet": "PACS", "DicomPort": dicom_port}
    return {**itself, "DicomModalities": {"gateway": there}}


def test_orthanc_stores_and_hears_that_everything_is_committed(facility: Facility, tmp_path: Path) -> None:
    dicom_port = free_port()
    with (
        gateway_of(tmp_path, facility, peer(port=dicom_port)) as gateway,
        orthanc_with(**storing_to(gateway, dicom_port)) as orthanc,
    ):
        for file in factories.ct_series(8, study=7704, PatientID="GATEWAY-5"):
            requests.post(f"{orthanc.url}/instances", file, timeout=30).raise_for_status()
        (study,) = requests.get(f"{orthanc.url}/studies", timeout=30).json()
        wanted = {"Resources": [study], "StorageCommitment": True, "Synchronous": True}
        sent = requests.post(f"{orthanc.url}/modalities/gateway/store", json=wanted, timeout=60).json()
        assert sent["FailedInstancesCount"] == 0
        report = f"{orthanc.url}/storage-commitment/{sent['StorageCommitmentTransactionUID']}"

        def heard() -> Any:
            said = requests.get(report, timeout=30).json()
            return said if said["Status"] != "Pending" else None

        said = eventually(heard, "the commitment")
        assert said["Status"] == "Success", said
        assert len(said["Success"]) == 8
    assert len(facility.digests(factories.uid(7704))) == 8
