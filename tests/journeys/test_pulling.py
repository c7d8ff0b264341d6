"""A new physician's machines fetch what a patient lends by link, over real HTTP, and no longer once she stops."""

from __future__ import annotations

import html
import re
import secrets
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from dicomweb_client.api import DICOMwebClient

from tests import factories
from tests.journeys.conftest import ROOT, Site, free_port
from tests.journeys.orthancs import knowing_lightbox, orthanc_with

pytestmark = pytest.mark.journey
PASSWORD = "correct horse battery staple"
SLICES = 12
# What may still come: the block that is asked for every 4 MiB, and what the kernel's socket buffers hold already.
BLOCK, STILL_COMES = 256 * 1024, 16 * 2**20


def published(site: Site, slices: int = SLICES, size: int = 64) -> tuple[str, str, requests.Session]:
    """A study in its patient's hands: its id, its UID, and her session."""
    facility = site.manage("facility", "add", f"Pulling {secrets.token_hex(4)}")
    study, patient_id = secrets.randbits(30), secrets.token_hex(4)
    content_type, body = factories.related(factories.ct_series(slices, study=study, size=size, PatientID=patient_id))
    headers = {"Authorization": f"Bearer {facility['key']}", "Content-Type": content_type}
    assert requests.post(f"{site.url}/dicom-web/studies", data=body, headers=headers, timeout=120).status_code == 200
    site.ready(facility["key"], factories.uid(study))
    code = site.manage("claimcode", facility["slug"], patient_id)
    email = f"{secrets.token_hex(6)}@example.org"
    site.manage("account", "add", email, "--password", PASSWORD)
    patient = site.sign_in(email, PASSWORD)
    assert site.claim(patient, code["code"], code["birth_date"]).status_code == 303
    (mine,) = patient.get(f"{site.url}/api/v1/studies/", timeout=30).json()
    return mine["id"], factories.uid(study), patient


def link_to(site: Site, patient: requests.Session, study: str) -> dict[str, Any]:
    """A link with a passcode and leave to download, as the API answers it."""
    body = {
        "studies": [study],
        "to": {"kind": "link", "whom": "Dr Lee"},
        "rights": ["view", "download"],
        "expires_at": (datetime.now(tz=UTC) + timedelta(days=1)).isoformat(),
        "passcode": True,
    }
    answer = patient.post(f"{site.url}/api/v1/grants/", json=body, headers=token_of(patient), timeout=30)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def opened(site: Site, link: dict[str, Any]) -> requests.Session:
    """A browser of nobody in particular that has opened the link."""
    page, _, secret = str(link["url"]).partition("#")
    guest = requests.Session()
    guest.get(page, timeout=30)
    form = {"secret": secret, "passcode": link["passcode"], "csrfmiddlewaretoken": guest.cookies["csrftoken"]}
    answer = guest.post(f"{page}/open", data=form, timeout=30, allow_redirects=False)
    assert answer.status_code == 303
    return guest


def stop(site: Site, patient: requests.Session, link: dict[str, Any]) -> None:
    answer = patient.delete(f"{site.url}/api/v1/grants/{link['id']}/", headers=token_of(patient), timeout=30)
    assert answer.status_code == 204


def token_of(session: requests.Session) -> dict[str, str]:
    return {"X-CSRFToken": session.cookies["csrftoken"]}


def base_for(site: Site, guest: requests.Session, study: str) -> str:
    """The address that "Put it in my PACS" shows."""
    form = {"csrfmiddlewaretoken": guest.cookies["csrftoken"]}
    page = guest.post(f"{site.url}/studies/{study}/pull/", data=form, timeout=30)
    (base,) = re.findall(r"data-base>([^<]+)<", page.text)
    return html.unescape(base)


