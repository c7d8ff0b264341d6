from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_frames

from studies.receiving.part10 import Facts, Surprise, Walk
from tests.studies.dicom_made import image
from tests.studies.elements_made import (
    BIG,
    BUNDLED,
    ENDLESS,
    EXPLICIT,
    IMPLICIT,
    ITEM_END,
    JPEG,
    PIXELS,
    SEQUENCE_END,
    bundled,
    cut,
    element,
    elements,
    encapsulated,
    facts,
    file,
    implicit,
    item,
    meta,
    outcome,
    picture,
    surprise,
    tag,
    walk,
)

# All others are walked to their end.
SURPRISES = {
    "JPEGLSNearLossless_08.dcm": "Study Instance UID is missing or no UID",
    "JPEGLSNearLossless_16.dcm": "Study Instance UID is missing or no UID",
    "SC_rgb_jls_lossy_line.dcm": "Study Instance UID is missing or no UID",
    "SC_rgb_jls_lossy_sample.dcm": "Study Instance UID is missing or no UID",
    "SC_rgb_jpeg.dcm": "unknown VR",
    "UN_sequence.dcm": "SOP Class UID is missing or no UID",
    "badVR.dcm": "Number of Frames is no count",
    "dicomdirtests/DICOMDIR": "SOP Class UID is missing or no UID",
    "dicomdirtests/DICOMDIR-bigEnd": "SOP Class UID is missing or no UID",
    "dicomdirtests/DICOMDIR-empty.dcm": "SOP Class UID is missing or no UID",
    "dicomdirtests/DICOMDIR-implicit": "SOP Class UID is missing or no UID",
    "dicomdirtests/DICOMDIR-nooffset": "SOP Class UID is missing or no UID",
    "dicomdirtests/DICOMDIR-nopatient": "SOP Class UID is missing or no UID",
    "dicomdirtests/DICOMDIR-reordered": "SOP Class UID is missing or no UID",
    "empty_charset_LEI.dcm": "SOP Class UID is missing or no UID",
    "meta_missing_tsyntax.dcm": "unknown transfer syntax",
    "nested_priv_SQ.dcm": "elements out of order",
    "no_meta.dcm": "no preamble",
    "no_meta_group_length.dcm": "SOP Class UID is missing or no UID",
    "priv_SQ.dcm": "SOP Class UID is missing or no UID",
    "dicomdirtests/TINY_ALPHA/DICOMDIR": "SOP Class UID is missing or no UID",
}
TRUNCATED = {"MR_truncated.dcm", "rtplan_truncated.dcm"}

PIXEL_TAGS = {0x7FE00008, 0x7FE00009, PIXELS}
IDENTITY = {
    "sop_class_uid": "SOPClassUID",
    "sop_uid": "SOPInstanceUID",
    "study_uid": "StudyInstanceUID",
    "series_uid": "SeriesInstanceUID",
    "patient_id": "PatientID",
    "issuer": "IssuerOfPatientID",
    "patient_name": "PatientName",
    "birth_date": "PatientBirthDate",
    "sex": "PatientSex",
    "accession_number": "AccessionNumber",
    "modality": "Modality",
}
NUMBERS = {
    "samples": "SamplesPerPixel",
    "rows": "Rows",
    "columns": "Columns",
    "bits_allocated": "BitsAllocated",
    "bits_stored": "BitsStored",
    "pixel_representation": "PixelRepresentation",
}


def agree(path: Path) -> None:
    """What the walk says of a file is what pydicom says."""
    raw = path.read_bytes()
    walked = walk(raw)
    found = walked.finish()
    dataset = pydicom.dcmread(path, force=True)
    for name, keyword in {} if walked.not_ascii else IDENTITY.items():
        assert getattr(found.identity, name) == str(dataset.get(keyword) or ""), keyword
    for name, keyword in NUMBERS.items():
        assert getattr(found, name) == (dataset.get(keyword) or 0), keyword
    pixels = next((e for e in dataset if e.tag in PIXEL_TAGS), None)
    assert found.has_pixels == (pixels is not None)
    if pixels is not None and found.frames:
        assert_same_frames(cut(raw, found), pixels, found.number_of_frames)


def assert_same_frames(frames: list[bytes], pixels: pydicom.DataElement, count: int) -> None:
    assert len(frames) == count
    if pixels.is_undefined_length:
        assert frames == list(generate_frames(pixels.value, number_of_frames=count))
    else:
        whole = b"".join(frames)
        assert pixels.value[: len(whole)] == whole
        assert len(pixels.value) - len(whole) < 1024


