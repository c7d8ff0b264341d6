"""A spool of its own, a portal that says what a test wants, and the gateway between them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Condition, Thread
from typing import Any

import pytest

from gateway.config import Config, Dicom, Keeping, Peer, Portal
from gateway.spool import Spool, opened

# pynetdicom drops a socket that nobody answered without closing it; Python closes it at once, and says so.
unanswered = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
KEY = "lbx_0123456789ab_key"


@dataclass(frozen=True)
class Says:
    """One answer of the portal; `verdict` maps the number of a file in the request to a failure, None for taken."""

    status: int = 200
    verdict: dict[int, int] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    silent: bool = False  # names no instance
    words: str = ""
    wants: object = None  # of the gateway, when it tells how it is


class ScriptedPortal:
    """Answers STOW-RS over a real socket: first what the script says, then that it took everything."""

    def __init__(self) -> None:
        self.script: list[Says] = []
        self.requests: list[list[bytes]] = []
        self.reports: list[tuple[str, bytes]] = []
        self.states: list[dict[str, Any]] = []
        self.messages: list[tuple[str, dict[str, Any]]] = []
        self.keys: list[str] = []
        self.ready, self.knows_key = 200, True
        self._arrived = Condition()
        portal = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                if self.path.startswith("/api/"):
                    self._take_words()
                    return
                body = b"".join(_chunks(self.rfile))
                head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
                message = BytesParser().parsebytes(head + body)
                files = [part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()]
                portal.keys.append(self.headers["Authorization"])
                with portal._arrived:
                    portal.requests.append([file for file in files if isinstance(file, bytes)])
                    portal._arrived.notify_all()
                said = portal.script.pop(0) if portal.script else Says()
                content = json.dumps({} if said.silent else _module(portal.requests[-1], said)).encode()
                self.send_response(said.status)
                for name, value in {**said.headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def _take_words(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                portal.keys.append(self.headers["Authorization"])
                is_report = self.path == "/api/v1/reports/"
                if is_report:
                    portal.reports.append((self.headers["Content-Type"], body))
                elif self.path != "/api/v1/gateways/":
                    portal.messages.append((self.path, json.loads(body)))
                else:
                    portal.states.append(json.loads(body))
                said = portal.script.pop(0) if portal.script else Says(201 if is_report else 204)
                told = {"message": said.words} if said.wants is None else said.wants
                content = json.dumps(told).encode() if said.status != 204 else b""
                self.send_response(said.status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_GET(self) -> None:
                status = portal.ready if self.path == "/readyz" else 404 if portal.knows_key else 401
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_said: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def wait_for(self, count: int, seconds: float) -> bool:
        """Whether so many files have come within so many seconds."""
        with self._arrived:
            return self._arrived.wait_for(lambda: sum(map(len, self.requests)) >= count, seconds)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _chunks(stream: Any) -> Iterator[bytes]:
    while size := int(stream.readline(), 16):
        yield stream.read(size)
        stream.readline()
    stream.readline()


def _module(files: list[bytes], said: Says) -> dict[str, Any]:
    from gateway.receiving import about_file

    rows: dict[str, list[Any]] = {"00081199": [], "00081198": []}
    for number, file in enumerate(files):
        row: dict[str, Any] = {"00081155": {"vr": "UI", "Value": [about_file(file, "").sop_uid]}}
        if number in said.verdict:
            row["00081197"] = {"vr": "US", "Value": [said.verdict[number]]}
        rows["00081198" if number in said.verdict else "00081199"].append(row)
    return {tag: {"vr": "SQ", "Value": items} for tag, items in rows.items() if items}


@pytest.fixture
def portal() -> Iterator[ScriptedPortal]:
    scripted = ScriptedPortal()
    yield scripted
    scripted.stop()


@pytest.fixture
def config(tmp_path: Path, portal: ScriptedPortal) -> Config:
    key = tmp_path / "facility.key"
    key.write_text(f"{KEY}\n")
    return Config(
        portal=Portal(portal.url, key),
        spool=Keeping(tmp_path / "spool", least_free_mb=0),
        dicom=Dicom(ae_title="LIGHTBOX", address="127.0.0.1", port=0),
        peers=(Peer("PACS", "127.0.0.1"),),
    )


@pytest.fixture
def spool(config: Config) -> Iterator[Spool]:
    with opened(config.spool) as one:
        one.own()
        yield one
