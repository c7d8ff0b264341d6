"""What the viewer's script asks for: the manifest, details of a series, samples, and whole pictures."""

from __future__ import annotations

import gzip
import json
import struct
from contextlib import ExitStack
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pytest_django import Settings

from accounts.errors import NotFound, Unavailable
from accounts.models import AuditEvent
from portal import delivery
from sharing.access import Right
from studies import catalog, closer, intake, pipeline, sandbox
from studies.models import Instance, Rendition, SealedObject, Study
from studies.sandbox import SandboxBusy, SandboxDied
from tests import factories
from tests.cast import Cast
from tests.portal.published import Published, publish_for
from tests.studies.dicom_made import dataset, written
from tests.studies.test_catalog import cine


@pytest.fixture
def published(cast: Cast, tmp_path: Path, settings: Settings) -> Published:
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()
    closer.killers = closer.Killers()
    return publish_for(cast)


@pytest.fixture
def maria(client: Client, cast: Cast) -> Client:
    client.force_login(cast.maria)
    return client


def add(cast: Cast, published: Published, *files: bytes) -> None:
    """Publish more of Maria's study."""
    assert not intake.publish(cast.lakeside, [[file] for file in files]).failed
    pipeline.advance(published.study.pk, at_once=True)


def series(published: Published, modality: str) -> catalog.SeriesView:
    return next(one for one in catalog.series_of(published.study) if one.modality == modality)


def route(name: str, published: Published, *more: object, of: catalog.SeriesView | None = None) -> str:
    return reverse(name, args=[published.study.pk, of.id if of else published.series_id, *more])


def samples(answer: Any) -> tuple[dict[str, Any], np.ndarray[Any, Any]]:
    """A body, read as the browser does."""
    assert answer.status_code == 200
    body = answer.getvalue()
    body = gzip.decompress(body) if answer.headers.get("Content-Encoding") == "gzip" else body
    (length,) = struct.unpack("<I", body[:4])
    assert (4 + length) % 8 == 0
    header = json.loads(body[4 : 4 + length])
    stored = np.frombuffer(body[4 + length :], "<i2" if header["signed"] else "<u2")
    return header, stored.reshape(header["rows"], header["columns"])


def test_the_manifest_names_every_address(maria: Client, cast: Cast, published: Published) -> None:
    add(cast, published, cine(3, StudyInstanceUID=factories.uid(9), PatientID="PUB-1"))
    told = maria.get(reverse("manifest", args=[published.study.pk])).json()
    assert (told["title"], told["date"], told["marked"]) == ("CT chest", "2026-01-31", [])
    scan, heart = told["series"]
    assert (scan["number"], scan["count"], scan["autoplay"], scan["frame_time"]) == (1, 3, False, None)
    assert scan["pixels"].replace("{n}", "2") == route("pixels", published, 2)
    assert scan["pictures"].replace("{n}", "2") == route("picture", published, "preview", 2)
    assert scan["details"] == route("details", published)
    assert scan["full"] == "", "its previews have all of its pixels"
    assert (heart["count"], heart["autoplay"], heart["frame_time"], heart["pixels"]) == (3, True, 40.0, "")


def test_a_series_of_stills_and_films_does_not_play_by_itself(maria: Client, cast: Cast, published: Published) -> None:
    of_hers = {"StudyInstanceUID": factories.uid(9), "PatientID": "PUB-1"}
    still = cine(1, **of_hers, SOPInstanceUID=factories.uid(9, 2, 7), NumberOfFrames=None)
    add(cast, published, cine(3, **of_hers), still)
    _, heart = maria.get(reverse("manifest", args=[published.study.pk])).json()["series"]
    assert (heart["count"], heart["autoplay"]) == (4, False)