def test_orthanc_fetches_a_lent_study_and_no_longer_once_it_is_stopped(site: Site) -> None:
    study, study_uid, patient = published(site)
    link = link_to(site, patient, study)
    base = base_for(site, opened(site, link), study)
    with orthanc_with(**knowing_lightbox(base, {})) as orthanc:
        wanted = {"Resources": [{"Study": study_uid}], "Synchronous": True}
        got = requests.post(f"{orthanc.url}/dicom-web/servers/lightbox/retrieve", json=wanted, timeout=120)
        assert got.status_code == 200, got.text
        assert len(requests.get(f"{orthanc.url}/instances", timeout=30).json()) == SLICES
        (told,) = [
            one
            for one in patient.get(f"{site.url}/api/v1/activity/", timeout=30).json()
            if one["what"] == "downloaded the study"
        ]
        assert told["who"] == "Somebody with the link for Dr Lee"
        stop(site, patient, link)
        assert requests.get(f"{base}/studies/{study_uid}", timeout=30).status_code == 404
        again = requests.post(f"{orthanc.url}/dicom-web/servers/lightbox/retrieve", json=wanted, timeout=120)
        assert again.status_code != 200


def test_dicomweb_client_fetches_a_lent_study_as_it_is(site: Site) -> None:
    study, study_uid, patient = published(site)
    link = link_to(site, patient, study)
    client = DICOMwebClient(base_for(site, opened(site, link), study))
    (row,) = client.search_for_studies()
    assert row["0020000D"]["Value"] == [study_uid]
    assert len(client.retrieve_study(study_uid)) == SLICES
    assert len(client.retrieve_study_metadata(study_uid)) == SLICES
    stop(site, patient, link)
    with pytest.raises(requests.HTTPError) as refused:
        client.retrieve_study_metadata(study_uid)
    assert refused.value.response.status_code == 404


def test_a_practices_gateway_stores_what_is_lent_and_the_patient_gets_a_receipt(site: Site, tmp_path: Path) -> None:
    """By the code on the sheet: under the practice's own patient, and nothing of the foreign number is lost."""
    study, study_uid, patient = published(site)
    link, port = link_to(site, patient, study), free_port()
    with orthanc_with(DicomServerEnabled=True, DicomPort=port, DicomAet="PACS") as orthanc:
        config = tmp_path / "gateway.toml"
        config.write_text(
            f'[portal]\nurl = "{site.url}"\n[archive]\nae_title = "PACS"\nhost = "127.0.0.1"\nport = {port}\n'
            f'issuer = "ELM"\npractice = "Elm Street Practice"\n'
        )
        command = [sys.executable, "-m", "gateway", "fetch", str(config), "--code", link["code"], "--yes"]
        command += ["--passcode", link["passcode"], "--patient-id", "4711", "--name", "Dr Kim"]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        assert f"{SLICES} stored, 0 not. The patient was told." in run.stdout
        (stored,) = requests.get(f"{orthanc.url}/studies?expand", timeout=30).json()
        assert stored["MainDicomTags"]["StudyInstanceUID"] == study_uid
        assert stored["PatientMainDicomTags"]["PatientID"] == "4711"
        assert len(requests.get(f"{orthanc.url}/instances", timeout=30).json()) == SLICES
    told = {one["what"]: one["who"] for one in patient.get(f"{site.url}/api/v1/activity/", timeout=30).json()}
    who = "Dr Kim, Elm Street Practice, as they call themselves, with the link for Dr Lee"
    assert told["stored the exam in their own archive"] == who
    stop(site, patient, link)
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "This sharing was stopped." in again.stderr


def test_a_stopped_link_cuts_the_download_that_runs(site: Site) -> None:
    study, _uid, patient = published(site, slices=96, size=512)
    link = link_to(site, patient, study)
    guest = opened(site, link)
    download = guest.get(f"{site.url}/studies/{study}/download/", stream=True, timeout=120)
    whole, blocks = int(download.headers["Content-Length"]), download.iter_content(BLOCK)
    next(blocks)
    stop(site, patient, link)
    stopped, still = time.monotonic(), list[bytes]()
    with pytest.raises(requests.exceptions.RequestException):  # cut off, not ended as if it were whole
        still.extend(blocks)
    assert sum(map(len, still)) <= STILL_COMES < whole
    assert time.monotonic() - stopped < 10
    assert guest.get(f"{site.url}/studies/{study}/download/", timeout=30).status_code == 404
