from __future__ import annotations

from collections.abc import Callable, Iterable
from io import BytesIO
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studies.receiving.multipart import BadMultipart, Limits, Part, UnsupportedMedia, media_type, parts

RELATED = 'multipart/related; type="application/dicom"; boundary=edge'
BODY = (
    b"--edge\r\nContent-Type: application/dicom\r\nContent-Length: 5\r\n\r\nfirst"
    b"\r\n--edge\r\n\r\n\r\n-second\r\n-\r\n"
    b"\r\n--edge\r\nContent-Type: application/dicom\r\n\r\n"
    b"\r\n--edge--"
)
BODIES = [b"first", b"\r\n-second\r\n-\r\n", b""]


def collect(body: bytes, content_type: str = RELATED, limits: Limits | None = None) -> list[bytes]:
    return [b"".join(part.blocks()) for part in parts(BytesIO(body).read, content_type, limits)]


def refusal(body: bytes, content_type: str = RELATED, limits: Limits | None = None) -> str:
    with pytest.raises(BadMultipart) as refused:
        collect(body, content_type, limits)
    assert refused.value.status == 400
    return refused.value.code


def reader(pieces: Iterable[bytes]) -> Callable[[int], bytes]:
    """A `read` that answers with these pieces, whatever was asked for (none longer than asked)."""
    source = iter(pieces)

    def read(count: int) -> bytes:
        piece = next(source, b"")
        assert len(piece) <= count
        return piece

    return read


def test_parts_come_back_byte_for_byte() -> None:
    assert collect(BODY) == BODIES


def test_part_headers_are_lower_case_and_may_be_missing() -> None:
    headers = [part.headers for part in parts(BytesIO(BODY).read, RELATED)]
    assert headers == [
        {"content-type": "application/dicom", "content-length": "5"},
        {},
        {"content-type": "application/dicom"},
    ]


@settings(deadline=None)
@given(st.lists(st.integers(1, len(BODY) - 1)))
def test_any_split_into_reads_gives_the_same_parts(cuts: list[int]) -> None:
    edges = [0, *sorted(set(cuts)), len(BODY)]
    pieces = [BODY[start:end] for start, end in pairwise(edges)]
    assert [b"".join(part.blocks()) for part in parts(reader(pieces), RELATED)] == BODIES


@settings(deadline=None)
@given(st.lists(st.binary(max_size=60).filter(lambda body: b"--edge" not in body)), st.integers(60, 99))
def test_what_is_written_is_read_whatever_the_block(bodies: list[bytes], block: int) -> None:
    written = b"".join(b"--edge\r\n\r\n" + body + b"\r\n" for body in bodies) + b"--edge--\r\n"
    if bodies:
        assert collect(written, limits=Limits(block=block, head=32)) == bodies
    else:
        assert refusal(written) == "no_parts"


@pytest.mark.parametrize("lead", [b"", b"\r\n", b"A preamble for readers without MIME\r\n"])
@pytest.mark.parametrize("trail", [b"", b"\r\n", b"\r\nAn epilogue\r\n--edge\r\n"])
def test_preamble_and_epilogue_are_ignored(lead: bytes, trail: bytes) -> None:
    assert collect(lead + BODY + trail) == BODIES


def test_blanks_after_a_delimiter_are_padding() -> None:
    assert collect(b"--edge \t\r\nA: b\r\n\r\nbody\r\n--edge--") == [b"body"]


@pytest.mark.parametrize("boundary", ["edge", '"edge"', ' "edge" ', '"e\\dge"', "edge ; charset=x"])
def test_a_boundary_may_be_quoted_or_bare(boundary: str) -> None:
    assert collect(BODY, f"Multipart/Related;boundary={boundary}") == BODIES


def test_a_boundary_of_73_characters_is_taken() -> None:
    # Orthanc sends one, three more than RFC 2046 allows.
    long = BODY.replace(b"--edge", b"--" + b"f" * 73)
    assert collect(long, "multipart/related; boundary=" + "f" * 73) == BODIES


def test_a_body_of_one_object_is_one_part() -> None:
    (part,) = parts(BytesIO(b"DICM").read, "application/dicom; transfer-syntax=1.2")
    assert part.headers == {"content-type": "application/dicom; transfer-syntax=1.2"}
    assert list(part.blocks()) == [b"DICM"]


def test_an_empty_single_body_has_no_part() -> None:
    assert refusal(b"", "application/dicom") == "no_parts"


