"""Orthanc asks for a patient's studies and pulls one, as a physician's PACS would."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import requests
from pydicom import dcmread

from bench.orthanc import Orthanc
from tests import factories
from tests.clients.conftest import Reader

pytestmark = pytest.mark.journey
STUDY = factories.uid(8200)


class PullingOrthanc(Orthanc):
    """Debian's Orthanc with Lightbox as a DICOMweb server of its own."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        super().__init__(Path("/"))
        self.url = f"http://127.0.0.1:{self.port}"

    def _configuration(self, folder: Path) -> dict[str, Any]:
        lightbox = {"Url": f"{self._reader.base}/", "HttpHeaders": {"Cookie": self._reader.cookie}}
        return {**super()._configuration(folder), "DicomWeb": {"Enable": True, "Servers": {"lightbox": lightbox}}}

    def ask(self, verb: str, **wanted: Any) -> Any:
        """One of the plugin's verbs about Lightbox."""
        answer = requests.post(f"{self.url}/dicom-web/servers/lightbox/{verb}", json=wanted, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def orthanc(reader: Reader) -> Iterator[PullingOrthanc]:
    if not Orthanc.is_in(Path("/")):
        pytest.skip("no Orthanc on this machine (.ci/packages orthanc orthanc-dicomweb)")
    running = PullingOrthanc(reader)
    running.prepare()
    yield running
    running.stop()


def test_orthanc_searches_and_pulls(reader: Reader, orthanc: PullingOrthanc) -> None:
    files = factories.ct_series(5, study=8200, size=64, PatientID=reader.patient_id)
    reader.published(files, STUDY)
    found = orthanc.ask("qido", Uri="/studies", Arguments={"StudyInstanceUID": STUDY})
    assert STUDY in str(found)
    assert orthanc.ask("qido", Uri="/studies", Arguments={"PatientID": "NOBODY"}) == []
    orthanc.ask("retrieve", Resources=[{"Study": STUDY}], Synchronous=True)
    ids = requests.get(f"{orthanc.url}/instances", timeout=30).json()
    pulled = [requests.get(f"{orthanc.url}/instances/{one}/file", timeout=30).content for one in ids]
    assert {dcmread(BytesIO(one)).PixelData for one in pulled} == {dcmread(BytesIO(one)).PixelData for one in files}
    assert len(pulled) == 5
