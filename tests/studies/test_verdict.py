"""Is all of a file there? Whatever can tell is asked, and a cut is never taken for a whole."""

from __future__ import annotations

import numpy as np
import pytest

from studies.receiving.part10 import Facts
from tests.studies.dicom_made import image
from tests.studies.elements_made import (
    BIG,
    CT,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG,
    PIXELS,
    element,
    elements,
    encapsulated,
    facts,
    file,
    item,
    meta,
    outcome,
    picture,
    surprise,
    walk,
)


def test_every_cut_is_noticed_unless_between_elements() -> None:
    pieces = [*elements(), *picture(), element(PIXELS, "OB", bytes(16)), element(0xFFFCFFFC, "OB", b"pad!")]
    raw = meta() + b"".join(pieces)
    ends = {len(meta()) + sum(map(len, pieces[:count])) for count in range(len(pieces))}
    for end in set(range(len(raw))) - ends:
        assert not (isinstance(found := outcome(walk(raw[:end]))[2], Facts) and found.complete), end


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG, DEFLATED])
@pytest.mark.parametrize("preamble", [True, False])
def test_every_cut_of_a_picture_is_noticed_also_between_elements(syntax: str, preamble: bool) -> None:
    raw = image(np.arange(64, dtype=np.uint16).reshape(8, 8), syntax)[0 if preamble else 132 :]
    whole = facts(raw)
    assert whole.complete
    assert (whole.transfer_syntax, whole.rows, whole.bits_allocated, whole.has_pixels) == (syntax, 8, 16, True)
    for end in range(len(raw) - whole.trailing):  # a deflated file may be made even
        found = outcome(walk(raw[:end], 50))[2]
        assert not (isinstance(found, Facts) and found.complete), end


@pytest.mark.parametrize(
    ("sop_class", "more", "missing"),
    [
        (CT, [], True),
        ("1.2.840.10008.5.1.4.1.1.77.1.5.3", [], False),  # Stereometric Relationship
        ("1.2.840.10008.5.1.4.1.1.11.1", [], False),  # a presentation state
        ("1.2.840.10008.5.1.4.1.1.481.2", [], False),  # RT Dose, which may be curves only
        ("1.2.840.10008.5.1.4.1.1.481.2", picture(), True),
        ("1.2.840.10008.5.1.4.1.1.4.2", picture()[2:4], False),  # MR Spectroscopy has rows and no pixels
    ],
)
def test_a_picture_without_pixels_is_told(sop_class: str, more: list[bytes], missing: bool) -> None:
    raw = file(*more).replace(element(0x00080016, "UI", CT), element(0x00080016, "UI", sop_class))
    found = facts(raw)
    assert (found.truncated, found.picture_missing, found.complete) == (False, missing, not missing)


def test_pixels_that_are_elsewhere_are_not_missing() -> None:
    assert facts(file(syntax="1.2.840.10008.1.2.4.94")).complete


def test_a_cut_in_fragments_is_noticed_everywhere() -> None:
    raw = file(*picture(frames="2"), encapsulated(bytes(8), b"first!", b"second"), syntax=JPEG)
    for end in range(raw.index(item(bytes(8))), len(raw)):
        assert facts(raw[:end]).truncated


def test_a_cut_is_told_even_when_the_identity_is_a_surprise() -> None:
    raw = file(*picture(), element(PIXELS, "OB", bytes(16)), study_uid="")
    asked = walk(raw[:-1])
    assert asked.surprise == "Study Instance UID is missing or no UID"
    assert asked.finish().truncated


def test_a_cut_is_told_even_when_a_number_is_none() -> None:
    raw = file(*picture(frames="1A"), element(PIXELS, "OB", bytes(4)))
    assert surprise(raw) == "Number of Frames is no count"
    assert facts(raw[:-1]).truncated


@pytest.mark.parametrize("number", [0x00091001, 0x00280010, PIXELS])
def test_a_length_that_lies_is_a_cut(number: int) -> None:
    lie = element(number, "OB", b"abc", length=0x7FFFFFF0)
    if number == 0x00280010:
        assert surprise(file(lie)) == "a value is too long"
    else:
        assert outcome(walk(meta() + lie)) == outcome(walk(meta() + lie, 3))
        assert facts(file(lie) if number == PIXELS else meta() + lie).truncated


@pytest.mark.parametrize("trail", [b"\0", bytes(7), bytes(600), b"\0\0\0\0garbage"])
def test_garbage_after_the_pixels_is_noted(trail: bytes) -> None:
    found = facts(file(*picture(), element(PIXELS, "OB", b"abcd")) + trail)
    assert found.complete
    assert found.trailing == len(trail)
    assert len(found.frames) == 1
