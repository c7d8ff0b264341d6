"""Whoever sends or reads slowly leaves threads to others."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event, Semaphore, Thread
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.test import RequestFactory

from accounts.errors import Unavailable
from portal import crowding, delivery
from sharing import access
from sharing.access import Right
from tests.cast import Cast


class Queue:
    """The door, and senders who stay inside until they are let go."""

    def __init__(self) -> None:
        self.go = Event()
        self.door = crowding.Bodies(self._answer)
        self._inside = Semaphore(0)
        self._threads: list[Thread] = []

    def _answer(self, request: HttpRequest) -> HttpResponse:
        if request.path == "/slow/":
            self._inside.release()
            assert self.go.wait(10)
        return HttpResponse()

    def fill(self, count: int, **sender: Any) -> None:
        """So many slow senders go in."""
        threads = [Thread(target=self.ask, args=("/slow/",), kwargs=sender) for _ in range(count)]
        self._threads += threads
        for thread in threads:
            thread.start()
        for _ in threads:
            assert self._inside.acquire(timeout=5)

    def ask(self, path: str = "/dicom-web/studies", **sender: Any) -> HttpResponseBase:
        """One request with a body."""
        return self.door(RequestFactory().post(path, {"a": "b"}, **sender))

    def let_go(self) -> None:
        self.go.set()
        for thread in self._threads:
            thread.join(5)


@pytest.fixture
def queue() -> Iterator[Queue]:
    queue = Queue()
    yield queue
    queue.let_go()


GREEDY, MODEST = {"HTTP_AUTHORIZATION": "Bearer greedy"}, {"HTTP_AUTHORIZATION": "Bearer modest"}


def test_slow_bodies_leave_threads_to_whoever_looks(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowding, "MOST_BODIES", 2)
    monkeypatch.setattr(crowding, "PATIENCE", 0.01)
    queue.fill(2)
    refused = queue.ask()
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "10")
    assert queue.door(RequestFactory().get("/")).status_code == 200
    queue.let_go()
    assert queue.ask("/").status_code == 200


def test_one_facilitys_senders_leave_room_to_others(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowding, "PATIENCE", 0.0)
    queue.fill(crowding.MOST_OF_A_KEY, **GREEDY)
    refused = queue.ask(**GREEDY)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "10")
    assert queue.ask(**MODEST).status_code == 200
    assert queue.ask("/claim/").status_code == 200
    queue.let_go()
    assert queue.ask(**GREEDY).status_code == 200


def test_whoever_is_greedy_is_told_at_once(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowding, "PATIENCE", 60.0)  # a thread that waits is a thread that is taken
    queue.fill(crowding.MOST_OF_A_KEY, **GREEDY)
    assert queue.ask(**GREEDY).status_code == 503


def test_made_up_keys_get_no_more_than_their_address(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowding, "PATIENCE", 0.0)
    for number in range(crowding.MOST_OF_AN_ADDRESS):
        queue.fill(1, HTTP_AUTHORIZATION=f"Bearer {number}")
    assert queue.ask(HTTP_AUTHORIZATION="Bearer new").status_code == 503
    assert queue.ask(REMOTE_ADDR="192.0.2.7", **MODEST).status_code == 200


def test_who_comes_from_nowhere_is_still_one_sender(queue: Queue) -> None:
    assert queue.ask(REMOTE_ADDR="", **MODEST).status_code == 200


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
