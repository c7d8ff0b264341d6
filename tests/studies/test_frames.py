from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studies.frames import (
    MAX_FRAMES,
    Frames,
    decode_frames,
    encapsulated_frames,
    encode_frames,
    native_frames,
    offset_table,
)

# Four fragments one after another, their items at 0, 18, 38 and 68 from the first.
FRAGMENTS = [108, 10, 126, 12, 146, 22, 176, 4]
FOUR = [(108, 10), (126, 12), (146, 22), (176, 4)]


def test_native_frames_follow_each_other() -> None:
    assert native_frames(1000, 24, count=3, bits=64) == [[(1000, 8)], [(1008, 8)], [(1016, 8)]]


@pytest.mark.parametrize(
    ("length", "count", "bits", "size"),
    [(9, 1, 72, 9), (10, 1, 72, 9), (2, 1, 9, 2), (12, 1, 80, 10), (128, 1, 512, 64)],
)
def test_one_native_frame_may_be_odd_and_padded(length: int, count: int, bits: int, size: int) -> None:
    expected = [[(50, size)]] if length - size < size else []
    assert native_frames(50, length, count, bits) == expected


def test_small_odd_frames_may_have_their_pad_byte() -> None:
    assert native_frames(0, 4, count=3, bits=8) == [[(0, 1)], [(1, 1)], [(2, 1)]]


@pytest.mark.parametrize(
    ("length", "count", "bits"),
    [
        (97_538, 3, 510 * 510),  # frames that share a byte
        (15, 1, 128),  # too short
        (32, 1, 128),  # as many bytes again
        (10_000, 1, 8 * 8_000),  # a colour that is not subsampled as it says
        (0, 1, 0),
        (MAX_FRAMES + 1, MAX_FRAMES + 1, 8),
    ],
)
def test_native_frames_that_do_not_add_up_are_not_guessed(length: int, count: int, bits: int) -> None:
    assert native_frames(0, length, count, bits) == []


def test_fragments_are_frames_when_they_are_as_many() -> None:
    assert encapsulated_frames(FRAGMENTS, (), 4) == [[pair] for pair in FOUR]


def test_all_fragments_make_a_single_frame() -> None:
    assert encapsulated_frames(FRAGMENTS, (), 1) == [FOUR]


def test_a_table_says_which_fragments_belong_together() -> None:
    assert encapsulated_frames(FRAGMENTS, (0, 38), 2) == [FOUR[:2], FOUR[2:]]
    assert encapsulated_frames(FRAGMENTS, (0, 18, 68), 3) == [FOUR[:1], FOUR[1:3], FOUR[3:]]


@pytest.mark.parametrize("table", [(), (0,), (0, 18, 38), (0, 17), (18, 38), (38, 0), (0, 0), (0, 9999)])
def test_without_a_table_that_fits_frames_are_not_guessed(table: tuple[int, ...]) -> None:
    assert encapsulated_frames(FRAGMENTS, table, 2) == []


def test_without_fragments_there_are_no_frames() -> None:
    assert encapsulated_frames([], (0,), 1) == []


def test_too_many_frames_are_not_listed() -> None:
    assert encapsulated_frames([0, 1] * (MAX_FRAMES + 1), (), MAX_FRAMES + 1) == []


def test_offset_tables_are_read_little_endian() -> None:
    assert offset_table(b"\0\0\0\0\x10\x01\0\0", "L") == (0, 272)
    assert offset_table(b"\0\0\0\0\x01\0\0\0", "Q") == (2**32,)
    assert offset_table(b"\x01\0\0\0\xff", "L") == (1,)
    assert offset_table(b"", "Q") == ()


@settings(deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(0, 2**40), st.integers(0, 2**32)))))
def test_packed_frames_come_back_unchanged(frames: Frames) -> None:
    assert decode_frames(encode_frames(frames)) == frames


def test_equal_frames_pack_into_almost_nothing() -> None:
    frames = native_frames(1234, 10_000 * 524_288, count=10_000, bits=8 * 524_288)
    assert len(frames) == 10_000
    assert len(encode_frames(frames)) < 1000
