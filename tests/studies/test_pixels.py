"""Where the pixels lie, and each frame of them, is told in passing and never guessed."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from tests.studies.dicom_made import image
from tests.studies.elements_made import (
    BIG,
    ENDLESS,
    EXPLICIT,
    ITEM_END,
    JPEG,
    PIXELS,
    SEQUENCE_END,
    cut,
    element,
    encapsulated,
    facts,
    file,
    item,
    outcome,
    picture,
    surprise,
    walk,
)


def test_numbers_and_places_are_told() -> None:
    raw = file(element(0x00200013, "IS", "7 "), *picture(frames="3"), element(PIXELS, "OB", b"abcdefghijkl"))
    found = facts(raw)
    assert (found.rows, found.columns, found.samples, found.bits_allocated) == (2, 2, 1, 8)
    assert (found.instance_number, found.number_of_frames, found.transfer_syntax) == ("7", 3, EXPLICIT)
    assert found.pixel_offset == raw.index(b"abcdefghijkl")
    assert found.pixel_length == 12
    assert cut(raw, found) == [b"abcd", b"efgh", b"ijkl"]


@pytest.mark.parametrize(("number", "vr", "width"), [(0x7FE00008, "OF", 4), (0x7FE00009, "OD", 8), (PIXELS, "OW", 1)])
def test_float_pixels_are_pixels(number: int, vr: str, width: int) -> None:
    found = facts(file(*picture(), element(number, vr, bytes(4 * width))))
    assert [length for frame in found.frames for _, length in frame] == [4 * width]


def test_an_icons_pixels_are_not_the_pictures() -> None:
    fragments = item() + item(b"icon") + SEQUENCE_END
    icon = item(element(PIXELS, "OB", fragments, length=ENDLESS) + ITEM_END, length=ENDLESS)
    sequence = element(0x00880200, "SQ", icon + SEQUENCE_END, length=ENDLESS)
    found = facts(file(*picture(), sequence, syntax=JPEG))
    assert (found.has_pixels, found.pixel_offset, found.frames) == (False, None, [])


def test_fragments_are_found_in_passing() -> None:
    raw = file(*picture(frames="2"), encapsulated(b"", b"first!", b"second"), syntax=JPEG)
    found = facts(raw)
    assert cut(raw, found) == [b"first!", b"second"]
    assert found.pixel_offset == raw.index(item(b"") + item(b"first!"))
    assert found.pixel_offset + found.pixel_length + 8 == len(raw)


def test_offset_tables_put_fragments_together() -> None:
    fragments = (b"a1", b"a2", b"b1")
    basic = encapsulated(struct.pack("<2L", 0, 20), *fragments)
    raw = file(*picture(frames="2"), basic, syntax=JPEG)
    assert cut(raw, facts(raw)) == [b"a1a2", b"b1"]
    extended = element(0x7FE00001, "OV", struct.pack("<2Q", 0, 10))
    raw = file(*picture(frames="2"), extended, encapsulated(b"", *fragments), syntax=JPEG)
    assert cut(raw, facts(raw)) == [b"a1", b"a2b1"]


def test_a_table_too_long_to_keep_is_passed_over() -> None:
    table = bytes(70_000)
    extended = element(0x7FE00001, "OV", table)
    raw = file(*picture(frames="2"), extended, encapsulated(table, b"a1", b"b1"), syntax=JPEG)
    assert cut(raw, facts(raw)) == [b"a1", b"b1"]


def test_frames_are_not_guessed() -> None:
    video = file(*picture(frames="2"), encapsulated(b"", b"a1", b"b1"), syntax="1.2.840.10008.1.2.4.102")
    assert facts(video).frames == []
    split = file(*picture(frames="2"), encapsulated(b"", b"a1", b"a2", b"b1"), syntax=JPEG)
    assert facts(split).frames == []
    shared = file(*picture(3, 3, frames="2", bits=1), element(PIXELS, "OB", bytes(4)))
    assert facts(shared).frames == []


@pytest.mark.parametrize("count", ["0", "-1", "1.5", "2\\3", "12345678901"])
def test_a_count_of_frames_is_a_count(count: str) -> None:
    assert surprise(file(*picture(frames=count), element(PIXELS, "OB", bytes(4)))) == "Number of Frames is no count"


def test_big_endian_numbers_and_frames_are_told() -> None:
    raw = image(np.arange(3 * 64, dtype=np.uint16).reshape(3, 8, 8), BIG, InstanceNumber=7)
    found = facts(raw)
    assert (found.rows, found.number_of_frames, found.instance_number) == (8, 3, "7")
    assert [np.frombuffer(frame, ">u2")[0] for frame in cut(raw, found)] == [0, 64, 128]
    assert outcome(walk(raw, 3)) == outcome(walk(raw))


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        (element(PIXELS, "OB", bytes(4)), "pixel data do not fit their transfer syntax"),
        (element(PIXELS, "UN", length=ENDLESS), "pixel data of an odd kind"),
        (element(PIXELS, "OB", item() + item(length=ENDLESS), length=ENDLESS), "no fragment in pixel data"),
    ],
)
def test_odd_encapsulation_is_a_surprise(pixels: bytes, reason: str) -> None:
    assert surprise(file(pixels, syntax=JPEG)) == reason