def test_the_surprises_among_pydicoms_files_are_known() -> None:
    surprises = {}
    for path in bundled():
        try:
            assert facts(path.read_bytes()).truncated == (path.name in TRUNCATED)
        except Surprise as raised:
            surprises[path.relative_to(BUNDLED).as_posix()] = raised.reason
    assert surprises == SURPRISES


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_walk_agrees_with_pydicom() -> None:
    walked = [p for p in bundled() if p.relative_to(BUNDLED).as_posix() not in SURPRISES]
    for path in walked:
        if path.name not in TRUNCATED:
            agree(path)
    assert len(walked) > 120


@pytest.mark.samples
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_walk_agrees_with_pydicom_on_samples(samples: Path) -> None:
    agreed = 0
    for path in sorted(samples.rglob("*.dcm")):
        *_, found = outcome(walk(path.read_bytes()))
        if isinstance(found, Facts) and found.complete:
            agree(path)
            agreed += 1
    assert agreed > 800


def test_blocks_may_end_anywhere() -> None:
    for path in bundled():
        raw = path.read_bytes()
        assert outcome(walk(raw, 7)) == outcome(walk(raw)), path.name


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_RLE.dcm", "MR_small_implicit.dcm", "reportsi.dcm"])
def test_blocks_may_be_single_bytes(name: str) -> None:
    raw = Path(str(get_testdata_file(name, download=False))).read_bytes()
    assert outcome(walk(raw, 1)) == outcome(walk(raw))


@settings(deadline=None)
@given(st.binary(max_size=80), st.integers(1, 40), st.sampled_from([EXPLICIT, IMPLICIT, JPEG]), st.booleans())
def test_no_bytes_make_the_walk_raise_anything_else(noise: bytes, size: int, syntax: str, whole: bool) -> None:
    raw = meta(syntax) + (b"".join(elements()) if whole else b"") + noise
    assert outcome(walk(raw, size)) == outcome(walk(raw))


@settings(deadline=None)
@given(st.data())
def test_no_damage_makes_the_walk_raise_anything_else(data: st.DataObject) -> None:
    raw = bytearray(file(*picture(), element(PIXELS, "OW", bytes(4))))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(132, len(raw) - 1))] = data.draw(st.integers(0, 255))
    assert outcome(walk(bytes(raw), 5)) == outcome(walk(bytes(raw)))


def test_the_identity_is_there_before_the_pixels() -> None:
    known = Walk()
    known.feed(file())
    early = known.identity
    known.feed(element(0x00200013, "IS", "7"))
    assert early is None
    assert known.identity
    assert known.identity.patient_id == "ZF-1"
    assert not known.not_ascii


def test_trailing_blanks_are_no_part_of_an_identity() -> None:
    identity = facts(file(patient_id="ZF-1  ", sop_uid="1.2.3\0")).identity
    assert identity
    assert (identity.patient_id, identity.sop_uid) == ("ZF-1", "1.2.3")


@pytest.mark.parametrize("name", ["M\xfcller", "\x1b$B;3ED\x1b(B", "A\\B", "A\tB"])
def test_text_that_needs_decoding_is_left_to_the_sandbox(name: str) -> None:
    asked = walk(file(patient_name=name))
    assert not asked.finish().truncated
    assert asked.not_ascii


@pytest.mark.parametrize("uid", ["", "1.2.x", "1" * 65, "1.2.3\\1.2.4", "../3"])
def test_a_uid_has_a_uids_form(uid: str) -> None:
    assert surprise(file(study_uid=uid)) == "Study Instance UID is missing or no UID"


def test_the_data_set_says_which_instance_it_is_and_the_meta_header_may_differ() -> None:
    other = facts(file(sop_uid="1.2.4"))
    assert other.identity
    assert other.identity.sop_uid == "1.2.4"


def test_an_identity_cannot_be_given_twice() -> None:
    pixels = element(PIXELS, "OW", bytes(4))
    for number in (0x00100020, 0x00100010, 0x0020000E):
        again = element(number, "LO", "ZF-2")
        assert surprise(file(again)) == "elements out of order"
        assert surprise(file(*picture(), pixels, again)) == "elements out of order"


def test_an_identity_inside_a_sequence_is_somebody_elses() -> None:
    other = element(0x00100020, "LO", "ZF-2")
    open_item = item(other + element(0x0020000D, "UI", "9.9") + ITEM_END, length=ENDLESS)
    sequence = element(0x00081110, "SQ", open_item + SEQUENCE_END, length=ENDLESS)
    raw = meta() + b"".join([*elements()[:3], sequence, *elements()[3:]])
    identity = facts(raw).identity
    assert identity
    assert (identity.patient_id, identity.study_uid) == ("ZF-1", "1.2.3.4")


