"""The fast lane: what comes by the hundred is answered before Django, by the same right and with the same words."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.audit import Action, Actor
from accounts.models import AuditEvent, User
from portal import riding
from portal.dicomweb.riders import Frames
from sharing import releases
from studies import retrieving
from studies.models import Rendition
from studies.store import objects
from tests import factories
from tests.cast import Cast
from tests.portal.published import Published, publish_for

pytestmark = pytest.mark.django_db
STORED = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
ANYTHING = "*/*"


@pytest.fixture
def published(cast: Cast, tmp_path: Path, settings: Settings) -> Published:
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()
    return publish_for(cast)


@pytest.fixture(autouse=True)
def time(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock of rides; its last entry is the time."""
    times = [1000.0]
    monkeypatch.setattr(riding, "monotonic", lambda: times[-1])
    monkeypatch.setattr(riding, "_rides", {})
    return times


@pytest.fixture(autouse=True)
def _one_connection() -> Iterator[None]:
    """The connection of the test goes on from one request to the next, as with Django's own client."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


class Browser:
    """Somebody who asks over WSGI, and sees whether Django was asked behind."""

    def __init__(self, user: User | None) -> None:
        client = Client()
        if user:
            client.force_login(user)
        self.cookie = "; ".join(f"{name}={one.value}" for name, one in client.cookies.items())
        self.came_through = False
        self._django = WSGIHandler()
        self._site = riding.Riding(self._through)

    def _through(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.came_through = True
        return self._django(environ, start_response)

    def get(self, path: str, accept: str = ANYTHING, **more: str) -> Seen:
        self.came_through = False
        headers = {"Cookie": self.cookie, "Accept": accept, **more}
        environ = RequestFactory().get(path, headers=headers).META
        said: list[Any] = []
        answer = self._site(environ, lambda status, headers, *_error: said.extend([status, headers]))
        body = b"".join(answer)
        if close := getattr(answer, "close", None):
            close()
        headers = {name: value for name, value in said[1] if name != "Set-Cookie"}
        return Seen(int(said[0][:3]), headers, body, self.came_through)


@dataclass(frozen=True)
class Seen:
    """An answer as it went over the wire, and whether it came from Django."""

    status: int
    headers: dict[str, str]
    body: bytes
    came_through: bool


@pytest.fixture
def maria(cast: Cast) -> Browser:
    return Browser(cast.maria)


def frame(published: Published, number: int = 0, base: str = "") -> str:
    one = published.study.instances.select_related("series").order_by("instance_number")[number]
    series = f"{base}/dicom-web/studies/{published.study.study_uid}/series/{one.series.series_uid}"
    return f"{series}/instances/{one.sop_uid}/frames/1"


def picture(published: Published, number: int = 1) -> str:
    return f"/studies/{published.study.pk}/series/{published.series_id}/preview/{number}/"


def metadata(published: Published) -> str:
    return frame(published).partition("/instances/")[0] + "/metadata"


# --- the same answer


def test_frames_after_the_second_ride_and_say_the_same(maria: Browser, published: Published) -> None:
    first = maria.get(frame(published), STORED)
    assert maria.get(frame(published, 1), STORED).came_through
    paths = [frame(published, number) for number in (2, 0)]
    with CaptureQueriesContext(connection) as asked:
        third, again = (maria.get(path, STORED) for path in paths)
    assert [third.came_through, again.came_through] == [False, False]
    assert not asked.captured_queries
    boundary = [answer.headers.pop("Content-Type").rpartition("=")[2].encode() for answer in (first, again)]
    assert again.body.replace(boundary[1], b"") == first.body.replace(boundary[0], b"")
    assert third.body != again.body
    del again.headers["Content-Length"]  # nobody needs to count what is streamed
    assert again.headers == first.headers


def test_pictures_ride_and_say_the_same(maria: Browser, published: Published) -> None:
    first = maria.get(picture(published))
    again, second = maria.get(picture(published)), maria.get(picture(published, 2))
    assert [again.came_through, second.came_through] == [False, False]
    assert (again.status, again.headers, again.body) == (first.status, first.headers, first.body)
    assert second.body != first.body


def test_packed_metadata_ride_and_say_the_same(maria: Browser, published: Published) -> None:
    packed = {"Accept-Encoding": "gzip"}
    first = maria.get(metadata(published), **packed)
    again = maria.get(metadata(published), **packed)
    assert not again.came_through
    assert (again.headers, again.body) == (first.headers, first.body)
    assert len(json.loads(gzip.decompress(again.body))) == 3


def test_one_asks_anew_while_the_others_ride_on(maria: Browser, published: Published, time: list[float]) -> None:
    maria.get(picture(published))
    time.append(time[-1] + 0.5)
    (old,) = riding._rides.values()
    assert old.is_to_be_renewed(time[-1])
    assert not maria.get(picture(published)).came_through
    riding._rides[next(iter(riding._rides))] = riding.Ride(old.began, old.rider, old.route, old.headers)
    assert maria.get(picture(published)).came_through
    time.append(time[-1] + 0.5)
    assert maria.get(picture(published)).came_through  # and half a second later again one
    assert not maria.get(picture(published)).came_through


def test_many_at_once_read_a_series_once(maria: Browser, published: Published) -> None:
    maria.get(frame(published))
    (ride,) = riding._rides.values()
    assert isinstance(ride.rider, Frames)
    with mock.patch("studies.retrieving.instances", wraps=retrieving.instances) as read:
        series = frame(published).split("/")[5]
        for _each in range(16):
            ride.rider.rows.read_all(ride.rider.leave, series)
    assert read.call_count == 1


def test_rows_are_never_older_than_a_leave(maria: Browser, published: Published, time: list[float]) -> None:
    """However often a ride is renewed: an instance that is rejected is not shown for long."""
    maria.get(frame(published))
    maria.get(frame(published, 1))
    published.first.series.instances.update(rejected_at=published.study.received_at)
    for _half in range(2):
        time.append(time[-1] + 0.46)
        seen = maria.get(frame(published))
    assert seen.status == 410


def test_what_cannot_ride_goes_the_long_way_and_is_told(maria: Browser, published: Published) -> None:
    maria.get(frame(published))
    maria.get(frame(published, 1))
    assert maria.get(frame(published).replace("frames/1", "frames/2")).status == 404
    assert maria.get(frame(published), "image/png").status == 406
    maria.get(picture(published))
    assert maria.get(picture(published, 99)).status == 404


def test_damage_is_told_on_the_long_way(maria: Browser, published: Published) -> None:
    maria.get(picture(published))
    pictures = Rendition.objects.get(series=published.series_id, size="preview").stack
    path = objects.store()._path_of(pictures.pk)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert maria.get(picture(published, 3)).status == 503
    pictures.refresh_from_db()
    assert pictures.damaged_at


# --- the same right


def test_a_right_that_ends_is_dead_within_a_second(
    maria: Browser, cast: Cast, published: Published, time: list[float]
) -> None:
    for path in (frame(published), picture(published), metadata(published)):
        maria.get(path, **{"Accept-Encoding": "gzip"})
    releases.withdraw(published.study, "wrong patient", actor=Actor.facility(cast.lakeside))
    time.append(time[-1] + 0.95)
    for path, ended in ((frame(published), 410), (picture(published), 404), (metadata(published), 410)):
        assert maria.get(path, **{"Accept-Encoding": "gzip"}).status == ended


def test_nobody_rides_with_another(maria: Browser, cast: Cast, published: Published) -> None:
    for path in (frame(published), picture(published)):
        assert maria.get(path).status == maria.get(path).status == 200
        assert Browser(cast.eve).get(path).status == 404
        assert Browser(None).get(path).status in (302, 401)


def test_a_ride_is_for_one_way_of_asking(maria: Browser, published: Published) -> None:
    maria.get(picture(published))
    for other in ({"Host": "elsewhere.example"}, {"X-Forwarded-Proto": "https"}, {"Authorization": "Bearer x"}):
        assert maria.get(picture(published), **other).came_through, other
    assert maria.get(picture(published) + "?x=1").came_through
    assert maria.get(picture(published), **{"Accept-Language": "es"}).headers["Content-Language"] == "es"
    assert maria.get(picture(published), Host="elsewhere.example").status == 400


def test_who_may_not_sees_nothing_by_a_ride_of_hers(cast: Cast, published: Published) -> None:
    eve = Browser(cast.eve)
    for _again in range(3):
        assert eve.get(frame(published)).status == 404
        assert eve.came_through
    assert not riding._rides


def test_a_page_full_of_pictures_is_one_look(maria: Browser, published: Published) -> None:
    for number in (1, 2, 3, 1, 2, 3):
        maria.get(picture(published, number))
    assert AuditEvent.objects.filter(action=Action.VIEWED).count() == 1


def test_rides_stand_in_the_access_log(maria: Browser, published: Published, caplog: pytest.LogCaptureFixture) -> None:
    for _again in range(2):
        maria.get(picture(published))
    assert [record.getMessage().rsplit(" ", 2)[0] for record in caplog.records if record.name == "lightbox.access"] == [
        "picture 200",
        "picture 200",
    ]


def test_rides_that_are_over_are_forgotten(maria: Browser, published: Published, time: list[float]) -> None:
    maria.get(picture(published))
    time.append(time[-1] + 5)
    maria.get(frame(published))
    (left,) = riding._rides.values()
    assert left.route == "dicomweb_frames"


def test_only_a_get_rides(maria: Browser, published: Published) -> None:
    maria.get(picture(published))
    environ = RequestFactory().head(picture(published), headers={"Cookie": maria.cookie, "Accept": ANYTHING}).META
    maria.came_through = False
    list(maria._site(environ, lambda *_said: None))
    assert maria.came_through


def test_a_file_that_must_be_decoded_goes_the_long_way(maria: Browser, cast: Cast, published: Published) -> None:
    assert factories.uid(9) == published.study.study_uid
    accept = 'multipart/related; type="application/octet-stream"'
    instance = published.first
    instance.transfer_syntax_uid = "1.2.840.10008.1.2.2"  # big endian: its bytes are turned around
    instance.save(update_fields=["transfer_syntax_uid"])
    for _again in range(3):
        assert maria.get(frame(published), accept).came_through
    assert BytesIO(maria.get(frame(published), accept).body).read()
