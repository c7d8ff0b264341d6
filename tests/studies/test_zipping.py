"""A ZIP is as large as it said, opens everywhere, and breaks off rather than hold other bytes."""

from __future__ import annotations

import shutil
import subprocess
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studies.takehome import zipping
from studies.takehome.zipping import BLOCK, Member, MemberChanged, Zip

NOON = datetime(2026, 3, 5, 12, 30, 8, tzinfo=UTC)


def member(name: str, body: bytes, *, summed: bool = True, pieces: int = 3) -> Member:
    step = max(len(body) // pieces, 1)

    def blocks() -> Iterator[bytes]:
        return (body[at : at + step] for at in range(0, len(body), step))

    return Member(name, len(body), blocks, zlib.crc32(body) if summed else None)


def written(*members: Member) -> bytes:
    archive = Zip(members, NOON)
    whole = b"".join(archive.blocks())
    assert len(whole) == archive.size
    return whole


def test_every_member_comes_back_with_its_name_and_time() -> None:
    whole = written(member("README.TXT", b"hello"), member("DICOM/S0001/I00001", b"\0" * 1000))
    with ZipFile(BytesIO(whole)) as opened:
        assert opened.testzip() is None
        assert opened.read("README.TXT") == b"hello"
        entry = opened.getinfo("DICOM/S0001/I00001")
    assert entry.date_time == (2026, 3, 5, 12, 30, 8)
    assert entry.compress_type == ZIP_STORED
    assert entry.external_attr >> 16 == 0o100644


@given(st.lists(st.tuples(st.binary(max_size=300), st.booleans()), max_size=8))
def test_any_members_make_a_zip_of_the_promised_size(bodies: list[tuple[bytes, bool]]) -> None:
    members = [member(f"F{n}", body, summed=summed) for n, (body, summed) in enumerate(bodies)]
    with ZipFile(BytesIO(written(*members))) as opened:
        assert [opened.read(name) for name in opened.namelist()] == [body for body, _ in bodies]


@pytest.mark.parametrize("beside", range(-40, 1))
def test_no_alignment_of_blocks_cuts_the_zip_short(beside: int) -> None:
    whole = written(member("A", b"x" * (BLOCK + beside)), member("B", b"last"))
    with ZipFile(BytesIO(whole)) as opened:
        assert opened.read("B") == b"last"


def test_blocks_are_neither_tiny_nor_huge() -> None:
    members = [member(f"{n:03}", b"x" * 5000, pieces=1) for n in range(200)]
    sizes = [len(block) for block in Zip(members, NOON).blocks()]
    assert all(BLOCK <= size < BLOCK + 6000 for size in sizes[:-1])


@pytest.mark.parametrize("length", [zipping.HELD, zipping.HELD + 1])
def test_an_unknown_checksum_is_made_on_the_way(length: int) -> None:
    whole = written(member("picture.jpg", b"j" * length, summed=False))
    with ZipFile(BytesIO(whole)) as opened:
        assert opened.testzip() is None


@pytest.mark.parametrize("body", [b"hellO", b"hell", b"hello!"])
def test_other_bytes_than_promised_break_the_zip_off(body: bytes) -> None:
    promised = Member("x", 5, lambda: [body], zlib.crc32(b"hello"))
    with pytest.raises(MemberChanged, match=r"^x: "):
        list(Zip([promised], NOON).blocks())


@pytest.fixture
def zip64_from_1000_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader takes ZIP64's numbers whether or not they were needed, so no test has to move 4 GiB."""
    monkeypatch.setattr(zipping, "LARGE", 1000)
    monkeypatch.setattr(zipping, "MANY", 3)


@pytest.mark.usefixtures("zip64_from_1000_bytes")
def test_large_members_far_members_and_many_members_use_zip64() -> None:
    bodies = {"small": b"s", "large": b"l" * 5000, "far": b"f", "large and far": b"F" * 2000}
    whole = written(*(member(name, body) for name, body in bodies.items()))
    assert b"PK\6\6" in whole
    with ZipFile(BytesIO(whole)) as opened:
        assert {name: opened.read(name) for name in opened.namelist()} == bodies


def test_lengths_and_places_beyond_4_gib_are_written_in_full() -> None:
    large, after = Member("large", 5 << 30, list, 0), member("after", b"x")
    archive = Zip([large, after], NOON)
    local = archive._local_header(large, 0)
    assert local.endswith((5 << 30).to_bytes(8, "little") * 2)
    where = (len(local) + (5 << 30)).to_bytes(8, "little")
    assert archive._central_header(after, 0, archive._offsets[1]).endswith(where)
    assert archive.size > 5 << 30


@pytest.mark.skipif(not shutil.which("unzip"), reason="Info-ZIP is not installed")
def test_info_zip_finds_nothing_to_complain_about(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(written(member("DICOM/A", b"a" * 70_000), member("B", b"b", summed=False)))
    tested = subprocess.run(["unzip", "-t", path], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stdout