def test_implicit_elements_need_no_dictionary() -> None:
    parts = [*elements(), *picture()]
    raw = meta(IMPLICIT) + b"".join(map(implicit, parts)) + tag(PIXELS) + struct.pack("<I", 4) + b"abcd"
    assert cut(raw, facts(raw)) == [b"abcd"]
    assert surprise(file(syntax=IMPLICIT)) == "explicit elements under an implicit transfer syntax"


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_a_data_set_alone_says_by_its_bytes_how_it_is_written(syntax: str) -> None:
    content = image(np.arange(64, dtype=np.uint16).reshape(8, 8), syntax)
    bare = content[content.index(b"\0\x08\0" if syntax == BIG else b"\x08\0\x16", 200) :]
    found = facts(bare)
    assert (found.transfer_syntax, found.complete) == (syntax, True)
    assert cut(bare, found) == cut(content, facts(content))


def nested(depth: int) -> bytes:
    open_items = (element(0x00081140, "SQ", length=ENDLESS) + item(length=ENDLESS)) * depth
    return open_items + (ITEM_END + SEQUENCE_END) * depth


def test_sequences_nest_only_so_deep() -> None:
    tail = elements()[3:]
    at_most = meta() + b"".join([*elements()[:3], nested(32), *tail])
    assert not facts(at_most).truncated
    assert surprise(meta() + b"".join([*elements()[:3], nested(33), *tail])) == "nested too deep"
    assert surprise(file(nested(1000).replace(tag(0x00081140), tag(0x00400275)))) == "nested too deep"


def test_sequences_of_known_length_are_passed_over() -> None:
    value = element(0x00280010, "US", b"odd")
    for _ in range(16):
        value = element(0x00400275, "SQ", item(value))
    assert not facts(file(value)).truncated


def test_an_unknown_sequence_is_implicit_inside() -> None:
    inside = item(implicit(element(0x00091010, "LO", "abcd")) + ITEM_END, length=ENDLESS)
    hidden = element(0x00290010, "UN", inside + SEQUENCE_END, length=ENDLESS)
    assert not facts(file(hidden, element(0x00291011, "LO", "after"))).truncated


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (element(0x00400275, "UT", length=ENDLESS), "undefined length"),
        (element(0x00400275, "SQ", b"nonsense", length=ENDLESS), "no item in a sequence"),
        (element(0x00400275, "SQ", item(SEQUENCE_END, length=ENDLESS), length=ENDLESS), "stray delimiter"),
        (element(0x00400275, "SQ", item(b"!", number=0xFFFEE0DD)[:8], length=ENDLESS), "a delimiter with a length"),
        (ITEM_END, "elements out of order"),
        (element(0x00400275, "ZZ"), "unknown VR"),
        (element(0x00280010, "US", "abcd"), "a number has an odd length"),
        (element(PIXELS, "OB", length=ENDLESS), "pixel data do not fit their transfer syntax"),
        (element(0x7FE00008, "OF") + element(PIXELS, "OW"), "pixel data do not fit their transfer syntax"),
    ],
)
def test_what_is_odd_is_a_surprise(more: bytes, reason: str) -> None:
    assert surprise(file(more)) == reason


@pytest.mark.parametrize("raw", [b"", b"DICM", bytes(200), b"%PDF-1.7" * 40])
def test_what_is_no_part_10_file_is_a_surprise(raw: bytes) -> None:
    assert surprise(raw) == "no preamble"


def test_elements_and_fragments_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studies.receiving.pixels.MAX_FRAGMENTS", 2)
    raw = file(*picture(frames="3"), encapsulated(b"", b"a1", b"b1", b"c1"), syntax=JPEG)
    assert surprise(raw) == "too many fragments"
    monkeypatch.setattr(Walk, "MOST_ELEMENTS", 12)
    assert surprise(raw) == "too many elements"


def test_a_file_of_any_size_costs_a_few_blocks() -> None:
    block = bytes(1 << 18)
    huge = Walk()
    huge.feed(file(*picture(), element(0x00287FE0, "UN", length=1 << 28)))
    tracemalloc.start()
    for _ in range(1 << 10):
        huge.feed(block)
    huge.feed(element(PIXELS, "OB", length=1 << 28))
    for _ in range(1 << 10):
        huge.feed(block)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert huge.finish().complete
    assert peak < len(block)