def test_a_part_left_unread_is_drained() -> None:
    seen: list[Part] = []
    for part in parts(BytesIO(BODY).read, RELATED):
        if not seen:
            next(part.blocks())
        seen.append(part)
    assert len(seen) == 3
    assert [list(part.blocks()) for part in seen] == [[], [], []]


def test_a_body_is_never_held() -> None:
    limits = Limits(block=1000, head=100)
    asked = []

    def read(count: int) -> bytes:
        asked.append(count)
        return source.read(count)

    source = BytesIO(b"--edge\r\n\r\n" + b"\r\n--edg" * 20_000 + b"\r\n--edge--")
    (lengths,) = ([len(block) for block in part.blocks()] for part in parts(read, RELATED, limits))
    assert sum(lengths) == 140_000
    assert max(lengths) <= 1000
    assert max(asked) <= 1000


def test_parts_are_there_before_the_request_ends() -> None:
    arrived = reader([BODY[:70], BODY[70:]])
    assert next(parts(arrived, RELATED)).headers["content-length"] == "5"


@pytest.mark.parametrize("end", range(len(BODY)))
def test_a_body_cut_off_anywhere_is_refused(end: int) -> None:
    assert refusal(BODY[:end]) == ("boundary_not_found" if end < len("--edge") else "multipart_truncated")


@pytest.mark.parametrize(
    ("content_type", "code"),
    [
        ('multipart/related; type="application/dicom"', "boundary_missing"),
        ("multipart/related; boundary=", "boundary_missing"),
        ("multipart/related; boundary=grün", "boundary_invalid"),
        (f"multipart/related; boundary={'x' * 201}", "boundary_invalid"),
    ],
)
def test_a_boundary_that_cannot_be_used_is_refused(content_type: str, code: str) -> None:
    assert refusal(BODY, content_type) == code


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"--edge--\r\n", "no_parts"),
        (b"--edge\r\nno colon\r\n\r\n\r\n--edge--", "part_headers_invalid"),
        (b"--edge\r\n: no name\r\n\r\n\r\n--edge--", "part_headers_invalid"),
        (b"--edges\r\n\r\nbody\r\n--edge--", "boundary_ambiguous"),
        (BODY.replace(b"\r\n", b"\n"), "bare_line_feed"),
        (b"x" * 70_000 + b"\r\n" + BODY, "boundary_not_found"),
        (b"--edge\r\nA: " + b"x" * 8192 + b"\r\n\r\n\r\n--edge--", "part_headers_too_long"),
        (b"--edge\r\nA: " + b"x" * 9999, "part_headers_too_long"),
    ],
)
def test_a_body_that_is_not_what_it_says_is_refused(body: bytes, code: str) -> None:
    assert refusal(body) == code


def test_the_number_of_parts_is_limited() -> None:
    assert refusal(BODY, limits=Limits(parts=2)) == "too_many_parts"
    assert collect(BODY, limits=Limits(parts=3)) == BODIES


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "multipart/form-data; boundary=edge",
        'multipart/related; type="application/dicom+xml"; boundary=edge',
    ],
)
def test_other_types_are_refused_before_anything_is_read(content_type: str) -> None:
    def unread(count: int) -> bytes:
        raise AssertionError(f"read {count} bytes")

    with pytest.raises(UnsupportedMedia) as refused:
        parts(unread, content_type)
    assert refused.value.code == "unsupported_media"


def test_a_transfer_syntax_inside_the_type_does_no_harm() -> None:
    orthanc = 'multipart/related; type="application/dicom; transfer-syntax=*"; boundary=edge'
    assert collect(BODY, orthanc) == BODIES


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        ("Text/HTML", ("text/html", {})),
        ("a/b; X=1;y = two ;z", ("a/b", {"x": "1", "y": "two"})),
        ('a/b; x="1;2\\"3"; y=4', ("a/b", {"x": '1;2"3', "y": "4"})),
        ("a/b; x=first; x=second", ("a/b", {"x": "first"})),
        ('a/b; x="open', ("a/b", {"x": ""})),
    ],
)
def test_media_types_are_parsed(value: str, parsed: tuple[str, dict[str, str]]) -> None:
    assert media_type(value) == parsed


def test_folded_headers_are_one_line() -> None:
    (part,) = parts(BytesIO(b"--edge\r\nA: b\r\n\tc\r\n\r\n\r\n--edge--").read, RELATED)
    assert part.headers == {"a": "b c"}