def test_a_large_series_has_its_whole_pictures_named(maria: Client, cast: Cast, published: Published) -> None:
    large = factories.ct_file(9, series=2, study=9, size=1200, PatientID="PUB-1")
    add(cast, published, large)
    _, wide = maria.get(reverse("manifest", args=[published.study.pk])).json()["series"]
    answer = maria.get(wide["full"].replace("{n}", "1"))
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/jpeg")
    assert answer.headers["Cache-Control"] == "no-store"
    picture = Image.open(BytesIO(answer.getvalue()))
    assert (picture.format, picture.size) == ("JPEG", (1200, 1200))
    fitted, _ = samples(maria.get(wide["pixels"].replace("{n}", "1")))
    whole, _ = samples(maria.get(wide["pixels"].replace("{n}", "1"), {"size": "full"}))
    assert (fitted["rows"], whole["rows"]) == (1024, 1200)


@pytest.mark.parametrize(
    ("accepts", "packed"),
    [("gzip, deflate, br", True), ("", False), ("br", False), ("gzip;q=0", False), ("GZIP;q=0.5", True)],
)
def test_samples_are_packed_for_whoever_unpacks_them(
    maria: Client, published: Published, accepts: str, packed: bool
) -> None:
    answer = maria.get(route("pixels", published, 2), headers={"accept-encoding": accepts})
    assert answer.headers.get("Content-Encoding") == ("gzip" if packed else None)
    assert answer.headers["Vary"].startswith("Accept-Encoding")
    assert answer.headers["Cache-Control"] == "no-store"
    assert int(answer.headers["Content-Length"]) == len(answer.getvalue())
    header, stored = samples(maria.get(route("pixels", published, 2), headers={"accept-encoding": accepts}))
    assert stored[32, 32] * header["slope"] + header["intercept"] == 1066 - 1024
    assert header["windows"] == [{"center": 40, "width": 400, "function": "LINEAR", "name": ""}]
    assert header["window"] == {"center": 40, "width": 400, "function": "LINEAR"}
    assert (header["unit"], header["invert"], header["padding"], header["aspect"]) == ("HU", False, None, 1)


def test_frames_of_one_object_are_told_apart(maria: Client, cast: Cast, published: Published) -> None:
    def group(slope: float) -> Dataset:
        rescale, frame = Dataset(), Dataset()
        rescale.RescaleSlope, rescale.RescaleIntercept = slope, 0
        frame.PixelValueTransformationSequence = Sequence([rescale])
        return frame

    said: dict[str, Any] = {
        "NumberOfFrames": 2,
        "Modality": "MR",
        "PatientID": "PUB-1",
        "PixelData": np.stack([np.full((64, 64), 10, "<u2"), np.full((64, 64), 20, "<u2")]).tobytes(),
        "PerFrameFunctionalGroupsSequence": Sequence([group(1), group(3)]),
    }
    add(cast, published, factories.ct_file(1, series=3, study=9, **said))
    several = series(published, "MR")
    header, stored = samples(maria.get(route("pixels", published, 2, of=several)))
    assert (stored[0, 0], header["slope"]) == (20, 3)


def test_the_window_is_that_of_the_previews_of_a_series_that_gives_none(
    maria: Client, cast: Cast, published: Published
) -> None:
    said: dict[str, Any] = {"Modality": "MR", "PatientID": "PUB-1", "WindowCenter": None, "WindowWidth": None}
    pixels = [np.linspace(0, most, 64 * 64).astype("<u2").tobytes() for most in (1000, 3000)]
    add(
        cast,
        published,
        *(factories.ct_file(n + 1, series=3, study=9, **said, PixelData=one) for n, one in enumerate(pixels)),
    )
    several = series(published, "MR")
    low, high = Rendition.objects.get(series=several.id, size="preview").made_with["range"]
    windows = [samples(maria.get(route("pixels", published, n, of=several)))[0]["window"] for n in (1, 2)]
    assert windows == [{"center": (low + high) / 2, "width": high - low, "function": "LINEAR_EXACT"}] * 2


