"""The other end of the wire: one kept-alive connection, many at once, and readers that take their time."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import cycle, islice
from threading import Barrier, Event
from typing import Self

PATIENCE = 300.0
BLOCK = 256 * 1024
Download = tuple[dict[str, str], str]
"""Headers and path."""
SLOW_BLOCK, SLOW_PAUSE = 64 * 1024, 0.06  # about 1 MB/s


@dataclass(frozen=True)
class Answer:
    """What came back, and when: seconds from the request to the first byte of the body and to the last."""

    length: int
    first: float
    whole: float


class Connection:
    """Asks one thing after the other. Raises when an answer is not 200: a refusal is always fast."""

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self._http = HTTPConnection("127.0.0.1", port, timeout=PATIENCE, blocksize=BLOCK)
        self._headers = headers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._http.close()

    def get(self, path: str) -> Answer:
        """GET, and throw the body away as it comes."""
        return self._ask("GET", path)

    def has(self, path: str) -> bool:
        """Whether a GET answers 200."""
        self._http.request("GET", path, None, self._headers)
        response = self._http.getresponse()
        response.read()
        return response.status == 200

    def post(self, path: str, content_type: str, body: bytes) -> Answer:
        """POST."""
        return self._ask("POST", path, body, {"Content-Type": content_type})

    def _ask(self, method: str, path: str, body: bytes | None = None, more: dict[str, str] | None = None) -> Answer:
        began, buffer = time.perf_counter(), bytearray(BLOCK)
        self._http.request(method, path, body, self._headers | (more or {}))
        response = self._http.getresponse()
        if response.status != 200:
            raise RuntimeError(f"{method} {path} answered {response.status}: {response.read()[:2000]!r}")
        length = len(response.read1(1))
        first = time.perf_counter() - began
        while got := response.readinto(buffer):
            length += got
        return Answer(length, first, time.perf_counter() - began)


def latencies(port: int, headers: dict[str, str], paths: list[str], *, at_once: int, each: int) -> list[float]:
    """Seconds of each GET, over so many connections at once."""

    def one(place: int) -> list[float]:
        with Connection(port, headers) as connection:
            return [connection.get(path).whole for path in islice(cycle(paths), place, place + each)]

    with ThreadPoolExecutor(at_once) as pool:
        return [took for times in pool.map(one, range(at_once)) for took in times]


@contextmanager
def slow_readers(port: int, downloads: list[Download]) -> Iterator[None]:
    """These downloads meanwhile, each at about 1 MB/s; begins when all of them have begun."""
    begun, enough = Barrier(len(downloads) + 1, timeout=PATIENCE), Event()

    def read(headers: dict[str, str], path: str) -> bool:
        """Whether there was more to come until the end."""
        lines = {"Host": "127.0.0.1", "Connection": "close", **headers}
        request = "".join([f"GET {path} HTTP/1.1\r\n", *(f"{name}: {lines[name]}\r\n" for name in lines), "\r\n"])
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BLOCK)
            line.sendall(request.encode())
            if not line.recv(SLOW_BLOCK).startswith(b"HTTP/1.1 200 "):
                begun.abort()
                return False
            begun.wait()
            while not enough.wait(SLOW_PAUSE):
                if not line.recv(SLOW_BLOCK):
                    return False
            return bool(line.recv(SLOW_BLOCK))

    with ThreadPoolExecutor(len(downloads)) as pool:
        running = [pool.submit(read, *download) for download in downloads]
        try:
            begun.wait()
            yield
        finally:
            enough.set()
    if not all(one.result() for one in running):
        raise RuntimeError("a slow download was over too soon: there was less load than the table would say")
