"""Headers in the Native DICOM Model: what the JSON says, as DCMTK writes it, and well-formed whatever it says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, XMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.dataelem import DataElement

from studies import headers, native
from studies.dicom.metadata import BINARY, metadata
from tests.factories import ct_file

BASE = "https://images.example.org/bulkdata"
IN: dict[str, str] = {"": native.NAMESPACE}

TEXTS = some.text(some.characters(exclude_categories=()), max_size=30)  # lone surrogates too
VRS = some.sampled_from(["PN", "LO", "SQ", "DS", "UN", "AT", "OB", "", "??", 'L"'])
ODD = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | TEXTS,
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(TEXTS, inner, max_size=3),
)
TAGS = some.from_regex(r"[0-9A-F]{8}", fullmatch=True)
FIELDS = {"Value": some.lists(ODD) | ODD, "BulkDataURI": ODD, "InlineBinary": ODD}
OBJECTS = some.dictionaries(TAGS | TEXTS, some.fixed_dictionaries({"vr": VRS}, optional=FIELDS) | ODD, max_size=5)


def read(document: bytes) -> Element:
    parser: XMLParser[Any] = XMLParser()  # noqa: S314 - what we or DCMTK have written
    parser.feed(document)
    root: Element = parser.close()
    return root


def written(said: dict[str, Any]) -> Element:
    return read(native.document(said))


def only(said: dict[str, Any]) -> Element:
    (attribute,) = written(said)
    return attribute


def texts(attribute: Element, path: str) -> list[tuple[str | None, str | None]]:
    return [(one.get("number"), one.text) for one in attribute.findall(path, IN)]


# --- each form


def test_each_kind_of_value_has_its_form() -> None:
    assert texts(only({"00280030": {"vr": "DS", "Value": [0.5, 2]}}), "Value") == [("1", "0.5"), ("2", "2")]
    assert texts(only({"00280009": {"vr": "AT", "Value": ["00181063"]}}), "Value") == [("1", "00181063")]
    assert texts(only({"00091002": {"vr": "OB", "InlineBinary": "AQI="}}), "InlineBinary") == [(None, "AQI=")]
    pixels = only({"7FE00010": {"vr": "OW", "BulkDataURI": f"{BASE}/7FE00010?a&b"}})
    assert [one.get("uri") for one in pixels.findall("BulkData", IN)] == [f"{BASE}/7FE00010?a&b"]
    empty = only({"00102160": {"vr": "SH"}})
    assert (empty.attrib, list(empty)) == ({"tag": "00102160", "vr": "SH", "keyword": "EthnicGroup"}, [])


def test_values_keep_their_number_where_one_before_them_is_empty() -> None:
    assert texts(only({"00081040": {"vr": "LO", "Value": ["a", None, "c"]}}), "Value") == [("1", "a"), ("3", "c")]


def test_a_name_is_taken_apart() -> None:
    name = {"Alphabetic": "Yamada^Tarou^^Dr", "Ideographic": "山田^太郎", "Phonetic": "^たろう^^^^more^and more"}
    (person,) = only({"00100010": {"vr": "PN", "Value": [name]}})
    said = {(group.tag, part.tag): part.text for group in person for part in group}
    assert {(group.partition("}")[2], part.partition("}")[2]): text for (group, part), text in said.items()} == {
        ("Alphabetic", "FamilyName"): "Yamada",
        ("Alphabetic", "GivenName"): "Tarou",
        ("Alphabetic", "NamePrefix"): "Dr",
        ("Ideographic", "FamilyName"): "山田",
        ("Ideographic", "GivenName"): "太郎",
        ("Phonetic", "GivenName"): "たろう",
        ("Phonetic", "NameSuffix"): "^more^and more",
    }


def test_items_hold_attributes() -> None:
    items = [{"00100020": {"vr": "LO", "Value": ["A"]}}, {}]
    sequence = only({"00101002": {"vr": "SQ", "Value": items}})
    assert [item.get("number") for item in sequence] == ["1", "2"]
    assert texts(sequence[0][0], "Value") == [("1", "A")]


@pytest.mark.parametrize(
    ("tag", "tag_said", "creator"),
    [("00091101", "00090001", "THEIRS"), ("00091201", "00091201", None), ("00090011", "00090011", None)],
)
def test_a_private_attribute_names_its_creator(tag: str, tag_said: str, creator: str | None) -> None:
    """And leaves out the block, which says nothing elsewhere; but for one whose creator nobody knows."""
    said = {tag: {"vr": "LO"}} | {"00090011": {"vr": "LO", "Value": ["THEIRS"]}}
    (found,) = [one for one in written(said) if one.get("privateCreator") == creator and one.get("tag") == tag_said]
    assert found.get("keyword") is None


@pytest.mark.parametrize(("tag", "keyword"), [("60000010", "OverlayRows"), ("60023000", "OverlayData")])
def test_groups_that_repeat_have_keywords_too(tag: str, keyword: str) -> None:
    assert only({tag: {"vr": "OW"}}).get("keyword") == keyword


# --- whatever it says


def test_what_xml_has_no_place_for_is_marked() -> None:
    said = {"00104000": {"vr": "LT", "Value": ["a\x0cb\ufffe<&>\r\n\ud800"]}}
    assert texts(only(said), "Value") == [("1", "a\ufffdb\ufffd<&>\r\n\ufffd")]


@given(OBJECTS)
def test_it_is_well_formed_whatever_a_stranger_says(said: dict[str, Any]) -> None:
    tags = [one.get("tag") for one in written(said)]
    assert len(tags) == sum(re.fullmatch("[0-9A-F]{8}", tag) is not None for tag in said)


@given(TEXTS, TEXTS)
def test_texts_come_back(text: str, creator: str) -> None:
    creators = {"00090010": {"vr": "LO", "Value": [creator]}}
    found = written(creators | {"00091001": {"vr": "LO", "Value": [text]}})
    assert native._NO_CHARACTER.sub("\ufffd", text) == (found[1][0].text or "")
    if creator:
        assert found[1].get("privateCreator") == native._NO_CHARACTER.sub("\ufffd", creator)


def test_what_is_nested_without_end_is_cut() -> None:
    said: dict[str, Any] = {}
    for _ in range(200):
        said = {"00081140": {"vr": "SQ", "Value": [said]}}
    assert len(list(written(said).iter())) < 100


def test_an_array_becomes_as_many_documents() -> None:
    array = json.dumps([{"00100020": {"vr": "LO", "Value": [f"[{number}]{{,"]}} for number in range(3)], indent=1)
    found = [read(one)[0][0].text for one in native.documents(array.encode())]
    assert found == ["[0]{,", "[1]{,", "[2]{,"]
    assert list(native.documents(b"[]")) == []


def test_an_object_in_another_encoding_is_none() -> None:
    assert headers.is_object(b"{}")
    assert not headers.is_object("{}".encode("utf-16"))


# --- as others write it


def plain(attributes: Element, place: str = "") -> dict[str, Any]:
    """What a document says, in one form for either program: by the place of each value, numbers as numbers."""
    said: dict[str, Any] = {}
    for one in attributes:
        tag, vr = str(one.get("tag")), str(one.get("vr"))
        if tag in ("00080005", "00083002", "7FE00010", "FFFCFFFC"):  # charset, ours alone, pixels, padding
            continue
        if int(tag[3], 16) % 2:  # theirs has no block even where nobody reserved it
            tag = f"{tag[:4]}00{tag[6:]}{one.get('privateCreator') or ''}"
        name = f"{place}/{tag}"
        said[name] = vr
        if keyword := one.get("keyword"):
            said[f"{name} keyword"] = keyword
        for value in one:
            at = f"{name}/{value.get('number')}"
            if vr == "SQ":
                said |= {at: None} | plain(value, at)
            elif vr not in BINARY and (len(value) or value.text):  # theirs stands elsewhere, or is there and empty
                inner = [(group.tag, part.tag, part.text) for group in value for part in group]
                said[at] = inner or _number(vr, value.text or "")
    return said


def _number(vr: str, text: str) -> Any:
    return pytest.approx(float(text), rel=1e-6) if vr in ("DS", "IS", "FL", "FD") else text


@pytest.mark.skipif(not shutil.which("dcm2xml"), reason="dcmtk is not installed")
@pytest.mark.parametrize(
    "name",
    [
        *("CT_small.dcm", "MR_small.dcm", "MR_small_bigendian.dcm", "rtplan.dcm", "rtstruct.dcm", "test-SR.dcm"),
        *("reportsi.dcm", "waveform_ecg.dcm", "SC_rgb_small_odd.dcm", "examples_overlay.dcm", "liver_1frame.dcm"),
    ],
)
def test_dcmtk_writes_the_same(name: str) -> None:
    path = Path(str(get_testdata_file(name, download=False)))
    told = ["dcm2xml", "--native-format", "--use-xml-namespace", "--convert-to-utf8", str(path)]
    theirs = plain(read(subprocess.run(told, capture_output=True, check=True).stdout))
    ours = plain(written(metadata(path.read_bytes(), BASE)))
    assert {place: value for place, value in theirs.items() if value != ours.get(place)} == {}
    more = ours.keys() - theirs.keys()
    assert {place for place in more if not place.endswith("keyword")} == set(), "theirs names nothing that is retired"


def test_every_text_of_a_file_is_there() -> None:
    dataset = dcmread(BytesIO(ct_file(PatientName="Müller^Jörg", SpecificCharacterSet="ISO_IR 100")))
    item = Dataset()
    item.add(DataElement(0x00091003, "OB", b"deep" * 500))
    dataset.add(DataElement(0x00081140, "SQ", [item]))
    out = BytesIO()
    dataset.save_as(out)
    found = written(metadata(out.getvalue(), BASE))
    assert "Müller" in [one.text for one in found.iter()]
    assert f"{BASE}/00081140/0/00091003" in [one.get("uri") for one in found.iter()]
