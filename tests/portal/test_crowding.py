"""Whoever sends or reads slowly leaves threads to others."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event, Thread

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from accounts.errors import Unavailable
from portal import crowding, delivery
from sharing import access
from sharing.access import Right
from tests.cast import Cast


def test_slow_bodies_leave_threads_to_whoever_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowding, "MOST_BODIES", 2)
    monkeypatch.setattr(crowding, "PATIENCE", 0.01)
    inside, go = [Event(), Event()], Event()

    def answer(request: HttpRequest) -> HttpResponse:
        if request.path == "/slow/":
            inside[int(request.GET["n"])].set()
            go.wait(5)
        return HttpResponse()

    ask, door = RequestFactory(), crowding.Bodies(answer)
    senders = [Thread(target=door, args=(ask.post(f"/slow/?n={n}", {"a": "b"}),)) for n in range(2)]
    for sender in senders:
        sender.start()
    assert all(event.wait(5) for event in inside)
    refused = door(ask.post("/api/v1/reports/", {"a": "b"}))
    looked = door(ask.get("/"))
    go.set()
    for sender in senders:
        sender.join(5)
    assert (refused.status_code, refused.headers["Retry-After"], looked.status_code) == (503, "10", 200)
    assert door(ask.post("/", {"a": "b"})).status_code == 200


@pytest.mark.parametrize(
    ("headers", "has_one"),
    [
        ({}, False),
        ({"CONTENT_LENGTH": "0"}, False),
        ({"CONTENT_LENGTH": "1"}, True),
        ({"HTTP_TRANSFER_ENCODING": "chunked"}, True),
    ],
)
def test_a_body_is_announced(headers: dict[str, str], has_one: bool) -> None:
    request = HttpRequest()
    request.META = headers
    assert crowding.has_body(request) is has_one


@pytest.mark.django_db
def test_one_viewers_streams_leave_threads_to_others(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "MOST_STREAMS", 2)
    hers = delivery.admit(access.viewer_for(cast.maria), cast.study.pk, Right.SEE)
    toms = delivery.admit(access.viewer_for(cast.tom), cast.study.pk, Right.SEE)
    running = [delivery.stream(hers, _endless()) for _ in range(2)]
    for stream in running:
        next(stream)
    with pytest.raises(Unavailable):
        delivery.answer(hers, [], "image/webp")
    with pytest.raises(Unavailable), delivery.place(hers):
        pass
    delivery.answer(toms, [], "image/webp")
    running.pop(0)  # its reader went away
    delivery.answer(hers, [], "image/webp")


def _endless() -> Iterator[bytes]:
    while True:
        yield b"block"