def a_state(**attributes: Any) -> bytes:
    """A presentation state for Maria's first slice, which it turns upside down."""
    image, group = Dataset(), Dataset()
    image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = factories.CT, factories.uid(9, 1, 1)
    group.SeriesInstanceUID, group.ReferencedImageSequence = factories.uid(9, 1), Sequence([image])
    return written(
        dataset(
            SOPClassUID="1.2.840.10008.5.1.4.1.1.11.1",
            SOPInstanceUID=factories.uid(9, 5, 1),
            StudyInstanceUID=factories.uid(9),
            SeriesInstanceUID=factories.uid(9, 5),
            PatientID="PUB-1",
            Modality="PR",
            ReferencedSeriesSequence=Sequence([group]),
            ImageRotation=180,
            ImageHorizontalFlip="N",
            PresentationLUTShape="INVERSE",
            **attributes,
        )
    )


def test_the_whole_picture_of_a_presentation_state_is_as_it_says(
    maria: Client, cast: Cast, published: Published
) -> None:
    add(cast, published, a_state())
    state = series(published, "PR")
    preview = maria.get(route("picture", published, "preview", 1, of=state)).getvalue()
    whole = maria.get(route("full", published, 1, of=state))
    plain = maria.get(route("full", published, 1)).getvalue()
    shown, large, other = (np.asarray(Image.open(BytesIO(one))) for one in (preview, whole.getvalue(), plain))
    assert np.abs(shown.astype(int) - large).mean() < 8
    assert np.abs(large.astype(int) - other).max() > 200
    assert maria.get(route("pixels", published, 1, of=state)).status_code == 404
    assert maria.get(route("details", published, of=state)).json()["frames"] == [0]


