"""One site, and one patient of it whose studies every client reads."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
import requests

from portal.ohif.package import NOT_FOR_LONG, NotFetched, npm
from tests import factories
from tests.journeys.conftest import Site, site

__all__ = ["site"]

LISTED: Final = Path(__file__).parent / "npm"
PASSWORD = "a long and quiet winter"


@dataclass
class Reader:
    """A patient who is signed in, whose facility publishes what a test needs."""

    site: Site
    slug: str
    key: str
    patient_id: str
    email: str
    session: requests.Session = field(repr=False)

    @property
    def base(self) -> str:
        """The root of DICOMweb."""
        return f"{self.site.url}/dicom-web"

    @property
    def cookie(self) -> str:
        """Her session, as a header's value."""
        return "; ".join(f"{name}={value}" for name, value in self.session.cookies.items())

    def published(self, files: Sequence[bytes], study_uid: str) -> None:
        """Publish, and wait until it is ready."""
        content_type, body = factories.related(files)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": content_type}
        answer = requests.post(f"{self.base}/studies", body, headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text
        self.site.ready(self.key, study_uid)


@pytest.fixture(scope="module")
def reader(site: Site) -> Reader:
    """She has claimed before anything comes; what comes is hers at once."""
    facility = site.manage("facility", "add", f"Clients {secrets.token_hex(4)}")
    patient_id, email = f"CLIENT-{secrets.token_hex(4)}", f"{secrets.token_hex(6)}@example.org"
    site.manage("account", "add", email, "--password", PASSWORD)
    code = site.manage("claimcode", facility["slug"], patient_id, "--birth-date", "1980-05-17")
    session = site.sign_in(email, PASSWORD)
    assert site.claim(session, code["code"], code["birth_date"]).status_code == 303
    return Reader(site, facility["slug"], facility["key"], patient_id, email, session)


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what is listed, as its digests say."""
    folder = tmp_path_factory.mktemp("npm")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(LISTED / name, folder)
    try:
        done = subprocess.run(
            [*npm(folder), "ci", "--ignore-scripts", "--no-audit", "--no-fund", *NOT_FOR_LONG],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    except NotFetched as missing:
        pytest.skip(str(missing))
    if "EINTEGRITY" in done.stderr:
        pytest.fail(done.stderr)
    if done.returncode:
        pytest.skip(f"npm could not fetch what others publish: {done.stderr[-300:]}")
    return folder
