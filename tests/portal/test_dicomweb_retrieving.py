"""WADO-RS over Maria's study: bytes as they were published, in the form that was asked for, to whom they are due."""

from __future__ import annotations

import gzip
import json
from email.parser import BytesParser
from email.policy import compat32
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from django.test import Client
from PIL import Image
from pydicom import dcmread
from pytest_django import Settings

from accounts.audit import Action, Actor
from accounts.errors import Unavailable
from accounts.models import AuditEvent
from sharing import releases
from sharing.models import Link
from studies import intake, native, pipeline, sandbox
from studies.models import FacilityPatient, Study
from tests import factories
from tests.cast import Cast
from tests.portal.published import Published, publish_for
from tests.studies.documents_made import radiology_report

JSON = "application/dicom+json"
XML = 'multipart/related; type="application/dicom+xml"'
STORED = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
OHIF = "multipart/related; type=application/octet-stream; transfer-syntax=*"


@pytest.fixture
def published(cast: Cast, tmp_path: Path, settings: Settings) -> Published:
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()
    return publish_for(cast)


@pytest.fixture
def maria(client: Client, cast: Cast) -> Client:
    client.force_login(cast.maria)
    return client


FILES = factories.ct_series(3, study=9, PatientID="PUB-1")


def sop_uid(number: int) -> str:
    return str(dcmread(BytesIO(FILES[number]), stop_before_pixels=True).SOPInstanceUID)


def series_uid() -> str:
    return str(dcmread(BytesIO(FILES[0]), stop_before_pixels=True).SeriesInstanceUID)


def path(published: Published, *, number: int = 0, level: str = "instance", then: str = "") -> str:
    study = f"/dicom-web/studies/{published.study.study_uid}"
    levels = {
        "study": study,
        "series": f"{study}/series/{series_uid()}",
        "instance": f"{study}/series/{series_uid()}/instances/{sop_uid(number)}",
    }
    return levels[level] + then


def body(answer: Any) -> bytes:
    return bytes(answer.getvalue() if answer.streaming else answer.content)


def parts(answer: Any) -> list[tuple[str, bytes]]:
    """Content type and bytes of each part, taken apart by Python's own reader of messages."""
    head = f"Content-Type: {answer.headers['Content-Type']}\r\n\r\n".encode()
    message: Any = BytesParser(policy=compat32).parsebytes(head + body(answer))
    return [(part["Content-Type"], part.get_payload(decode=True)) for part in message.get_payload()]


# --- instances


def test_a_study_comes_as_it_was_published(maria: Client, published: Published) -> None:
    answer = maria.get(path(published, level="study"))
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"].startswith('multipart/related; type="application/dicom"; boundary=')
    raw = body(answer)
    assert all(raw.count(file) == 1 for file in FILES)
    assert (raw[:2], raw[-4:]) == (b"--", b"--\r\n")
    assert raw.count(b"\r\nContent-Type: application/dicom; transfer-syntax=1.2.840.10008.1.2.1\r\n") == 3


@pytest.mark.parametrize("accept", ["application/dicom", "application/dicom; transfer-syntax=*"])
def test_one_instance_comes_alone_when_it_is_asked_for_so(maria: Client, published: Published, accept: str) -> None:
    answer = maria.get(path(published, number=1), headers={"Accept": accept})
    assert answer.headers["Content-Type"] == "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"
    assert body(answer) == FILES[1]


def test_a_program_in_the_preamble_does_not_leave(maria: Client, cast: Cast, published: Published) -> None:
    file = factories.ct_file(7, study=9, PatientID="PUB-1")
    intake.publish(cast.lakeside, [[b"MZ" + b"\x90" * 126 + file[128:]]])
    pipeline.advance(published.study.pk, at_once=True)
    uid = dcmread(BytesIO(file), stop_before_pixels=True).SOPInstanceUID
    where = f"{path(published, level='series')}/instances/{uid}"
    answer = maria.get(where, headers={"Accept": "application/dicom"})
    assert body(answer) == bytes(128) + file[128:]
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{uid}.dcm"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_form_that_does_not_exist_is_refused_with_those_that_do(maria: Client, published: Published) -> None:
    answer = maria.get(path(published), headers={"Accept": "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.90"})
    assert answer.status_code == 406
    assert "application/dicom" in answer.json()["hint"]