def test_details_say_each_kind_once(maria: Client, published: Published) -> None:
    answer = maria.get(route("details", published), headers={"accept-encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    told = json.loads(gzip.decompress(answer.content))
    assert told["frames"] == [0, 0, 0]
    (kind,) = told["kinds"]
    assert kind == {
        "rows": 64,
        "columns": 64,
        "spacing": [0.7, 0.7],
        "spacing_kind": "patient",
        "orientation": {"left": "R", "right": "L", "top": "A", "bottom": "P"},
        "laterality": "",
        "windows": [{"center": 40, "width": 400, "function": "LINEAR", "name": ""}],
        "unit": "HU",
    }


def test_one_look_at_a_series_is_one_event(maria: Client, cast: Cast, published: Published) -> None:
    for address in (
        reverse("manifest", args=[published.study.pk]),
        route("details", published),
        route("pixels", published, 1),
        route("pixels", published, 2),
        route("full", published, 1),
        route("picture", published, "preview", 1),
    ):
        assert maria.get(address).status_code == 200
    looks = AuditEvent.objects.filter(study_id=published.study.pk, actor_id=str(cast.maria.pk), action="viewed")
    assert [look.way for look in looks] == ["page"]


def test_what_is_not_there_is_not_found(maria: Client, cast: Cast, published: Published) -> None:
    add(cast, published, cine(2, StudyInstanceUID=factories.uid(9), PatientID="PUB-1"))
    heart = series(published, "US")
    for address in (
        route("pixels", published, 0),
        route("pixels", published, 4),
        route("full", published, 4),
        f"{route('pixels', published, 1)}?size=huge",
        route("pixels", published, 1, of=heart),  # colours have no brightness to adjust
        route("pixels", published, 1, of=replace(heart, id=published.study.pk)),
        route("details", published, of=replace(heart, id=published.study.pk)),
    ):
        assert maria.get(address).status_code == 404
    assert maria.get(route("full", published, 1, of=heart)).status_code == 200


def test_a_rejected_picture_is_gone_at_once(maria: Client, published: Published) -> None:
    Instance.objects.filter(order=1).update(rejected_at=published.study.received_at)
    assert maria.get(route("pixels", published, 2)).status_code == 404
    assert maria.get(route("pixels", published, 1)).status_code == 200


def test_a_withdrawal_ends_pixels_too(maria: Client, published: Published) -> None:
    answer = maria.get(route("pixels", published, 1), headers={"accept-encoding": ""})
    Study.objects.filter(pk=published.study.pk).update(access_epoch=99)
    assert answer.status_code == 200
    published.study.release.delete()
    assert maria.get(route("pixels", published, 1)).status_code == 404


def test_a_picture_that_kills_its_reader_does_so_once(
    maria: Client, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def dies(task: str, *_: Any, **how: Any) -> sandbox.Result:
        asked.append(task)
        assert how["lane"] == sandbox.LOOKING
        if task == "confinement":
            return sandbox.Result({}, [])
        raise SandboxDied("it took too long")

    monkeypatch.setattr(sandbox, "run", dies)
    assert [maria.get(route("pixels", published, 1)).status_code for _ in range(3)] == [404] * 3
    assert asked == ["samples", "confinement"]
    assert maria.get(route("full", published, 1)).status_code == 404
    assert asked[2:] == ["large", "confinement"]


def test_a_picture_that_takes_too_long_is_given_up(
    maria: Client, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the sandbox as it is: its clock kills the child, and the next picture is made."""
    with monkeypatch.context() as hurried:
        hurried.setattr(closer, "SECONDS", 0.0005)
        assert maria.get(route("pixels", published, 1)).status_code == 404
    assert maria.get(route("pixels", published, 1)).status_code == 404, "it is remembered"
    assert maria.get(route("pixels", published, 2)).status_code == 200


def test_damaged_originals_are_refused_in_words(maria: Client, published: Published) -> None:
    SealedObject.objects.filter(kind=SealedObject.Kind.PACK).update(damaged_at=published.study.received_at)
    for name in ("pixels", "full"):
        answer = maria.get(route(name, published, 1))
        assert answer.status_code == 503
        assert "damaged in our store" in answer.content.decode()


@pytest.mark.parametrize("trouble", [SandboxBusy("no turn"), SandboxDied("no process could be started")])
def test_when_the_sandbox_does_not_answer_no_picture_is_to_blame(
    maria: Client, published: Published, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise trouble

    with monkeypatch.context() as broken:
        broken.setattr(sandbox, "run", fails)
        answer = maria.get(route("pixels", published, 1))
        assert (answer.status_code, answer.headers["Retry-After"]) in ((503, "5"), (503, "10"))
    assert maria.get(route("pixels", published, 1)).status_code == 200


LIES: list[tuple[dict[str, Any], list[bytes]]] = [
    ({}, []),
    ({"rows": 2, "columns": 2}, [b"12345678"]),
    ({"rows": 2, "columns": 2, "signed": 1, "slope": 1, "intercept": 0}, [b"12345678"]),
    ({"rows": -2, "columns": -2}, [b"12345678"]),
    ({"rows": 9, "columns": 9, "width": 9}, [b"1"]),
]


@pytest.mark.parametrize(("said", "blobs"), LIES)
@pytest.mark.parametrize("name", ["pixels", "full"])
def test_an_answer_that_makes_no_sense_is_no_picture(
    maria: Client,
    published: Published,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    said: dict[str, Any],
    blobs: list[bytes],
) -> None:
    monkeypatch.setattr(sandbox, "run", lambda *_, **__: sandbox.Result(said, blobs))
    assert maria.get(route(name, published, 1)).status_code == 404


def test_one_viewer_has_a_few_made_at_a_time(cast: Cast, published: Published, maria: Client) -> None:
    request = maria.get(route("details", published)).wsgi_request
    leave = delivery.admit(delivery.viewer_of(request), published.study.pk, Right.SEE)
    with ExitStack() as made:
        for _ in range(delivery.MOST_MADE):
            made.enter_context(delivery.making(leave))
        with pytest.raises(Unavailable), delivery.making(leave):
            pass
    with delivery.making(leave):
        pass


def test_the_site_makes_a_few_at_a_time(maria: Client, published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(closer.MOST_AT_ONCE):
        assert closer._places.acquire(blocking=False)
    try:
        assert maria.get(route("pixels", published, 1)).status_code == 503
    finally:
        for _ in range(closer.MOST_AT_ONCE):
            closer._places.release()
    assert maria.get(route("pixels", published, 1)).status_code == 200


def test_the_oldest_killer_is_forgotten_among_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closer, "MOST_KILLERS", 2)
    killers = closer.Killers()
    for frame in range(3):
        killers.remember(frame)
    killers.refuse(0)
    with pytest.raises(NotFound):
        killers.refuse(2)
