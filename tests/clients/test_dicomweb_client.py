"""PyPI's dicomweb-client reads a study by every way it has."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicomweb_client.api import DICOMwebClient
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from requests import HTTPError

from tests import factories
from tests.clients.conftest import Reader

pytestmark = pytest.mark.journey
STUDY = factories.uid(8100)


@pytest.fixture(scope="module")
def files(reader: Reader) -> list[Dataset]:
    """Six slices that are published."""
    contents = factories.ct_series(6, study=8100, size=64, PatientID=reader.patient_id)
    reader.published(contents, STUDY)
    return [dcmread(BytesIO(content)) for content in contents]


@pytest.fixture(scope="module")
def client(reader: Reader) -> DICOMwebClient:
    return DICOMwebClient(reader.base, headers={"Cookie": reader.cookie})


def uids(dataset: Dataset) -> tuple[str, str, str]:
    return str(dataset.StudyInstanceUID), str(dataset.SeriesInstanceUID), str(dataset.SOPInstanceUID)


def test_it_searches(client: DICOMwebClient, files: list[Dataset], reader: Reader) -> None:
    (study,) = client.search_for_studies(search_filters={"StudyInstanceUID": STUDY}, fields=["StudyDescription"])
    assert study["00100020"]["Value"] == [reader.patient_id]
    (series,) = client.search_for_series(STUDY, search_filters={"Modality": "CT"})
    assert series["00201209"]["Value"] == [6]
    assert len(client.search_for_instances(STUDY)) == 6
    assert len(client.search_for_instances(STUDY, uids(files[0])[1], limit=2, offset=1)) == 2
    assert len(client.search_for_instances(STUDY, get_remaining=True, limit=2)) == 6
    assert client.search_for_studies(search_filters={"PatientID": "NOBODY"}) == []


def test_it_retrieves_files_unchanged(client: DICOMwebClient, files: list[Dataset]) -> None:
    for found in (client.retrieve_study(STUDY), client.retrieve_series(*uids(files[0])[:2])):
        assert {one.SOPInstanceUID: one.PixelData for one in found} == {
            one.SOPInstanceUID: one.PixelData for one in files
        }
    one = client.retrieve_instance(*uids(files[2]))
    assert one.to_json_dict() == files[2].to_json_dict()
    assert len(list(client.iter_study(STUDY))) == 6


def test_it_reads_metadata_and_bulk_data(client: DICOMwebClient, files: list[Dataset]) -> None:
    assert len(client.retrieve_study_metadata(STUDY)) == 6
    assert len(client.retrieve_series_metadata(*uids(files[0])[:2])) == 6
    said = client.retrieve_instance_metadata(*uids(files[1]))
    assert said["00200032"]["Value"] == [float(one) for one in files[1].ImagePositionPatient]
    (pixels,) = client.retrieve_bulkdata(said["7FE00010"]["BulkDataURI"])
    assert pixels == files[1].PixelData


@pytest.mark.parametrize(
    "media_types",
    [None, ("*/*",), ("application/octet-stream",), (("application/octet-stream", "1.2.840.10008.1.2.1"),)],
)
def test_it_reads_frames(client: DICOMwebClient, files: list[Dataset], media_types: Any) -> None:
    (frame,) = client.retrieve_instance_frames(*uids(files[3]), frame_numbers=[1], media_types=media_types)
    assert frame == files[3].PixelData


def test_it_looks_at_pictures(client: DICOMwebClient, files: list[Dataset]) -> None:
    whole = client.retrieve_instance_rendered(*uids(files[0]), media_types=("image/jpeg",))
    assert Image.open(BytesIO(whole)).size == (64, 64)
    small = client.retrieve_instance_rendered(*uids(files[0]), params={"viewport": "32,32"})
    assert Image.open(BytesIO(small)).size == (32, 32)
    frame = client.retrieve_instance_frames_rendered(*uids(files[0]), frame_numbers=[1], media_types=("image/jpeg",))
    assert Image.open(BytesIO(frame)).format == "JPEG"


def test_compressed_frames_come_as_stored_or_plain(client: DICOMwebClient, reader: Reader) -> None:
    path = Path(str(get_testdata_file("MR_small_jp2klossless.dcm", download=False)))
    dataset = dcmread(path)
    dataset.PatientID, dataset.StudyInstanceUID = reader.patient_id, factories.uid(8101)
    dataset.update(factories.whose())
    out = BytesIO()
    dataset.save_as(out)
    reader.published([out.getvalue()], factories.uid(8101))
    j2k = ("image/jp2", "1.2.840.10008.1.2.4.90")
    (stored,) = client.retrieve_instance_frames(*uids(dataset), frame_numbers=[1], media_types=(j2k,))
    assert stored.startswith(b"\xff\x4f\xff\x51")
    plain_type = ("application/octet-stream", "1.2.840.10008.1.2.1")
    (plain,) = client.retrieve_instance_frames(*uids(dataset), frame_numbers=[1], media_types=(plain_type,))
    assert np.array_equal(np.frombuffer(plain, "<i2").reshape(64, 64), dcmread(path).pixel_array)
    said = client.retrieve_instance_metadata(*uids(dataset))
    assert said["00083002"]["Value"] == ["1.2.840.10008.1.2.4.90"]


def test_it_is_told_of_what_is_not_there(client: DICOMwebClient) -> None:
    with pytest.raises(HTTPError) as refused:
        client.retrieve_study(factories.uid(404))
    assert refused.value.response.status_code == 404
