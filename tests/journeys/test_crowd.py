"""A hundred slow senders of one facility, and uploads that break off, on the real server: others go on."""

from __future__ import annotations

import os
import secrets
import selectors
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from portal.crowding import MOST_OF_A_KEY
from tests import factories
from tests.journeys.conftest import Site, eventually

pytestmark = pytest.mark.journey
# All workers of the server have their hands full and more, however many cores there are.
SENDERS = max(100, MOST_OF_A_KEY * (os.cpu_count() or 1) + 50)
WORKERS = os.cpu_count() or 1


class Facility:
    """A facility of the running site, and its key."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.key = str(site.manage("facility", "add", f"Crowd {secrets.token_hex(4)}")["key"])

    def publish(self, files: list[bytes]) -> requests.Response:
        kind, body = factories.related(files)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": kind}
        return requests.post(f"{self.site.url}/dicom-web/studies", data=body, headers=headers, timeout=60)

    def begin(self, body: bytes) -> socket.socket:
        """An upload that has begun, and may never end."""
        connection = socket.create_connection(("127.0.0.1", self.site.port))
        head = (
            f"POST /dicom-web/studies HTTP/1.1\r\nHost: 127.0.0.1:{self.site.port}\r\n"
            f"Authorization: Bearer {self.key}\r\nContent-Length: 10000000\r\n"
            "Content-Type: multipart/related; type=application/dicom; boundary=factory-boundary\r\n\r\n"
        )
        connection.sendall(head.encode() + body)
        return connection

    @contextmanager
    def crowd(self, body: bytes, count: int) -> Iterator[list[socket.socket]]:
        """Many uploads that have begun; all break off in the end."""
        senders = [self.begin(body) for _ in range(count)]
        try:
            yield senders
        finally:
            for sender in senders:
                # A reset, not a polite end: so a machine that lost its line looks.
                sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sender.close()


def answers(senders: list[socket.socket], count: int, patience: float = 30) -> list[str]:
    """The heads of the first answers, `count` of them."""
    heads: list[str] = []
    deadline = time.monotonic() + patience
    with selectors.DefaultSelector() as waiting:
        for sender in senders:
            waiting.register(sender, selectors.EVENT_READ)
        while len(heads) < count and time.monotonic() < deadline:
            for key, _events in waiting.select(timeout=1):
                assert isinstance(key.fileobj, socket.socket)
                heads.append(key.fileobj.recv(4096).decode("latin-1").partition("\r\n\r\n")[0].lower())
                waiting.unregister(key.fileobj)
    return heads


def test_a_hundred_slow_senders_leave_room_to_others_and_their_threads_come_back(site: Site) -> None:
    greedy, modest = Facility(site), Facility(site)
    files = factories.ct_series(3, study=7100, PatientID="CROWD-1")
    _kind, body = factories.related(files)
    with greedy.crowd(body[:2000], SENDERS) as senders:
        refused = answers(senders, SENDERS - MOST_OF_A_KEY * WORKERS)
        assert len(refused) >= SENDERS - MOST_OF_A_KEY * WORKERS
        assert all(head.startswith("http/1.1 503") and "retry-after: " in head for head in refused)
        began = time.monotonic()
        assert modest.publish(files).status_code == 200
        assert requests.get(f"{site.url}/", timeout=30).status_code == 200
        assert time.monotonic() - began < 10
    gone = time.monotonic()
    eventually(lambda: greedy.publish(files).status_code == 200, "a free thread", patience=10)
    assert time.monotonic() - gone < 10
    assert len(greedy.site.ready(greedy.key, factories.uid(7100))["instances"]) == 3


def stored(site: Site) -> set[Path]:
    """Every file in the site's store, half written ones too."""
    return {path for path in (site.data / "store").rglob("*") if path.is_file()}


def test_uploads_that_break_off_leave_nothing_and_take_nothing(site: Site) -> None:
    facility = Facility(site)
    files = factories.ct_series(20, study=7101, size=256, PatientID="CROWD-2")
    _kind, body = factories.related(files)
    before = stored(site)
    with facility.crowd(body[: len(body) // 2], 20):
        eventually(lambda: len(stored(site) - before) == 20, "twenty uploads under way")
    eventually(lambda: stored(site) == before, "the end of what was half written", patience=10)
    assert facility.site.receipt(facility.key, factories.uid(7101)) is None
    assert facility.publish(files).status_code == 200