def test_a_study_that_is_arriving_is_worth_asking_for_again(maria: Client, published: Published) -> None:
    Study.objects.filter(pk=published.study.pk).update(state=Study.State.STORED)
    answer = maria.get(path(published, level="study"))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert maria.get(path(published, then="/frames/1"), headers={"Accept": STORED}).status_code == 200


# --- metadata


def test_metadata_is_an_array_at_every_level(maria: Client, published: Published) -> None:
    for level, count in (("study", 3), ("series", 3), ("instance", 1)):
        answer = maria.get(path(published, level=level, then="/metadata"))
        assert answer.headers["Content-Type"] == JSON
        assert len(json.loads(body(answer))) == count


@pytest.mark.parametrize("accept", [XML, f"text/html, {XML}; q=0.9, {JSON}; q=0.1", "multipart/related"])
def test_metadata_in_xml_is_a_part_for_each_instance(maria: Client, published: Published, accept: str) -> None:
    for level, count in (("study", 3), ("series", 3), ("instance", 1)):
        where = path(published, level=level, then="/metadata")
        told = parts(maria.get(where, headers={"Accept": accept}))
        assert [kind for kind, _ in told] == ["application/dicom+xml"] * count
        objects = json.loads(body(maria.get(where)))
        assert [content for _, content in told] == [native.document(one) for one in objects]
        assert all(uri in content.decode() for uri, (_, content) in zip(pixels_of(objects), told, strict=True))


def pixels_of(objects: list[Any]) -> list[str]:
    return [str(one["7FE00010"]["BulkDataURI"]) for one in objects]


@pytest.mark.parametrize("accept", ["*/*", f"{JSON}, {XML}", "application/json", f"{XML}; q=0.5, */*"])
def test_metadata_is_json_where_that_is_as_good(maria: Client, published: Published, accept: str) -> None:
    answer = maria.get(path(published, level="series", then="/metadata"), headers={"Accept": accept})
    assert answer.headers["Content-Type"] == JSON


def test_metadata_in_no_form_that_there_is_names_both(maria: Client, published: Published) -> None:
    answer = maria.get(path(published, then="/metadata"), headers={"Accept": "text/html"})
    assert answer.status_code == 406
    assert JSON in answer.json()["hint"]
    assert XML in answer.json()["hint"]


