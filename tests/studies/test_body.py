"""A body is read as it comes, from a sender who may be slow, silent or gone."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO, RawIOBase
from typing import Any

import pytest
from django.http import HttpRequest
from django.test import RequestFactory

from studies.receiving.body import BLOCK, Body, BrokenOff, TooSlow


class Line(RawIOBase):
    """A line that brings so many bytes a second, under a server whose `read(n)` waits for all n of them."""

    def __init__(self, pace: float, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pace, self.now, self.longest = pace, 0.0, 0.0
        monkeypatch.setattr("studies.receiving.body.time.monotonic", lambda: self.now)

    def read(self, count: int = -1) -> bytes:
        self.now += count / self.pace
        self.longest = max(self.longest, count / self.pace)
        return bytes(count)


def request(source: Any) -> HttpRequest:
    """A chunked request whose server ends the body itself."""
    environ = {"wsgi.input": source, "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    return RequestFactory().post("/dicom-web/studies", **environ)


def read_on(reader: Body) -> None:
    while reader.read(BLOCK):
        pass


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], Line]:
    return lambda pace: Line(pace, monkeypatch)


def test_a_quick_sender_is_soon_asked_for_whole_blocks() -> None:
    reader = Body(request(BytesIO(bytes(10 * BLOCK))))
    sizes = [len(reader.read(BLOCK)) for _ in range(6)]
    assert sizes[0] < 1024
    assert sizes[-1] == BLOCK


def test_a_body_that_drips_is_ended_within_two_minutes(line: Callable[[float], Line]) -> None:
    slow = line(100.0)
    reader = Body(request(slow))
    with pytest.raises(TooSlow):
        read_on(reader)
    assert slow.now < 120


def test_a_line_that_is_merely_thin_is_borne(line: Callable[[float], Line]) -> None:
    thin = line(2048.0)
    reader = Body(request(thin))
    while thin.now < 3600:
        reader.read(BLOCK)
    assert thin.longest < 10


def test_a_line_that_worsens_is_ended_too(line: Callable[[float], Line]) -> None:
    worse = line(10.0**9)
    reader = Body(request(worse))
    for _ in range(100):
        reader.read(BLOCK)
    worse.pace, began = 500.0, worse.now
    with pytest.raises(TooSlow):
        read_on(reader)
    assert worse.now - began < BLOCK / worse.pace + 120  # the read in which it got worse, and two minutes


def test_an_unwanted_body_is_not_listened_to_for_ever(line: Callable[[float], Line]) -> None:
    slow = line(2048.0)
    Body(request(slow)).drain()
    assert slow.now < 30


def test_a_sender_that_is_gone_is_noticed() -> None:
    class Gone(RawIOBase):
        def read(self, count: int = -1) -> bytes:
            raise ConnectionResetError

    with pytest.raises(BrokenOff):
        Body(request(Gone())).read(BLOCK)
