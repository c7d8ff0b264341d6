"""What passes between a client and a sandboxed child: a length, a JSON header, raw blobs. Never a pickle."""

from __future__ import annotations

import json
import math
import re
import socket
import struct
from collections.abc import Sequence
from typing import Any

LENGTH = struct.Struct(">I")
CHUNK = 1 << 20
HEADER_LIMIT = 16 << 20  # JSON grows some tenfold when it is read
_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # of a character beyond the first 65,536


class Malformed(Exception):
    """The other side closed early, said too much, or did not speak this protocol."""


def send(sock: socket.socket, header: dict[str, Any], blobs: Sequence[bytes] = ()) -> None:
    """Send one message; `sizes` is added to the header. NaN is refused: it is no JSON."""
    encoded = json.dumps({**header, "sizes": [len(blob) for blob in blobs]}, allow_nan=False).encode()
    sock.sendall(LENGTH.pack(len(encoded)) + encoded)
    for blob in blobs:
        sock.sendall(blob)


def receive(sock: socket.socket, limit: int) -> tuple[dict[str, Any], list[bytes]]:
    """Receive one message of at most `limit` bytes; raise `Malformed` for anything else."""
    (length,) = LENGTH.unpack(_exactly(sock, LENGTH.size))
    if length > min(limit, HEADER_LIMIT):
        raise Malformed("the answer is too large")
    try:
        header = _read(_exactly(sock, length))
        sizes = [int(size) for size in header.pop("sizes")]
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError, OverflowError) as error:
        raise Malformed("the answer makes no sense") from error
    if min(sizes, default=0) < 0 or length + sum(sizes) > limit:
        raise Malformed("the answer is too large")
    return header, [_exactly(sock, size) for size in sizes]


def _read(encoded: bytes) -> Any:
    """Read JSON as strictly as a database takes it: no NaN, nothing infinite, and no half of a character."""
    words = encoded.decode()  # json would take halves, and guess at UTF-16
    header = json.loads(words, parse_constant=_finite, parse_float=_finite)
    if _HALF.search(words):
        json.dumps(header, ensure_ascii=False).encode()  # a ValueError, unless each has its other half
    return header


def _finite(number: str) -> float:
    if not math.isfinite(said := float(number)):
        raise ValueError("no number")
    return said


def _exactly(sock: socket.socket, count: int) -> bytes:
    # A blocking socket hands over a large blob in one piece and one allocation; one with a timeout cannot.
    most = count if sock.gettimeout() is None else CHUNK
    pieces = []
    while count:
        piece = sock.recv(min(count, most), socket.MSG_WAITALL)
        if not piece:
            raise Malformed("no answer came")
        pieces.append(piece)
        count -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
