"""Every way that real senders frame their bodies, and every one that cannot be read (PS3.18 §8.6)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import pytest
from pydicom.uid import ExplicitVRBigEndian

from accounts.audit import Actor
from accounts.facilities import add_facility
from studies.models import Instance
from tests.factories import ct_file, ct_series, ct_slice, dicom_bytes, uid
from tests.studies.stow import Sender, module, refused

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("files")]

FILES = ct_series(2, size=16)
RELATED = 'multipart/related; type="application/dicom"; boundary='
DICOM_PART = "Content-Type: application/dicom"


@pytest.fixture
def sender() -> Sender:
    return Sender(*add_facility("Lakeside", actor=Actor.operator()))


@dataclass(frozen=True)
class Framing:
    """How a sender writes its request down: `boundary` in the body, `kind` as its Content-Type."""

    kind: str = f"{RELATED}edge"
    boundary: str = "edge"
    lead: bytes = b""
    head: str = DICOM_PART
    end: bytes = b"--\r\n"

    def body(self, *files: bytes) -> bytes:
        delimiter = b"--" + self.boundary.encode()
        head = "".join(f"{line}\r\n" for line in self.head.splitlines())
        heads = [delimiter + b"\r\n" + head.replace("SIZE", str(len(file))).encode() + b"\r\n" for file in files]
        parts = [head + file + b"\r\n" for head, file in zip(heads, files, strict=True)]
        return b"".join([self.lead, *parts, delimiter, self.end])


LONG = "f7b2f5a04e9c4f5e8a3c-1b6d8e2f9a7c4d3e-0f1e2d3c4b5a69788796a5b4c3d2e1f0-73ch"
ODD = "--=_Part 7 ('+_,-./:=?) 29"
TAKEN = {
    "bare boundary": Framing(),
    "quoted boundary": Framing(kind=f'{RELATED}"edge"'),
    "73 characters, as Orthanc sends them": Framing(kind=RELATED + LONG, boundary=LONG),
    "blanks and signs in a quoted boundary": Framing(kind=f'{RELATED}"{ODD}"', boundary=ODD),
    "escapes in a quoted boundary": Framing(kind=f'{RELATED}"e\\dge"'),
    "upper-case names": Framing(kind='MULTIPART/Related; TYPE="Application/DICOM"; Boundary=edge'),
    "bare type": Framing(kind="multipart/related; type=application/dicom; boundary=edge"),
    "no type": Framing(kind="multipart/related; boundary=edge"),
    "boundary before type": Framing(kind='multipart/related; boundary=edge; type="application/dicom"'),
    "a transfer syntax inside the type, as Orthanc's": Framing(
        kind='multipart/related; type="application/dicom; transfer-syntax=1.2.840.10008.1.2.1"; boundary=edge'
    ),
    "a start and a charset as well": Framing(kind=f'{RELATED}edge; start="<1@x>"; charset=utf-8'),
    "a preamble": Framing(lead=b"This is a multipart message.\r\n"),
    "a line end first, as dicomweb-client's": Framing(lead=b"\r\n"),
    "nothing after the end": Framing(end=b"--"),
    "an epilogue": Framing(end=b"--\r\nThat was all.\r\n--edge\r\n"),
    "a long epilogue": Framing(end=b"--\r\n" + b"That was all.\r\n" * 50_000),
    "parts with their length": Framing(head=f"{DICOM_PART}\r\nContent-Length: SIZE"),
    "parts without any header": Framing(head=""),
    "parts of no particular type": Framing(head="Content-Type: application/octet-stream"),
    "parts with a transfer syntax": Framing(head=f"{DICOM_PART}; transfer-syntax=1.2.840.10008.1.2.1"),
    "parts with a location and an id": Framing(
        head=f"{DICOM_PART}\r\nContent-Location: urn:x\r\nContent-ID: <1@x>\r\nMIME-Version: 1.0"
    ),
    "folded part headers": Framing(head="Content-Type:\r\n application/dicom"),
    "lower-case part headers without blanks": Framing(head="content-type:application/dicom"),
    "a part length that is no number": Framing(head=f"{DICOM_PART}\r\nContent-Length: unknown"),
}


@pytest.mark.parametrize("framing", TAKEN.values(), ids=TAKEN)
@pytest.mark.parametrize("in_chunks", [False, True], ids=["length", "chunked"])
def test_a_senders_way_is_taken_byte_for_byte(sender: Sender, framing: Framing, in_chunks: bool) -> None:
    body = framing.body(*FILES)
    pieces = (body[at : at + 777] for at in range(0, len(body), 777))
    answer = sender.post_in_chunks(pieces, framing.kind) if in_chunks else sender.post(body, framing.kind)
    assert answer.status_code == 200, answer.content
    assert len(module(answer).ReferencedSOPSequence) == 2
    assert {bytes(instance.sha256) for instance in Instance.objects.all()} == {
        hashlib.sha256(file).digest() for file in FILES
    }


@pytest.mark.parametrize("size", [256 + 2048, 256 + 2048 + 16_384])
def test_the_last_line_end_may_be_a_block_of_its_own(sender: Sender, size: int) -> None:
    file = ct_file(size=24)
    framing = Framing(lead=b"x" * (size - len(Framing(lead=b"\r\n").body(file)) + 2) + b"\r\n")
    body = framing.body(file)
    assert len(body) == size + len(b"\r\n")
    assert sender.post(body, framing.kind).status_code == 200


def test_dcm4che_is_answered_in_json(sender: Sender) -> None:
    # It asks for XML and logs whatever comes; 406 would make it call a stored study a failure.
    framing = Framing(kind="multipart/related; type=application/dicom; boundary=myboundary", boundary="myboundary")
    answer = sender.post(framing.body(*FILES), framing.kind, headers={"Accept": "application/dicom+xml"})
    assert answer.status_code == 200
    assert len(module(answer).ReferencedSOPSequence) == 2


@pytest.mark.parametrize("kind", ["application/dicom", 'Application/DICOM; transfer-syntax="1.2.840.10008.1.2.1"'])
def test_one_instance_may_come_alone(sender: Sender, kind: str) -> None:
    assert sender.post(FILES[0], kind).status_code == 200
    assert sender.post_in_chunks([FILES[0]], kind).status_code == 200
    assert Instance.objects.count() == 1


# --- what cannot be read


XML_AND_BULK = 'multipart/related; type="application/dicom+xml"; boundary=edge'
JSON_AND_BULK = 'multipart/related; type="application/dicom+json"; boundary=edge'
REFUSED = {
    "no boundary": ("multipart/related", b"x", 400, "boundary_missing"),
    "no parts": (f"{RELATED}edge", b"--edge--\r\n", 400, "no_parts"),
    "an empty body": (f"{RELATED}edge", b"", 400, "boundary_not_found"),
    "an empty instance": ("application/dicom", b"", 400, "no_parts"),
    "another boundary in the body": (f"{RELATED}other", Framing().body(*FILES), 400, "boundary_not_found"),
    "lines that end in LF": (f"{RELATED}edge", b"--edge\nA: b\n\nx\n--edge--\n", 400, "bare_line_feed"),
    "no end": (f"{RELATED}edge", Framing().body(*FILES)[:-8], 400, "multipart_truncated"),
    "a part's header without a colon": (f"{RELATED}edge", b"--edge\r\nA\r\n\r\n", 400, "part_headers_invalid"),
    "endless part headers": (f"{RELATED}edge", b"--edge\r\nA: " + b"x" * 9000, 400, "part_headers_too_long"),
    "metadata in XML beside bulk data": (
        XML_AND_BULK,
        Framing().body(b"<NativeDicomModel/>"),
        415,
        "unsupported_media",
    ),
    "metadata in JSON beside bulk data": (JSON_AND_BULK, Framing().body(b"[]"), 415, "unsupported_media"),
    "a form": ("multipart/form-data; boundary=edge", b"--edge--\r\n", 415, "unsupported_media"),
    "no type at all": ("", b"x", 415, "unsupported_media"),
    "JSON": ("application/json", b"{}", 415, "unsupported_media"),
}


@pytest.mark.parametrize(("kind", "body", "status", "code"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_refused_with_a_sentence(
    sender: Sender, kind: str, body: bytes, status: int, code: str
) -> None:
    answer = sender.post(body, kind)
    assert refused(answer) == (status, code)
    said = json.loads(answer.content)
    assert said["message"].endswith(".")
    assert said["hint"].endswith(".")
    assert not Instance.objects.exists()


# --- one bad part harms no other


def test_a_part_that_is_no_dicom_fails_alone(sender: Sender) -> None:
    answer = sender.post(Framing().body(FILES[0], b"\xff\xd8\xff\xe0 a photograph", FILES[1]), f"{RELATED}edge")
    assert answer.status_code == 202
    assert [item.FailureReason for item in module(answer).FailedSOPSequence] == [0xC000]
    assert len(module(answer).ReferencedSOPSequence) == 2
    assert "Send DICOM objects" in answer.headers["Warning"]


def test_only_what_is_no_dicom_is_a_conflict(sender: Sender) -> None:
    answer = sender.post(Framing().body(b"", b"%PDF-1.7 a letter"), f"{RELATED}edge")
    assert answer.status_code == 409
    assert [item.FailureReason for item in module(answer).FailedSOPSequence] == [0xC000, 0xC000]


@pytest.mark.parametrize("lie", [-1, +1, -100, 10**12])
def test_a_part_that_is_not_as_long_as_it_says_fails_alone(sender: Sender, lie: int) -> None:
    head = f"{DICOM_PART}\r\nContent-Length: {len(FILES[0]) + lie}"
    body = Framing(head=head).body(FILES[0]).removesuffix(b"--\r\n") + b"\r\n" + Framing().body(FILES[1])[8:]
    answer = sender.post(body, f"{RELATED}edge")
    assert answer.status_code == 202
    (failed,) = module(answer).FailedSOPSequence
    assert (failed.ReferencedSOPInstanceUID, failed.FailureReason) == (uid(1, 1, 1), 0xC000)
    assert "Content-Length" in answer.headers["Warning"]
    assert [instance.sop_uid for instance in Instance.objects.all()] == [uid(1, 1, 2)]


# --- an instance that ends where its connection does


def cuts(file: bytes) -> list[int]:
    """Places to break a file off: within and between elements, within pixels."""
    return [150, file.index(b"\x10\x00\x10\x00"), file.index(b"\xe0\x7f\x10\x00"), len(file) - 100, len(file) - 1]


@pytest.mark.parametrize("end", cuts(FILES[0]))
def test_an_instance_in_chunks_must_reach_the_end_of_its_pixels(sender: Sender, end: int) -> None:
    # A server in front of us may call a connection that broke an end of the body.
    assert refused(sender.post_in_chunks([FILES[0][:end]], "application/dicom")) == (400, "no_end")
    assert not Instance.objects.exists()


def test_an_instance_whose_end_nobody_sees_needs_a_length(sender: Sender) -> None:
    file = ct_file(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", PixelData=None, Rows=None)
    refusal = sender.post_in_chunks([file], "application/dicom")
    assert refused(refusal) == (400, "no_end")
    assert "Content-Length" in json.loads(refusal.content)["hint"]
    assert sender.post(file, "application/dicom").status_code == 200


def test_a_deflated_instance_says_itself_where_it_ends(sender: Sender) -> None:
    file = dicom_bytes(ct_slice(), ExplicitVRBigEndian)
    assert refused(sender.post_in_chunks([file[:-9]], "application/dicom")) == (400, "no_end")
    assert sender.post_in_chunks([file], "application/dicom").status_code == 200
