from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_charset_files, get_testdata_file
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from studies.dicom import facts, identify, inflate, kind_of, numbers, text, value_of
from studies.refusals import SENTENCES, NotReadable, Refusal
from studies.sandbox import Sandbox, SandboxRefused
from tests.studies.dicom_made import (
    CT,
    DEFLATED,
    dataset,
    deflated_bomb,
    encapsulated,
    image,
    meta,
    nested_bomb,
    shouting_bomb,
    written,
)

PIXELS = np.arange(12, dtype=np.uint16).reshape(3, 4)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox(["studies.dicom"])
    yield sandbox
    sandbox.stop()


def bundled(name: str) -> bytes:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return Path(path).read_bytes()


def named(name: str, *sets: str) -> dict[str, Any]:
    """The facts of a file whose patient is called so, in these character sets."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return facts(written(dataset(SpecificCharacterSet=list(sets), PatientName=name)))


def test_the_facts_of_a_ct_slice() -> None:
    said = facts(bundled("CT_small.dcm"))
    expected = {
        "sop_class_uid": CT,
        "study_uid": "1.3.6.1.4.1.5962.1.2.1.20040119072730.12322",
        "patient_id": "1CT1",
        "patient_name": "CompressedSamples^CT1",
        "sex": "O",
        "study_date": "20040119",
        "study_description": "e+1",
        "modality": "CT",
        "instance_number": 1,
        "rows": 128,
        "columns": 128,
        "frames": 1,
        "bits_stored": 16,
        "photometric": "MONOCHROME2",
        "kind": "image",
        "image_position": [-158.135803, -179.035797, -75.699997],
        "image_orientation": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        "pixel_spacing": [0.661468, 0.661468],
        "slice_location": -77.2040634155,
        "image_type": r"ORIGINAL\PRIMARY\AXIAL",
        "burned_in": "",
        "transfer_syntax_uid": ExplicitVRLittleEndian,
    }
    assert {name: said[name] for name in expected} == expected


PLAIN_VALUES = {
    "DS": ("RescaleSlope", "0123456789+-.eE \\\0x"),
    "IS": ("InstanceNumber", "0123456789+-. \\\0x"),
    "LO": ("SeriesDescription", "aZ ^_=\\~{}\0\t\x1b\xe9"),
    "CS": ("ImageType", "AZ_ \\\0\r"),
    "UI": ("SOPInstanceUID", "0123456789. \\\0"),
    "US": ("Rows", "\0\1\xff"),
}


@given(data=st.data(), vr=st.sampled_from(sorted(PLAIN_VALUES)), little=st.booleans())
def test_what_is_read_without_pydicom_is_what_pydicom_reads(data: st.DataObject, vr: str, little: bool) -> None:
    keyword, letters = PLAIN_VALUES[vr]
    value = data.draw(st.text(letters, max_size=12)).encode("latin-1")
    tag = Tag(keyword)
    once, twice = (Dataset({tag: RawDataElement(tag, vr, len(value), value, 0, False, little)}) for _ in range(2))
    value_of(twice, keyword)  # converts it
    assert text(once, keyword) == text(twice, keyword)
    once = Dataset({tag: RawDataElement(tag, vr, len(value), value, 0, False, little)})
    assert numbers(once, keyword) == numbers(twice, keyword)


def test_a_header_cut_off_at_the_pixels_says_the_same() -> None:
    whole = bundled("MR_small.dcm")
    assert facts(whole[: whole.index(b"\xe0\x7f\x10\0OW")]) == facts(whole)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DEFLATED])
def test_the_encoding_changes_nothing_but_its_own_name(syntax: str) -> None:
    assert facts(image(PIXELS, syntax)) == facts(image(PIXELS)) | {"transfer_syntax_uid": syntax}


@pytest.mark.parametrize(
    ("name", "alphabetic", "ideographic"),
    [
        ("chrGerm", "Äneas^Rüdiger", ""),
        ("chrFrenMulti", "Buc^Jérôme", ""),
        ("chrRuss", "Люкceмбypг", ""),
        ("chrArab", "قباني^لنزار", ""),
        ("chrH31", "Yamada^Tarou", "山田^太郎"),
        ("chrI2", "Hong^Gildong", "洪^吉洞"),
        ("chrX1", "Wang^XiaoDong", "王^小東"),
        ("chrX2", "Wang^XiaoDong", "王^小东"),
    ],
)
def test_names_are_decoded_by_their_character_set(name: str, alphabetic: str, ideographic: str) -> None:
    said = facts(Path(get_charset_files(f"{name}.dcm")[0]).read_bytes())
    assert (said["patient_name"], said["patient_name_ideographic"]) == (alphabetic, ideographic)


def test_a_wrong_character_set_costs_letters_and_not_the_file() -> None:
    latin = written(dataset(SpecificCharacterSet="ISO_IR 100", PatientName="M\xfcller"))
    assert facts(latin.replace(b"ISO_IR 100", b"ISO_IR 192"))["patient_name"] == "M\ufffdller"
    assert facts(latin.replace(b"ISO_IR 100", b"NO_SUCH_ID"))["patient_name"] == "Müller"


def test_control_and_direction_characters_do_not_pass() -> None:
    said = named("A\u202eB\x07C\0^\u2066D\ufeff", "ISO_IR 192")
    assert said["patient_name"] == "A B C ^ D"


@pytest.mark.parametrize("text", ["***", "00000000", "1990/01/"])
def test_an_invalid_date_stays_text(text: str) -> None:
    file = written(dataset(StudyDate="19990101")).replace(b"19990101", text.encode().ljust(8))
    assert facts(file)["study_date"] == text


def test_numbers_that_make_no_sense_are_none() -> None:
    file = written(dataset(InstanceNumber="7777777777", SliceLocation="1.5", SeriesNumber="12"))
    file = file.replace(b"7777777777", b"seventy   ").replace(b"1.5 ", b"inf ")
    said = facts(file)
    assert (said["instance_number"], said["slice_location"], said["series_number"]) == (None, None, 12)


def test_an_enhanced_object_tells_its_first_frame() -> None:
    plane, measures, window = Dataset(), Dataset(), Dataset()
    plane.ImagePositionPatient = [1, 2, 3]
    measures.PixelSpacing = [0.5, 0.25]
    window.WindowCenter, window.WindowWidth = 40, 400
    frame, shared = Dataset(), Dataset()
    frame.PlanePositionSequence = Sequence([plane])
    frame.FrameVOILUTSequence = Sequence([window])
    shared.PixelMeasuresSequence = Sequence([measures])
    stack = np.zeros((2, 4, 4), np.uint16)
    said = facts(
        image(
            stack,
            PerFrameFunctionalGroupsSequence=Sequence([frame, Dataset()]),
            SharedFunctionalGroupsSequence=Sequence([shared]),
        )
    )
    assert (said["kind"], said["frames"], said["image_position"]) == ("multiframe", 2, [1.0, 2.0, 3.0])
    assert said["pixel_spacing"] == [0.5, 0.25]
    assert said["windows"] == [{"center": 40.0, "width": 400.0, "name": "", "function": "LINEAR"}]


@pytest.mark.parametrize(
    ("attributes", "milliseconds"),
    [
        ({"FrameTime": "33.3"}, 33.3),
        ({"FrameTime": "33.3", "RecommendedDisplayFrameRate": 10}, 100.0),
        ({"CineRate": 25}, 40.0),
        ({"FrameTimeVector": ["0", "50", "50"]}, 50.0),
        ({"CineRate": 0}, None),
        ({}, None),
    ],
)
def test_the_pace_of_a_cine(attributes: dict[str, Any], milliseconds: float | None) -> None:
    assert facts(image(np.zeros((3, 4, 4), np.uint8), **attributes))["frame_time"] == milliseconds


@pytest.mark.parametrize(
    ("sop_class", "kind"),
    [
        ("1.2.840.10008.5.1.4.1.1.2", "image"),
        ("1.2.840.10008.5.1.4.1.1.481.1", "image"),
        ("1.2.840.10008.5.1.4.1.1.481.2", "image"),
        ("1.2.840.10008.5.1.4.1.1.104.1", "pdf"),
        ("1.2.840.10008.5.1.4.1.1.104.2", "document"),
        ("1.2.840.10008.5.1.4.1.1.88.11", "sr"),
        ("1.2.840.10008.5.1.4.1.1.88.59", "key objects"),
        ("1.2.840.10008.5.1.4.1.1.9.1.1", "waveform"),
        ("1.2.840.10008.5.1.4.1.1.66.4", "segmentation"),
        ("1.2.840.10008.5.1.4.1.1.11.1", "presentation"),
    ],
)
def test_the_kind_of_an_object(sop_class: str, kind: str) -> None:
    assert kind_of(dataset(SOPClassUID=sop_class, Rows=4, Columns=4), ExplicitVRLittleEndian) == kind


def test_the_transfer_syntax_makes_a_video() -> None:
    endoscopy = dataset(SOPClassUID="1.2.840.10008.5.1.4.1.1.77.1.1.1", Rows=4, Columns=4)
    assert kind_of(endoscopy, "1.2.840.10008.1.2.4.102") == "video"
    assert kind_of(endoscopy, "1.2.840.10008.1.2.4.50") == "image"
    assert kind_of(dataset(), ExplicitVRLittleEndian) == "other"


@pytest.mark.parametrize(
    ("sop_class", "note"),
    [
        ("1.2.840.10008.5.1.4.1.1.104.3", "3d model"),
        ("1.2.840.10008.5.1.4.1.1.9.4.1", "sound"),
        ("1.2.840.10008.5.1.4.1.1.9.1.1", "waveform"),
        ("1.2.840.10008.5.1.4.1.1.66", "raw"),
        ("1.2.840.10008.5.1.4.1.1.66.1", "registration"),
        ("1.2.840.10008.5.1.4.1.1.66.5", "surfaces"),
        ("1.2.840.10008.5.1.4.1.1.66.7", "segmentation"),
        ("1.2.840.10008.5.1.4.1.1.67", "value mapping"),
        ("1.2.840.10008.5.1.4.1.1.78.2", "eye measurements"),
        ("1.2.840.10008.5.1.4.1.1.91.1", "annotations"),
        ("1.2.840.10008.5.1.4.1.1.200.3", "protocol"),
        ("1.2.840.10008.5.1.4.1.1.481.2", "rt dose"),
        ("1.2.840.10008.5.1.4.1.1.481.25", "rt"),
        ("1.2.840.10008.5.1.4.1.1.481.9", "rt record"),
        ("1.2.840.10008.5.1.4.38.1", "protocol"),
        ("1.2.840.10008.5.1.4.43.1", "implant"),
        ("1.3.12.2.1107.5.9.1", "private"),
        ("1.2.840.10008.5.1.4.1.1.999", "other"),
    ],
)
def test_what_has_no_picture_has_a_sentence_of_its_own(sop_class: str, note: str) -> None:
    said = facts(written(dataset(SOPClassUID=sop_class)))
    assert said["note"] == note
    assert SENTENCES[note].endswith(".")


@pytest.mark.parametrize(("arc", "note"), [("100", "mpeg2"), ("102", "h264"), ("106.1", "h264"), ("108", "h265")])
def test_a_video_says_how_it_is_made(arc: str, note: str) -> None:
    endoscopy = dataset(SOPClassUID="1.2.840.10008.5.1.4.1.1.77.1.1.1")
    assert facts(written(endoscopy, f"1.2.840.10008.1.2.4.{arc}"))["note"] == f"video {note}"


def test_a_class_that_has_no_sentence_has_its_name_from_the_standard() -> None:
    assert facts(written(dataset(SOPClassUID="1.2.840.10008.5.1.4.1.1.6.3")))["class_name"] == "Photoacoustic Image"
    assert facts(written(dataset(SOPClassUID="1.2.840.10008.5.1.4.1.1.999")))["class_name"] == ""


@pytest.mark.parametrize("name", ["image_dfl.dcm", "ExplVR_BigEndNoMeta.dcm", "ExplVR_LitEndNoMeta.dcm"])
def test_odd_files_are_identified_from_their_beginning(name: str) -> None:
    whole = bundled(name)
    told = identify(whole[: max(2000, len(whole) // 2)], len(whole))
    assert not told.pop("cut")
    assert told == {key: facts(whole)[key] for key in told}
    assert told["study_uid"]


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_an_odd_file_that_ends_too_early_is_told(syntax: str) -> None:
    """pydicom hands over what is there of a value, and says nothing."""
    whole = image(np.zeros((8, 8), np.uint16), syntax, RescaleSlope=1)
    pixels = len(whole) - 128
    assert not identify(whole)["cut"]
    assert not identify(whole[: pixels - 80], len(whole))["cut"], "nobody can tell from there"
    assert all(identify(whole[:end])["cut"] for end in range(pixels, len(whole)))
    report = written(dataset(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", ContentDate="20260131"), syntax)
    assert not identify(report)["cut"]
    assert identify(report[:-3])["cut"]


def test_encapsulated_pixels_say_where_they_end() -> None:
    whole = encapsulated(b"\xff\xd8" + bytes(100), "1.2.840.10008.1.2.4.50")
    assert not identify(whole)["cut"]
    assert all(identify(whole[:-cut])["cut"] for cut in (1, 8, 60, 110))


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7", b"x" * 4000, meta(DEFLATED) + b"\xff" * 99])
def test_what_is_not_dicom_is_refused(content: bytes) -> None:
    with pytest.raises(NotReadable):
        facts(content)


def test_inflating_stops_at_the_limit_and_at_an_absurd_ratio() -> None:
    bomb = deflated_bomb(64 << 20)[len(meta(DEFLATED)) :]
    with pytest.raises(NotReadable) as refused:
        inflate(bomb, 1 << 40)
    assert refused.value.code == "bomb"
    with pytest.raises(NotReadable):
        inflate(bomb, 1 << 20)
    assert inflate(bomb[:100], 1 << 20).startswith(b"\x09\0\x01\x10OB")


@pytest.mark.parametrize(
    "bomb",
    [shouting_bomb(), nested_bomb(200), nested_bomb(5000), deflated_bomb()],
    ids=["shouting", "nested", "deep", "deflated"],
)
def test_a_bomb_is_answered_soon_and_the_next_file_is_read(sandbox: Sandbox, bomb: bytes) -> None:
    good = bundled("CT_small.dcm")
    said = sandbox.run("facts", {}, [bomb, good], seconds=5).values["facts"]
    assert "refused" in said[0] or said[0]["rows"] is None
    assert said[1] == facts(good)


def test_a_refused_identity_is_told_apart(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxRefused) as refused:
        sandbox.run("identify", {}, [b"hello"])
    assert refused.value.code == "not dicom"


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_damage_makes_facts_raise_anything_but_a_refusal(data: st.DataObject) -> None:
    content = bytearray(image(PIXELS, SpecificCharacterSet="ISO_IR 192", WindowCenter=[1, 2], InstanceNumber=3))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(132, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        said = facts(bytes(content[: data.draw(st.integers(0, len(content)))]))
    except Refusal:
        return
    json.dumps(said, allow_nan=False)
