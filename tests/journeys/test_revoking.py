"""A patient stops sharing while the other downloads: over real sockets, with a server that knows nothing of tests."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime, timedelta

import pytest
import requests

from tests import factories
from tests.journeys.conftest import Site

pytestmark = pytest.mark.journey
PASSWORD = "correct horse battery staple"
BLOCK = 256 * 1024
# What may still come: the block that is asked for every 4 MiB, and what the kernel's socket buffers hold already.
STILL_COMES = 16 * 2**20
SLICES, SIDE = 96, 512  # 48 MiB


def _account(site: Site) -> tuple[str, requests.Session]:
    email = f"{secrets.token_hex(6)}@example.org"
    site.manage("account", "add", email, "--password", PASSWORD)
    return email, site.sign_in(email, PASSWORD)


def _published(site: Site) -> tuple[str, requests.Session]:
    """A large study in its patient's hands: its id, and her session."""
    facility = site.manage("facility", "add", f"Revoking {secrets.token_hex(4)}")
    study = secrets.randbits(30)
    files = factories.ct_series(SLICES, study=study, size=SIDE, PatientID="R-1")
    content_type, body = factories.related(files)
    headers = {"Authorization": f"Bearer {facility['key']}", "Content-Type": content_type}
    assert requests.post(f"{site.url}/dicom-web/studies", data=body, headers=headers, timeout=120).status_code == 200
    site.ready(facility["key"], factories.uid(study))
    code = site.manage("claimcode", facility["slug"], "R-1")
    _, patient = _account(site)
    assert site.claim(patient, code["code"], code["birth_date"]).status_code == 303
    (mine,) = patient.get(f"{site.url}/api/v1/studies/", timeout=30).json()
    return mine["id"], patient


def _lend(site: Site, patient: requests.Session, study: str, email: str) -> str:
    body = {
        "studies": [study],
        "to": {"kind": "email", "email": email},
        "rights": ["view", "download"],
        "expires_at": (datetime.now(tz=UTC) + timedelta(days=1)).isoformat(),
    }
    answer = patient.post(f"{site.url}/api/v1/grants/", json=body, headers=_token(patient), timeout=30)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def _token(session: requests.Session) -> dict[str, str]:
    return {"X-CSRFToken": session.cookies["csrftoken"]}


def test_a_running_download_stops_with_the_click_and_the_next_is_refused(site: Site) -> None:
    study, patient = _published(site)
    email, friend = _account(site)
    grant = _lend(site, patient, study, email)
    address = f"{site.url}/studies/{study}/download/"
    theirs, own = (session.get(address, stream=True, timeout=30) for session in (friend, patient))
    blocks, whole = theirs.iter_content(BLOCK), int(theirs.headers["Content-Length"])
    next(blocks)
    stop = patient.delete(f"{site.url}/api/v1/grants/{grant}/", headers=_token(patient), timeout=30)
    clicked, still = time.monotonic(), list[bytes]()
    assert stop.status_code == 204
    with pytest.raises(requests.exceptions.RequestException):  # cut off, not ended as if it were whole
        still.extend(blocks)
    assert sum(map(len, still)) <= STILL_COMES < whole
    assert time.monotonic() - clicked < 10
    assert friend.get(address, timeout=30).status_code == 404
    assert sum(map(len, own.iter_content(BLOCK))) == int(own.headers["Content-Length"]), "her own goes on"
    told = patient.get(f"{site.url}/api/v1/activity/?study={study}", timeout=30).json()
    assert [row["what"] for row in told if row["who"] == email] == ["downloaded the study"]
