"""Orthanc asks for a patient's studies and pulls one, as a physician's PACS would."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
import requests
from pydicom import dcmread

from bench.orthanc import Orthanc
from tests import factories
from tests.clients.conftest import Reader
from tests.journeys.orthancs import knowing_lightbox, orthanc_with

pytestmark = pytest.mark.journey
STUDY = factories.uid(8200)


@pytest.fixture
def orthanc(reader: Reader) -> Iterator[Orthanc]:
    with orthanc_with(**knowing_lightbox(reader.base, {"Cookie": reader.cookie})) as running:
        yield running


def ask(orthanc: Orthanc, verb: str, **wanted: Any) -> Any:
    """One of the plugin's verbs about Lightbox."""
    answer = requests.post(f"{orthanc.url}/dicom-web/servers/lightbox/{verb}", json=wanted, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_orthanc_searches_and_pulls(reader: Reader, orthanc: Orthanc) -> None:
    files = factories.ct_series(5, study=8200, size=64, PatientID=reader.patient_id)
    reader.published(files, STUDY)
    found = ask(orthanc, "qido", Uri="/studies", Arguments={"StudyInstanceUID": STUDY})
    assert STUDY in str(found)
    assert ask(orthanc, "qido", Uri="/studies", Arguments={"PatientID": "NOBODY"}) == []
    ask(orthanc, "retrieve", Resources=[{"Study": STUDY}], Synchronous=True)
    ids = requests.get(f"{orthanc.url}/instances", timeout=30).json()
    pulled = [requests.get(f"{orthanc.url}/instances/{one}/file", timeout=30).content for one in ids]
    assert {dcmread(BytesIO(one)).PixelData for one in pulled} == {dcmread(BytesIO(one)).PixelData for one in files}
    assert len(pulled) == 5
