"""From a facility's own tools to the picture in the patient's hands, over real HTTP."""

from __future__ import annotations

import hashlib
import io
import secrets
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest
import requests
from dicomweb_client.api import DICOMwebClient

from tests import factories
from tests.journeys.conftest import Site

pytestmark = pytest.mark.journey
PASSWORD = "correct horse battery staple"


@dataclass
class Facility:
    """A facility of the running site, and its key."""

    slug: str
    key: str

    def client(self, site: Site) -> DICOMwebClient:
        """PyPI's dicomweb-client, as a facility's tool would use it."""
        headers = {"Authorization": f"Bearer {self.key}"}
        return DICOMwebClient(f"{site.url}/dicom-web", headers=headers)

    def post(self, site: Site, files: list[bytes]) -> requests.Response:
        """One chunked STOW-RS request: a generator has no length, so requests sends it in chunks."""
        content_type, body = factories.related(files)
        blocks = (body[start : start + 65536] for start in range(0, len(body), 65536))
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": content_type}
        return requests.post(f"{site.url}/dicom-web/studies", data=blocks, headers=headers, timeout=120)


@pytest.fixture
def facility(site: Site) -> Facility:
    """A facility of its own for each journey."""
    made = site.manage("facility", "add", f"Journey {secrets.token_hex(4)}")
    return Facility(made["slug"], made["key"])


def person(site: Site) -> requests.Session:
    """Somebody with a verified account, signed in."""
    email = f"{secrets.token_hex(6)}@example.org"
    site.manage("account", "add", email, "--password", PASSWORD)
    return site.sign_in(email, PASSWORD)


def take_home(site: Site, session: requests.Session, study: str) -> zipfile.ZipFile:
    """The study's ZIP, whole and checked."""
    answer = session.get(f"{site.url}/studies/{study}/download/", timeout=120)
    assert answer.status_code == 200
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    return archive


def originals(archive: zipfile.ZipFile) -> set[str]:
    """sha256 of every file in the ZIP."""
    return {hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}


def claimed_study(site: Site, session: requests.Session) -> str:
    """The id of the only study a person has."""
    (study,) = session.get(f"{site.url}/api/v1/studies/", timeout=30).json()
    return str(study["id"])


def test_a_study_published_in_chunks_is_in_the_patients_hands(site: Site, facility: Facility) -> None:
    files = factories.ct_series(200, study=200, size=256, PatientID="J-200")
    study_uid = factories.uid(200)
    answer = facility.post(site, files)
    last_byte = time.monotonic()
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["00081199"]["Value"]) == 200
    receipt = site.ready(facility.key, study_uid)
    waited = time.monotonic() - last_byte
    assert {row["sha256"] for row in receipt["instances"]} == {hashlib.sha256(file).hexdigest() for file in files}

    code = site.manage("claimcode", facility.slug, "J-200")
    session = person(site)
    assert site.claim(session, code["code"], code["birth_date"]).status_code == 303
    study = claimed_study(site, session)
    page = session.get(f"{site.url}/studies/{study}/view/", timeout=30)
    assert page.status_code == 200
    manifest = session.get(f"{site.url}/studies/{study}/manifest/", timeout=30).json()
    assert [row["count"] for row in manifest["series"]] == [200]
    picture = session.get(site.url + manifest["series"][0]["pictures"].replace("{n}", "100"), timeout=30)
    assert picture.headers["Content-Type"] == "image/jpeg"
    assert picture.content.startswith(b"\xff\xd8")
    assert {hashlib.sha256(file).hexdigest() for file in files} <= originals(take_home(site, session, study))
    print(f"ready {waited:.1f} s after the last byte")


def test_a_real_ct_series_stored_by_dicomweb_client_comes_back_unchanged(
    site: Site, facility: Facility, samples: Path
) -> None:
    paths = sorted((samples / "study-ct-liver-crlm1004").glob("*.dcm"))
    datasets = [pydicom.dcmread(path) for path in paths]
    facility.client(site).store_instances(datasets)
    site.ready(facility.key, str(datasets[0].StudyInstanceUID))
    raw = [path.read_bytes() for path in paths]
    assert facility.post(site, raw).status_code in (200, 202)
    patient = str(datasets[0].PatientID)
    code = site.manage("claimcode", facility.slug, patient, "--birth-date", "1960-01-01")
    session = person(site)
    assert site.claim(session, code["code"], code["birth_date"]).status_code == 303
    site.ready(facility.key, str(datasets[0].StudyInstanceUID))
    archive = take_home(site, session, claimed_study(site, session))
    assert {hashlib.sha256(file).hexdigest() for file in raw} <= originals(archive)


def test_a_code_printed_before_the_images_brings_them_when_they_come(site: Site, facility: Facility) -> None:
    code = site.manage("claimcode", facility.slug, "EARLY-1", "--name", "Zebrafish^Early", "--birth-date", "1980-05-17")
    session = person(site)
    assert site.claim(session, code["code"], "1980-05-17").status_code == 303
    assert session.get(f"{site.url}/api/v1/studies/", timeout=30).json() == []
    files = factories.ct_series(3, study=3, PatientID="EARLY-1")
    assert facility.post(site, files).status_code == 200
    site.ready(facility.key, factories.uid(3))
    assert claimed_study(site, session)
