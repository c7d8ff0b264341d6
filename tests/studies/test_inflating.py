from __future__ import annotations

import tracemalloc
import zlib

import numpy as np
import pytest

from studies.receiving.part10 import Surprise
from tests.studies.dicom_made import deflated_bomb, image
from tests.studies.elements_made import (
    DEFLATED,
    elements,
    facts,
    meta,
    outcome,
    picture,
    walk,
)


def test_a_deflated_file_is_known_and_whole_or_cut_and_its_places_are_none() -> None:
    raw = image(np.arange(64, dtype=np.uint16).reshape(8, 8), DEFLATED)
    found = facts(raw)
    assert found.identity
    assert (found.identity.patient_id, found.complete) == ("LS-1", True)
    assert (found.has_pixels, found.pixel_offset, found.frames) == (True, None, [])
    assert outcome(walk(raw, 1)) == outcome(walk(raw))
    assert facts(raw + b"\0").trailing == found.trailing + 1
    early = walk(raw[:-20])
    assert early.identity
    assert early.finish().truncated


def test_damage_in_a_deflated_file_is_a_cut_however_it_comes() -> None:
    """zlib withholds what it had when it comes upon damage, so how much that is depends on the blocks."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    good = packer.compress(b"".join(elements()) + bytes(4000)) + packer.flush(zlib.Z_SYNC_FLUSH)
    raw = meta(DEFLATED) + good + b"\x07no block of a deflate stream begins like this"
    said = facts(raw)
    assert (said.truncated, said.identity) == (True, None)
    assert [walk(raw, size).finish() for size in (1, 7, 300)] == [said] * 3


def test_letters_read_before_the_damage_count_for_nothing() -> None:
    named = b"".join([*elements(patient_name="ZEBRAFISH^BJ\xd6RN"), *picture()])
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    good = packer.compress(named) + packer.flush(zlib.Z_SYNC_FLUSH)
    for size in (1, 20, 5000):
        asked = walk(meta(DEFLATED) + good + b"\x07 and no more", size)
        assert asked.not_ascii or size > 20
        assert asked.finish().truncated
        assert not asked.not_ascii


def test_a_deflate_bomb_costs_one_piece_and_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = deflated_bomb(32 << 20)
    tracemalloc.start()
    asked = walk(bomb, 1 << 16)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20
    with pytest.raises(Surprise, match="far too much"):
        asked.finish()
    monkeypatch.setattr("studies.receiving.inflating.LIMIT", 1 << 20)
    assert walk(bomb, 1 << 10).surprise == "unpacks to far too much", "and nothing is unpacked from there on"
