"""What facilities really have: DCMTK's files sent by curl, the DICOMweb clients of Orthanc and PyPI, dcm4che's way."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import requests
from dicomweb_client.api import DICOMwebClient
from PIL import Image

from bench.orthanc import Orthanc
from tests import factories
from tests.journeys.conftest import Site, eventually
from tests.journeys.orthancs import knowing_lightbox, orthanc_with

pytestmark = pytest.mark.journey

CONVERSIONS = {  # DCMTK's tools and what they make of a plain file
    "implicit": ("dcmconv", "+ti"),
    "big endian": ("dcmconv", "+tb"),
    "deflated": ("dcmconv", "+td"),
    "without group lengths, sequences of undefined length": ("dcmconv", "-g", "-e", "+te"),
    "padded": ("dcmconv", "+p", "512", "128"),
    "RLE": ("dcmcrle",),
    "JPEG lossless": ("dcmcjpeg", "+e1"),
    "JPEG-LS": ("dcmcjpls",),
}


def tool(name: str) -> str:
    """A program of the machine."""
    found = shutil.which(name)
    if not found:
        pytest.skip(f"no {name} on this machine (apt install dcmtk curl)")
    return found


def run(*command: str) -> str:
    done = subprocess.run([tool(command[0]), *command[1:]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Facility:
    """A facility of the running site, and its key."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.key = str(site.manage("facility", "add", f"Senders {secrets.token_hex(4)}")["key"])
        self.bearer = {"Authorization": f"Bearer {self.key}"}

    def curl(self, kind: str, path: Path, *more: str) -> tuple[int, dict[str, Any]]:
        """POST a file as a body; status and answer."""
        said = run(
            "curl", "-sS", "-w", "\n%{http_code}", "-H", f"Authorization: Bearer {self.key}",
            "-X", "POST", "-H", f"Content-Type: {kind}", *more, "-T", str(path), f"{self.site.url}/dicom-web/studies",
        )  # fmt: skip
        body, _newline, status = said.rpartition("\n")
        return int(status), json.loads(body)

    def digests(self, study_uid: str) -> dict[str, str]:
        """SOP Instance UIDs and sha256 by the receipt, once everything is ready."""
        receipt = self.site.ready(self.key, study_uid)
        assert {row["state"] for row in receipt["instances"]} == {"ready"}
        return {row["sop_uid"]: row["sha256"] for row in receipt["instances"]}


@pytest.fixture(scope="module")
def facility(site: Site) -> Facility:
    """One for all: each test sends a study of its own."""
    return Facility(site)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def dcmtk_files(tmp_path: Path) -> dict[str, Path]:
    """One file for each conversion, each an instance of its own, and a JPEG that img2dcm wrapped."""
    made = {}
    for number, (name, command) in enumerate(CONVERSIONS.items(), start=1):
        plain, path = tmp_path / f"plain{number}.dcm", tmp_path / f"made{number}.dcm"
        plain.write_bytes(factories.ct_file(number, study=7000, PatientID="DCMTK-1"))
        run(*command, str(plain), str(path))
        made[name] = path
    photo, wrapped = tmp_path / "photo.jpg", tmp_path / "photo.dcm"
    Image.fromarray(np.arange(64 * 64 * 3, dtype="u1").reshape(64, 64, 3)).save(photo)
    keys = {"PatientID": "DCMTK-1", "PatientName": "ZEBRAFISH^MARIA", "StudyInstanceUID": factories.uid(7000)}
    options = [word for name, value in keys.items() for word in ("-k", f"{name}={value}")]
    run("img2dcm", *options, str(photo), str(wrapped))
    return {**made, "JPEG photograph": wrapped}


def test_what_dcmtk_writes_curl_publishes_unchanged(facility: Facility, dcmtk_files: dict[str, Path]) -> None:
    for number, (name, path) in enumerate(dcmtk_files.items()):
        chunked = ["-H", "Transfer-Encoding: chunked"] if number % 2 else []
        status, answer = facility.curl("application/dicom", path, *chunked)
        assert status == 200, (name, answer)
    assert set(facility.digests(factories.uid(7000)).values()) == {sha256(path) for path in dcmtk_files.values()}


def test_dcm4ches_way_of_sending_is_taken(facility: Facility, tmp_path: Path) -> None:
    body = tmp_path / "body"
    files = factories.ct_series(3, study=7001, PatientID="DCM4CHE-1")
    # As StowRS of dcm4che writes it: a bare fixed boundary, parts by the machine's MIME table, XML asked for.
    head = b"\r\n--myboundary\r\nContent-Type: application/dicom\r\n\r\n"
    body.write_bytes(b"".join(head + file for file in files) + b"\r\n--myboundary--\r\n")
    kind = "multipart/related; type=application/dicom; boundary=myboundary"
    status, answer = facility.curl(kind, body, "-H", "Accept: application/dicom+xml")
    assert status == 200
    assert len(answer["00081199"]["Value"]) == 3
    assert len(facility.digests(factories.uid(7001))) == 3


def test_dicomweb_client_publishes_more_than_a_megabyte_in_chunks(site: Site, facility: Facility) -> None:
    slices = [factories.ct_slice(number, study=7002, size=512, PatientID="PYPI-1") for number in range(1, 5)]
    for one in slices:
        one.file_meta = pydicom.dataset.FileMetaDataset()
        one.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    client = DICOMwebClient(f"{site.url}/dicom-web", headers=facility.bearer)
    for _again in range(2):
        answer = client.store_instances(slices)
        assert len(answer.ReferencedSOPSequence) == 4
        assert "FailedSOPSequence" not in answer
    assert set(facility.digests(factories.uid(7002))) == {str(one.SOPInstanceUID) for one in slices}


@pytest.fixture
def orthanc(facility: Facility) -> Iterator[Orthanc]:
    with orthanc_with(**knowing_lightbox(f"{facility.site.url}/dicom-web", facility.bearer)) as running:
        yield running


def take(orthanc: Orthanc, files: list[bytes]) -> str:
    """Store files in Orthanc; the study's id there."""
    for file in files:
        stored = requests.post(f"{orthanc.url}/instances", data=file, timeout=60)
        assert stored.status_code == 200, stored.text
    return str(stored.json()["ParentStudy"])


def push(orthanc: Orthanc, study: str) -> dict[str, Any]:
    """Send a study on by STOW-RS; the job as it ended."""
    wanted = {"Resources": [study], "Synchronous": False}
    job = requests.post(f"{orthanc.url}/dicom-web/servers/lightbox/stow", json=wanted, timeout=60).json()
    look: Callable[[], dict[str, Any] | None] = partial(_ended, orthanc, str(job["ID"]))
    return eventually(look, "the end of Orthanc's job")


def _ended(orthanc: Orthanc, job: str) -> dict[str, Any] | None:
    said: dict[str, Any] = requests.get(f"{orthanc.url}/jobs/{job}", timeout=60).json()
    return said if said["State"] in ("Success", "Failure") else None


def test_orthanc_pushes_a_study_twice_with_success(facility: Facility, orthanc: Orthanc) -> None:
    study = take(orthanc, factories.ct_series(12, study=7003, size=256, PatientID="ORTHANC-1"))
    first = push(orthanc, study)
    assert first["State"] == "Success", first
    before = facility.digests(factories.uid(7003))
    again = push(orthanc, study)
    assert again["State"] == "Success", again
    assert facility.digests(factories.uid(7003)) == before
    assert len(before) == 12
