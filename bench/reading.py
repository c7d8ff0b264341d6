"""DICOMweb as programs read it: frames, headers, long recordings, large pictures, whole studies, searches.

The addresses are the same on every server (PS3.18), but for the room they lie in.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from time import perf_counter
from typing import Final

from bench.client import Connection, latencies
from bench.corpus import EXAM, Instance, Study
from bench.server import Server
from bench.trials import Measure, Sample, Trial

STORED: Final = {"Accept": 'multipart/related; type="application/octet-stream"; transfer-syntax=*'}
FILES: Final = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
HEADERS: Final = {"Accept": "application/dicom+json", "Accept-Encoding": "gzip"}
JPEG: Final = {"Accept": "image/jpeg"}
SCREEN: Final = "viewport=832,1024"


def frames(name: str, at_once: int, each: int) -> Trial:
    """A trial: the frames of a series one after the other, as they are stored, by so many connections."""

    def trial(server: Server, study: Study) -> Iterator[Sample]:
        paths = [f"{_address(server, one)}/frames/1" for one in study.first_series]
        began = perf_counter()
        times = latencies(server.port, server.looking | STORED, paths, at_once=at_once, each=each)
        yield (
            Measure(f"Frames {name}, {at_once} connections", "per s", more_is_better=True),
            len(times) / (perf_counter() - began),
        )
        yield Measure(f"Frame {name}, {at_once} connections: median", "ms"), median(times) * 1000

    return trial


def headers(each: int) -> Trial:
    """A trial: what all headers of a series say, the first time after it was sent and again."""

    def trial(server: Server, study: Study) -> Iterator[Sample]:
        fresh = study.again()
        server.send(fresh.requests(25))
        server.wait_for(fresh)
        path = f"{_series(server, fresh.instances[0])}/metadata"
        name = f"Metadata of {len(fresh.first_series)} instances"
        with Connection(server.port, server.looking | HEADERS) as connection:
            yield Measure(f"{name}: first", "ms"), connection.get(path).whole * 1000
            again = [connection.get(path) for _again in range(each)]
        yield Measure(f"{name}: again", "ms"), median(one.whole for one in again) * 1000
        yield Measure(f"{name}: size", "kB"), again[0].length / 1000

    return trial


def recording(name: str) -> Trial:
    """A trial: the first frame and the first picture of a long recording that has just come."""

    def trial(server: Server, study: Study) -> Iterator[Sample]:
        fresh = study.again()
        server.send(fresh.requests(1))
        server.wait_for(fresh)
        frame = f"{_address(server, fresh.instances[0])}/frames/1"
        with Connection(server.port, server.looking | STORED) as connection:
            yield Measure(f"{name}: first frame", "ms"), connection.get(frame).whole * 1000
        with Connection(server.port, server.looking | JPEG) as connection:
            yield Measure(f"{name}: first preview", "ms"), connection.get(server.pictures(fresh)[0]).whole * 1000

    return trial


def pictures(name: str, each: int) -> Trial:
    """A trial: pictures as people see them, one at a time."""

    def trial(server: Server, study: Study) -> Iterator[Sample]:
        times = latencies(server.port, server.looking, server.pictures(study), at_once=1, each=each)
        yield Measure(f"Picture {name}, as people see it: median", "ms"), median(times) * 1000

    return trial


def live(name: str, each: int) -> Trial:
    """A trial: large pictures for a screen, as they are stored and with a brightness that nobody knew before."""

    def trial(server: Server, study: Study) -> Iterator[Sample]:
        asked = {"for a screen": SCREEN, "for a screen, at another brightness": f"{SCREEN}&window=1800,3000,linear"}
        for what, query in asked.items():
            paths = [f"{_address(server, one)}/frames/1/rendered?{query}" for one in study.instances]
            times = latencies(server.port, server.looking | JPEG, paths, at_once=1, each=each)
            yield Measure(f"Picture {name} {what}: median", "ms"), median(times) * 1000

    return trial


def retrieve(server: Server, study: Study) -> Iterator[Sample]:
    """The files of a whole study."""
    with Connection(server.port, server.looking | FILES) as connection:
        answer = connection.get(f"{server.dicomweb}/studies/{study.uid}")
    yield Measure("Files of the study", "MB/s", more_is_better=True), answer.length / 1e6 / answer.whole
    yield Measure("Files of the study: first byte", "ms"), answer.first * 1000


def search(each: int) -> Trial:
    """A trial: eight searches, by somebody who sees her own studies and by somebody who sees all of a facility's."""

    def trial(server: Server, study: Study) -> Iterator[Sample]:
        for who, headers in server.searching().items():
            for name, query in _queries(study).items():
                path = f"{server.dicomweb}/studies?{query}"
                times = latencies(server.port, headers | HEADERS, [path], at_once=1, each=each)
                yield Measure(f"Search by {name}{who}: median", "ms"), median(times) * 1000

    return trial


def _queries(study: Study) -> dict[str, str]:
    return {
        "nothing, 100 of it": "limit=100",
        "nothing, from the 5,000th": "limit=100&offset=5000",
        "patient ID": f"PatientID={EXAM.patient_id}&limit=100",
        "the beginning of a name": "PatientName=Zebra*&limit=100",
        "two months": "StudyDate=20260101-20260228&limit=100",
        "accession number": "AccessionNumber=A-1&limit=100",
        "modality": "ModalitiesInStudy=CT&limit=100",
        "study UID": f"StudyInstanceUID={study.uid}",
    }


def _series(server: Server, one: Instance) -> str:
    return f"{server.dicomweb}/studies/{one.study_uid}/series/{one.series_uid}"


def _address(server: Server, one: Instance) -> str:
    return f"{_series(server, one)}/instances/{one.sop_uid}"
