from __future__ import annotations

import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_frames

from studies.receiving.part10 import Facts, Identity, Surprise, Walk
from tests.studies.dicom_made import deflated_bomb, image

BUNDLED = Path(pydicom.data.__file__).parent / "test_files"
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

BIG, DEFLATED = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
IMPLICIT, EXPLICIT, JPEG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50"
CT = "1.2.840.10008.5.1.4.1.1.2"
PIXELS = 0x7FE00010
LONG_VRS = {"OB", "OW", "OF", "OD", "OV", "SQ", "UN", "UT"}
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


def tag(number: int) -> bytes:
    return struct.pack("<HH", number >> 16, number & 0xFFFF)


def element(number: int, vr: str, value: bytes | str | int = b"", *, length: int | None = None) -> bytes:
    """An Explicit VR element; a number is a US value, a length may lie."""
    raw = struct.pack("<H", value) if isinstance(value, int) else value
    raw = raw.encode("latin-1") if isinstance(raw, str) else raw
    raw += (b"\0" if vr in ("UI", "OB") else b" ") * (len(raw) % 2)
    declared = len(raw) if length is None else length
    packed = struct.pack("<HI", 0, declared) if vr in LONG_VRS else struct.pack("<H", declared)
    return tag(number) + vr.encode() + packed + raw


def item(value: bytes = b"", *, number: int = 0xFFFEE000, length: int | None = None) -> bytes:
    return tag(number) + struct.pack("<I", len(value) if length is None else length) + value


ENDLESS = 0xFFFFFFFF
ITEM_END, SEQUENCE_END = item(number=0xFFFEE00D), item(number=0xFFFEE0DD)


def elements(**changed: str) -> list[bytes]:
    """The elements of a CT's data set up to its Series Instance UID."""
    said = {"sop_uid": "1.2.3", "patient_id": "ZF-1", "patient_name": "ZEBRAFISH^MARIA", "charset": ""}
    said |= {"study_uid": "1.2.3.4", "series_uid": "1.2.3.5"} | changed
    return [
        element(0x00080005, "CS", said["charset"]),
        element(0x00080016, "UI", CT),
        element(0x00080018, "UI", said["sop_uid"]),
        element(0x00100010, "PN", said["patient_name"]),
        element(0x00100020, "LO", said["patient_id"]),
        element(0x0020000D, "UI", said["study_uid"]),
        element(0x0020000E, "UI", said["series_uid"]),
    ]


def picture(rows: int = 2, columns: int = 2, *, frames: str = "1", bits: int = 8) -> list[bytes]:
    return [
        element(0x00280002, "US", 1),
        element(0x00280008, "IS", frames),
        element(0x00280010, "US", rows),
        element(0x00280011, "US", columns),
        element(0x00280100, "US", bits),
    ]


def meta(syntax: str = EXPLICIT, sop_uid: str = "1.2.3") -> bytes:
    return (
        bytes(128)
        + b"DICM"
        + element(0x00020002, "UI", CT)
        + element(0x00020003, "UI", sop_uid)
        + element(0x00020010, "UI", syntax)
    )


def file(*more: bytes, syntax: str = EXPLICIT, **changed: str) -> bytes:
    return meta(syntax) + b"".join(elements(**changed)) + b"".join(more)


def implicit(explicit: bytes) -> bytes:
    """The same element without its VR."""
    return explicit[:4] + struct.pack("<I", len(explicit) - 8) + explicit[8:]


def walk(raw: bytes, size: int = 0) -> Walk:
    walk = Walk()
    for start in range(0, len(raw), size or len(raw) or 1):
        walk.feed(raw[start : start + (size or len(raw))])
    return walk


def facts(raw: bytes) -> Facts:
    return walk(raw).finish()


def outcome(walk: Walk) -> tuple[Identity | None, bool, Facts | str]:
    """All that a walk says, to compare."""
    try:
        found: Facts | str = walk.finish()
    except Surprise as raised:
        found = raised.reason
    return walk.identity, walk.not_ascii, found


def surprise(raw: bytes) -> str:
    with pytest.raises(Surprise) as raised:
        facts(raw)
    return raised.value.reason


def bundled() -> Iterator[Path]:
    """pydicom's own test files, those of its file sets included."""
    for path in sorted(BUNDLED.rglob("*")):
        if path.is_file() and path.suffix in ("", ".dcm") and path.name != "README":
            yield path


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


def cut(raw: bytes, found: Facts) -> list[bytes]:
    return [b"".join(raw[at : at + length] for at, length in frame) for frame in found.frames]


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


def test_numbers_and_places_are_told() -> None:
    raw = file(element(0x00200013, "IS", "7 "), *picture(frames="3"), element(PIXELS, "OB", b"abcdefghijkl"))
    found = facts(raw)
    assert (found.rows, found.columns, found.samples, found.bits_allocated) == (2, 2, 1, 8)
    assert (found.instance_number, found.number_of_frames, found.transfer_syntax) == ("7", 3, EXPLICIT)
    assert found.pixel_offset == raw.index(b"abcdefghijkl")
    assert found.pixel_length == 12
    assert cut(raw, found) == [b"abcd", b"efgh", b"ijkl"]


def test_implicit_elements_need_no_dictionary() -> None:
    parts = [*elements(), *picture()]
    raw = meta(IMPLICIT) + b"".join(map(implicit, parts)) + tag(PIXELS) + struct.pack("<I", 4) + b"abcd"
    assert cut(raw, facts(raw)) == [b"abcd"]
    assert surprise(file(syntax=IMPLICIT)) == "explicit elements under an implicit transfer syntax"


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


def encapsulated(table: bytes, *fragments: bytes) -> bytes:
    items = item(table) + b"".join(map(item, fragments)) + SEQUENCE_END
    return element(PIXELS, "OB", items, length=ENDLESS)


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


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_a_data_set_alone_says_by_its_bytes_how_it_is_written(syntax: str) -> None:
    content = image(np.arange(64, dtype=np.uint16).reshape(8, 8), syntax)
    bare = content[content.index(b"\0\x08\0" if syntax == BIG else b"\x08\0\x16", 200) :]
    found = facts(bare)
    assert (found.transfer_syntax, found.complete) == (syntax, True)
    assert cut(bare, found) == cut(content, facts(content))


def test_big_endian_numbers_and_frames_are_told() -> None:
    raw = image(np.arange(3 * 64, dtype=np.uint16).reshape(3, 8, 8), BIG, InstanceNumber=7)
    found = facts(raw)
    assert (found.rows, found.number_of_frames, found.instance_number) == (8, 3, "7")
    assert [np.frombuffer(frame, ">u2")[0] for frame in cut(raw, found)] == [0, 64, 128]
    assert outcome(walk(raw, 3)) == outcome(walk(raw))


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


@pytest.mark.parametrize("raw", [b"", b"DICM", bytes(200), b"%PDF-1.7" * 40])
def test_what_is_no_part_10_file_is_a_surprise(raw: bytes) -> None:
    assert surprise(raw) == "no preamble"


def test_elements_and_fragments_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studies.receiving.part10.MAX_FRAGMENTS", 2)
    raw = file(*picture(frames="3"), encapsulated(b"", b"a1", b"b1", b"c1"), syntax=JPEG)
    assert surprise(raw) == "too many fragments"
    monkeypatch.setattr("studies.receiving.part10.MAX_ELEMENTS", 12)
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
