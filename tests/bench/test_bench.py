"""A benchmark that measures something else than it says is worse than none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from threading import Thread

import pytest
from imagecodecs import jpegls_decode
from pydicom import dcmread
from pydicom.encaps import generate_frames
from pydicom.uid import JPEGLSLossless

from bench.client import Connection, latencies, slow_readers
from bench.corpus import Study, chest, compressed, head, many
from bench.table import Table
from bench.trials import Measure

PICTURE = b"picture" * 1_000_000


class Pictures(BaseHTTPRequestHandler):
    """Has one picture, and nothing under one address, for who shows a cookie."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b"" if self.path == "/empty" else PICTURE
        self.send_response(200 if self.headers.get("Cookie") else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(ConnectionError):  # who reads slowly goes before the end
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""


@pytest.fixture
def port() -> Iterator[int]:
    """Where pictures are served."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Pictures) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, args=[0.01]).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(scope="module")
def study() -> Study:
    return chest(2)


def test_a_study_sent_again_is_another_one_of_the_same_pictures(study: Study) -> None:
    again = study.again().again(patient_id="BENCH-2")
    assert again.uid not in (study.uid, study.again().uid)
    for one, other in zip(study.instances, again.instances, strict=True):
        before, after = dcmread(BytesIO(one.file)), dcmread(BytesIO(other.file))
        assert after.PixelData == before.PixelData
        assert after.PatientID == "BENCH-2"
        assert (after.StudyInstanceUID, after.SeriesInstanceUID, after.SOPInstanceUID) == (
            again.uid,
            other.series_uid,
            other.sop_uid,
        )
        assert after.file_meta.MediaStorageSOPInstanceUID == other.sop_uid != one.sop_uid


def test_what_is_compressed_shows_the_same_pictures(study: Study) -> None:
    for one, other in zip(study.instances, compressed(study).again().instances, strict=True):
        before, after = dcmread(BytesIO(one.file)), dcmread(BytesIO(other.file))
        assert after.file_meta.TransferSyntaxUID == JPEGLSLossless
        shown = jpegls_decode(next(generate_frames(after.PixelData, number_of_frames=1)))
        assert (shown == before.pixel_array).all()
        assert len(other.file) < len(one.file)


def test_a_head_is_another_study_than_a_chest(study: Study) -> None:
    other = head(1)
    assert other.uid != study.uid
    assert other.again().uid not in (other.uid, study.uid)


def test_so_many_bytes_are_ever_new_studies(study: Study) -> None:
    given = list(many(study, study.size * 2 + 1))
    assert len({one.uid for one in given}) == 3


def test_every_instance_is_sent_once(study: Study) -> None:
    bodies = [body for _type, body in study.requests(3)]
    assert [body.count(b"Content-Type: application/dicom") for body in bodies] == [3, 1]
    assert all(sum(one.file in body for body in bodies) == 1 for one in study.instances)


def test_a_refusal_is_no_measurement(port: int) -> None:
    with Connection(port, {}) as connection, pytest.raises(RuntimeError, match="403"):
        connection.get("/")


def test_a_whole_answer_is_read(port: int) -> None:
    with Connection(port, {"Cookie": "a=b"}) as connection:
        answer = connection.get("/")
    assert answer.length == len(PICTURE)
    assert answer.first <= answer.whole


def test_every_get_has_its_time(port: int) -> None:
    assert len(latencies(port, {"Cookie": "a=b"}, ["/1", "/2"], at_once=3, each=4)) == 12


def test_downloads_that_are_refused_are_no_load(port: int) -> None:
    with pytest.raises(RuntimeError), slow_readers(port, [({}, "/")] * 2):
        pytest.fail("nothing was downloaded")


def test_slow_downloads_run_meanwhile(port: int) -> None:
    with slow_readers(port, [({"Cookie": "a=b"}, "/")] * 2):
        assert len(latencies(port, {"Cookie": "a=b"}, ["/"], at_once=1, each=1)) == 1


def test_downloads_that_end_too_soon_are_no_load(port: int) -> None:
    with pytest.raises(RuntimeError, match="too soon"), slow_readers(port, [({"Cookie": "a=b"}, "/empty")]):
        pass


def test_above_one_lightbox_is_better() -> None:
    speed, delay, ours = Measure("speed", "MB/s", more_is_better=True), Measure("delay", "ms"), Measure("page", "ms")
    table = Table(["Lightbox", "Other"], "2 × processor")
    for server, factor in (("Lightbox", 1), ("Other", 2)):
        for value in (10, 30, 20):
            table.note(server, speed, value / factor)
            table.note(server, delay, value * factor)
    table.note("Lightbox", ours, 0.123456)
    assert str(table).splitlines()[-3:] == [
        "| speed | MB/s | 20 [10–30] | 10 [5–15] | 2× |",
        "| delay | ms | 20 [10–30] | 40 [20–60] | 2× |",
        "| page | ms | 0.123 | – | – |",
    ]