def test_metadata_in_xml_waits_for_the_sandbox_before_it_begins(
    maria: Client, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy() -> dict[str, str]:
        raise Unavailable(retry_after=5)

    monkeypatch.setattr(native, "_keywords", busy)
    answer = maria.get(path(published, level="series", then="/metadata"), headers={"Accept": XML})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_metadata_says_where_the_pixels_are(maria: Client, published: Published, settings: Settings) -> None:
    (said,) = json.loads(body(maria.get(path(published, then="/metadata"))))
    assert said["00080018"] == {"vr": "UI", "Value": [sop_uid(0)]}
    where = said["7FE00010"]["BulkDataURI"]
    assert where == f"{settings.PUBLIC_URL}{path(published)}/bulkdata/7FE00010"
    pixels = maria.get(where.removeprefix(settings.PUBLIC_URL), headers={"Accept": "application/octet-stream"})
    assert body(pixels) == dcmread(BytesIO(FILES[0])).PixelData


@pytest.mark.parametrize(
    ("asked", "status", "content", "said"),
    [
        ("", 200, slice(None), None),
        ("bytes=0-9", 206, slice(0, 10), "bytes 0-9/8192"),
        ("bytes=8000-", 206, slice(8000, None), "bytes 8000-8191/8192"),
        ("bytes=-100", 206, slice(8092, None), "bytes 8092-8191/8192"),
        ("bytes=8000-99999", 206, slice(8000, None), "bytes 8000-8191/8192"),
        ("bytes=8192-", 416, None, None),
        ("bytes=-0", 416, None, None),
        ("bytes=9-3", 200, slice(None), None),
        ("bytes=0-1,5-6", 200, slice(None), None),
        ("letters=0-1", 200, slice(None), None),
    ],
)
def test_a_range_of_a_long_value(
    maria: Client, cast: Cast, asked: str, status: int, content: slice | None, said: str | None
) -> None:
    value = bytes(range(256)) * 32
    file = factories.ct_file(1, study=30, PatientID="MRN-RANGE", RedPaletteColorLookupTableData=value)
    intake.publish(cast.lakeside, [[file]])
    study = Study.objects.get(facility=cast.lakeside, study_uid=factories.uid(30))
    pipeline.advance(study.pk, at_once=True)
    Link.objects.create(patient=study.patient, record=cast.maria.record, claimed_by=cast.maria)
    releases.release_ready(study.patient, actor=Actor.facility(cast.lakeside))
    one = study.instances.select_related("series").get()
    where = f"/dicom-web/studies/{study.study_uid}/series/{one.series.series_uid}/instances/{one.sop_uid}"
    headers = {"Accept": "application/octet-stream", "Range": asked}
    answer = maria.get(f"{where}/bulkdata/00281201", headers=headers)
    assert answer.status_code == status
    assert answer.headers.get("Content-Range") == said
    if content is not None:
        assert body(answer) == value[content]
        assert answer.headers["Content-Length"] == str(len(value[content]))


# --- frames


@pytest.mark.parametrize("accept", [STORED, OHIF, "*/*", "*", 'multipart/related; type="*/*"', "multipart/related"])
def test_a_frame_comes_as_clients_ask_for_it(maria: Client, published: Published, accept: str) -> None:
    answer = maria.get(path(published, then="/frames/1"), headers={"Accept": accept})
    ((content_type, frame),) = parts(answer)
    assert content_type == "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
    assert frame == dcmread(BytesIO(FILES[0])).PixelData


@pytest.mark.parametrize(("numbers", "status"), [("0", 400), ("x", 400), ("1,", 400), ("2", 404), ("1,9", 404)])
def test_frames_that_are_none_are_refused(maria: Client, published: Published, numbers: str, status: int) -> None:
    assert maria.get(path(published, then=f"/frames/{numbers}")).status_code == status


# --- pictures


@pytest.mark.parametrize("what", ["/rendered", "/thumbnail"])
def test_pictures_of_an_exam_with_words_in_it_are_no_reading(
    maria: Client, cast: Cast, published: Published, what: str
) -> None:
    """Who is given pictures has read no report, and the patient is not told that somebody has."""
    hers: dict[str, Any] = {"StudyInstanceUID": published.study.study_uid, "PatientID": "PUB-1"}
    assert intake.publish(cast.lakeside, [[radiology_report(**hers)]]).stored
    pipeline.advance(published.study.pk, at_once=True)
    assert len(json.loads(body(maria.get(path(published, level="study", then="/metadata"))))) == 4
    read = AuditEvent.objects.filter(action=Action.REPORT_VIEWED).count()
    assert read == 1
    maria.force_login(cast.tom)
    assert maria.get(path(published, level="study", then=what)).status_code == 200
    assert AuditEvent.objects.filter(action=Action.REPORT_VIEWED).count() == read


@pytest.mark.parametrize("level", ["study", "series"])
def test_every_picture_of_a_study_or_series(maria: Client, published: Published, level: str) -> None:
    answer = maria.get(path(published, level=level, then="/rendered"))
    pictures = parts(answer)
    assert [kind for kind, _ in pictures] == ["image/jpeg"] * 3
    shown = maria.get(f"/studies/{published.study.pk}/series/{published.series_id}/preview/2/")
    assert pictures[1][1] == body(shown)
    refused = maria.get(path(published, level=level, then="/rendered"), headers={"Accept": "image/jpeg"})
    assert refused.status_code == 406


@pytest.mark.parametrize(
    ("viewport", "is_made"), [("64,64", False), ("900,200", False), ("63,64", True), ("64,63", True)]
)
def test_what_was_made_before_anybody_asked_is_not_made_again(
    maria: Client, published: Published, viewport: str, is_made: bool
) -> None:
    with mock.patch.object(sandbox, "run", wraps=sandbox.run) as asked:
        seen = body(maria.get(path(published, then="/rendered"), {"viewport": viewport}))
    assert asked.called == is_made
    shown = body(maria.get(f"/studies/{published.study.pk}/series/{published.series_id}/preview/1/"))
    assert (seen == shown) != is_made


def test_a_picture_fits_into_the_viewport(maria: Client, published: Published) -> None:
    answer = maria.get(path(published, then="/rendered"), {"viewport": "16,16"})
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert max(Image.open(BytesIO(body(answer))).size) == 16


def test_a_window_makes_another_picture(maria: Client, published: Published) -> None:
    looks = ["0,1000,linear", "300,1000,linear"]
    lighter, darker = (
        np.asarray(Image.open(BytesIO(body(maria.get(path(published, then="/rendered"), {"window": look})))))
        for look in looks
    )
    assert lighter.mean() > darker.mean() + 20


@pytest.mark.parametrize("level", ["study", "series", "instance"])
def test_a_thumbnail_stands_for_each_level(maria: Client, published: Published, level: str) -> None:
    answer = maria.get(path(published, level=level, then="/thumbnail"), headers={"Accept": "image/jpeg"})
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert max(Image.open(BytesIO(body(answer))).size) <= 256


@pytest.mark.parametrize(
    "query", ["viewport=0,1", "viewport=a", "quality=0", "quality=101", "window=1", "window=1,0,linear"]
)
def test_a_look_that_makes_no_sense_is_refused(maria: Client, published: Published, query: str) -> None:
    assert maria.get(f"{path(published, then='/rendered')}?{query}").status_code == 400


# --- who, and what is written down


def test_a_look_is_written_down_once(maria: Client, published: Published) -> None:
    for _ in range(3):
        body(maria.get(path(published, then="/frames/1")))
    looks = AuditEvent.objects.filter(study_id=published.study.pk, action=Action.VIEWED, way="dicomweb")
    assert looks.count() == 1


def test_what_was_taken_back_is_gone_for_its_patient_and_nothing_to_others(
    maria: Client, cast: Cast, published: Published
) -> None:
    releases.withdraw(published.study, "wrong patient", actor=Actor.facility(cast.lakeside))
    assert maria.get(path(published)).status_code == 410
    maria.force_login(cast.eve)
    assert maria.get(path(published)).status_code == 404


def test_of_two_studies_with_one_uid_the_newest_is_given_whole(maria: Client, cast: Cast, published: Published) -> None:
    """Hilltop publishes under the same UIDs: the bare base has its study, and each has a base of its own."""
    theirs = [factories.ct_file(study=9, PatientID="HILL-1", SOPInstanceUID=sop_uid(0), SeriesInstanceUID=series_uid())]
    intake.publish(cast.hilltop, [[file] for file in theirs])
    twin = Study.objects.get(facility=cast.hilltop)
    pipeline.advance(twin.pk, at_once=True)
    patient = FacilityPatient.objects.get(facility=cast.hilltop, patient_id="HILL-1")
    Link.objects.create(patient=patient, record=cast.maria.record, claimed_by=cast.maria)
    releases.release_ready(patient, actor=Actor.facility(cast.hilltop))
    (found,) = json.loads(body(maria.get("/dicom-web/studies", {"StudyInstanceUID": twin.study_uid})))
    assert found["00100020"]["Value"] == ["HILL-1"]
    assert body(maria.get(path(published), headers={"Accept": "application/dicom"})) == theirs[0]
    hers = maria.get(f"/studies/{published.study.pk}{path(published)}", headers={"Accept": "application/dicom"})
    assert body(hers) == FILES[0]


def test_packed_metadata_of_a_series_is_the_same(maria: Client, published: Published) -> None:
    where = path(published, level="series", then="/metadata")
    plain = json.loads(body(maria.get(where)))
    for _again in range(2):
        answer = maria.get(where, headers={"Accept-Encoding": "gzip"})
        assert answer.headers["Content-Encoding"] == "gzip"
        assert json.loads(gzip.decompress(body(answer))) == plain
    published.first.series.instances.filter(pk=published.first.pk).update(rejected_at=published.study.received_at)
    fewer = maria.get(where, headers={"Accept-Encoding": "gzip"})
    assert len(json.loads(gzip.decompress(body(fewer)))) == len(plain) - 1
