"""HL7 in, over real sockets: acknowledged when it is kept, refused in words, kept once."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest

from gateway.config import Hl7
from gateway.listening import Listener
from gateway.spool import NoRoom, Spool
from tests.gateway.test_messages import PDF, oru

SAID = Hl7(address="127.0.0.1", port=0)


@contextmanager
def listening(spool: Spool, said: Hl7 = SAID) -> Iterator[Listener]:
    one = Listener(said, spool)
    one.start()
    try:
        yield one
    finally:
        one.stop()


@pytest.fixture
def listener(spool: Spool) -> Iterator[Listener]:
    with listening(spool) as one:
        yield one


def frame(message: str | bytes) -> bytes:
    """A message as MLLP sends it."""
    return b"\x0b" + (message if isinstance(message, bytes) else message.encode()) + b"\x1c\r"


def send(listener: Listener, *messages: str | bytes) -> list[str]:
    """Send one after the other on one line; MSA-1 and MSA-3 of each answer."""
    with socket.create_connection(("127.0.0.1", listener.port), timeout=20) as line:
        said: list[str] = []
        for message in messages:
            line.sendall(frame(message))
            block = _block(line)
            if not block:
                break
            parts = block.decode().split("\r")[1].split("|")
            said.append(f"{parts[1]} {parts[3]}".strip())
        return said


def test_a_report_is_acknowledged_when_it_is_kept(listener: Listener, spool: Spool) -> None:
    assert send(listener, oru("TX|||Lungs clear.")) == ["AA"]
    one = spool.due_report()
    assert one
    assert (one.about.accession_number, one.about.status, one.about.source) == ("ACC-1", "final", "RIS HOSPITAL")
    assert b"".join(spool.read(one)) == b"Lungs clear."


def kept(spool: Spool) -> list[int]:
    """How many reports wait, and how many messages beside them."""
    kinds = [row[0] for row in spool._rows("SELECT kind FROM files WHERE state = 'waiting'")]
    return [kinds.count("report"), kinds.count("message")]


def test_many_on_one_line_and_a_large_one(listener: Listener, spool: Spool) -> None:
    large = base64.b64encode(PDF + bytes(3_000_000)).decode()
    several = [oru("TX|||One"), oru(f"ED|||^application^pdf^Base64^{large}").replace("MSG-1", "MSG-2")]
    assert send(listener, *several) == ["AA", "AA"]
    assert kept(spool) == [2, 2]


def test_the_same_message_again_is_kept_once(listener: Listener, spool: Spool) -> None:
    assert send(listener, oru("TX|||One"), oru("TX|||One")) == ["AA", "AA"]
    assert send(listener, oru("TX|||Two")) == ["AA"]  # a number that is used again is no reason to lose a report
    assert kept(spool) == [2, 1]


def test_a_message_in_pieces_and_two_in_one(listener: Listener, spool: Spool) -> None:
    whole = frame(oru("TX|||One")) + frame(oru("TX|||Two").replace("MSG-1", "MSG-2"))
    with socket.create_connection(("127.0.0.1", listener.port), timeout=20) as line:
        for start in range(0, len(whole), 100):
            line.sendall(whole[start : start + 100])
        said = b""
        while said.count(b"\x1c\r") < 2:
            said += line.recv(65536)
    assert said.count(b"MSA|AA|") == 2
    assert kept(spool) == [2, 2]


def _block(line: socket.socket) -> bytes:
    """One answer; nothing when the other side hung up."""
    block = b""
    with suppress(ConnectionResetError):
        while not block.endswith(b"\x1c\r") and (got := line.recv(65536)):
            block += got
    return block


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        (
            oru("TX|||Text").replace("ORU^R01", "ADT^A01"),
            "AR The gateway takes ADT^A04, ADT^A08, ADT^A18, ADT^A28, ADT^A31, ADT^A40, OMI^O23, ORM^O01, ORU^R01."
            " Send it nothing else.",
        ),
        (oru("TX|||Text").replace("MSG-1", ""), "AR The message has no control ID in MSH-10."),
        (oru(), "AR There is no text and no PDF in its OBX segments."),
        ("nonsense", "AR This is no HL7 v2 message: it does not begin with MSH."),
    ],
)
def test_what_is_not_understood_is_refused_and_the_line_stays(
    listener: Listener, spool: Spool, message: str, answer: str
) -> None:
    assert send(listener, message, oru("TX|||Text")) == [answer, "AA"]
    assert kept(spool) == [1, 1]


def test_a_status_without_a_report_moves_its_exam(listener: Listener, spool: Spool) -> None:
    assert send(listener, oru(status="S")) == ["AA"]
    assert kept(spool) == [0, 1]


def test_messages_go_in_the_order_in_which_they_came(listener: Listener, spool: Spool) -> None:
    """A correction of the patient before the order that relies on it, however often one has to wait."""
    adt = oru().replace("ORU^R01", "ADT^A08")
    orm = oru(status="S").replace("ORU^R01", "ORM^O01").replace("MSG-1", "MSG-2")
    assert send(listener, adt, orm) == ["AA", "AA"]
    first = spool.due_message()
    assert first
    assert first.about.path == "patients"
    assert json.loads(b"".join(spool.read(first)))["name"] == "ZEBRAFISH^MARIA"
    spool.postpone([first], 60, "away")
    assert spool.due_message() is None
    spool.published([first])
    second = spool.due_message()
    assert second
    assert json.loads(b"".join(spool.read(second)))["state"] == "scheduled"


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (NoRoom(), "AE There is no room now. Send it again later."),
        (OSError(5), "AE The disk failed. Send it again later."),
    ],
)
def test_a_disk_in_trouble_acknowledges_nothing(
    listener: Listener, spool: Spool, monkeypatch: pytest.MonkeyPatch, trouble: Exception, words: str
) -> None:
    def fails(*_said: object) -> bool:
        raise trouble

    monkeypatch.setattr(spool, "take_report", fails)
    assert send(listener, oru("TX|||Text")) == [words]


def test_from_elsewhere_nobody_is_heard(spool: Spool) -> None:
    with listening(spool, replace(SAID, hosts=("192.0.2.1",))) as listener:
        assert send(listener, oru("TX|||Text")) == []
    with listening(spool, replace(SAID, hosts=("192.0.2.1", "127.0.0.1"))) as listener:
        assert send(listener, oru("TX|||Text")) == ["AA"]


def test_what_is_no_mllp_is_hung_up_on(listener: Listener) -> None:
    with socket.create_connection(("127.0.0.1", listener.port), timeout=20) as line:
        line.sendall(b"GET / HTTP/1.1\r\n\r\n\x1c\r")
        assert line.recv(100) == b""
    assert send(listener, oru("TX|||Text")) == ["AA"]


def test_reports_of_one_exam_go_in_their_order(listener: Listener, spool: Spool) -> None:
    """A final one does not overtake the preliminary one that waits; another exam's does."""
    first, second = oru("TX|||Early", status="P"), oru("TX|||Late").replace("MSG-1", "MSG-2")
    other = oru("TX|||Other", accession="ACC-2").replace("MSG-1", "MSG-3")
    send(listener, first, second, other)
    one = spool.due_report()
    assert one
    assert one.about.status == "preliminary"
    spool.postpone([one], 60, "away")
    two = spool.due_report()
    assert two
    assert two.about.accession_number == "ACC-2"
    spool.published([two])
    assert spool.due_report() is None
    spool.published([one])
    three = spool.due_report()
    assert three
    assert three.about.status == "final"
