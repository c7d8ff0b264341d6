"""DICOM JSON of whole headers: every element, in words that JSON has, and as DCMTK writes it."""

from __future__ import annotations

import json
import shutil
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.tag import Tag

from studies.dicom.metadata import bulk, metadata
from studies.refusals import CannotShow, Refusal
from tests.factories import ct_file

BASE = "https://images.example.org/bulkdata"


def said(content: bytes) -> dict[str, Any]:
    made = metadata(content, BASE)
    json.dumps(made, allow_nan=False)
    return made


def with_elements(*elements: DataElement, **values: Any) -> bytes:
    """A CT with some more elements."""
    dataset = dcmread(BytesIO(ct_file(**values)))
    for element in elements:
        dataset.add(element)
    out = BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def raw(tag: int, vr: str, value: bytes) -> bytes:
    """A CT with an element whose bytes nobody checked."""
    dataset = dcmread(BytesIO(ct_file()))
    dataset[tag] = RawDataElement(Tag(tag), vr, len(value), value, 0, False, True)
    out = BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def test_each_kind_of_value_has_its_form() -> None:
    content = with_elements(
        DataElement(0x00280009, "AT", [0x00181063]),
        DataElement(0x00189087, "FD", 1.5),
        DataElement(0x00280030, "DS", ["0.5", "2"]),
        DataElement(0x00200013, "IS", "12"),
        DataElement(0x00081140, "SQ", []),
        DataElement(0x00102160, "SH", ""),
        DataElement(0x00091002, "OB", b"\1\2"),
        PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう",
        SpecificCharacterSet="ISO_IR 192",
    )
    made = said(content)
    assert made["00280009"] == {"vr": "AT", "Value": ["00181063"]}
    assert made["00189087"] == {"vr": "FD", "Value": [1.5]}
    assert made["00280030"] == {"vr": "DS", "Value": [0.5, 2]}
    assert made["00200013"] == {"vr": "IS", "Value": [12]}
    assert made["00081140"] == {"vr": "SQ"}
    assert made["00102160"] == {"vr": "SH"}
    assert made["00091002"] == {"vr": "OB", "InlineBinary": "AQI="}
    name = {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}
    assert made["00100010"] == {"vr": "PN", "Value": [name]}
    assert made["00080005"] == {"vr": "CS", "Value": ["ISO_IR 192"]}
    assert list(made) == sorted(made)


def test_the_header_of_the_file_is_left_out_but_for_its_syntax() -> None:
    made = said(ct_file())
    assert not [tag for tag in made if tag.startswith("0002")]
    assert made["00083002"] == {"vr": "UI", "Value": ["1.2.840.10008.1.2.1"]}
    assert made["7FE00010"] == {"vr": "OW", "BulkDataURI": f"{BASE}/7FE00010"}


@pytest.mark.parametrize(
    ("tag", "vr", "value", "made"),
    [
        (0x00200013, "IS", b"1A", {"vr": "IS", "Value": ["1A"]}),
        (0x00180050, "DS", b"thick ", {"vr": "DS", "Value": ["thick"]}),
        (0x00180050, "DS", b"nan ", {"vr": "DS"}),
        (0x00189087, "FD", b"\0\0\0\0\0\0\xf8\x7f", {"vr": "FD"}),
        (0x00189087, "FD", b"\0\0\0", {"vr": "FD"}),
        (0x00280010, "US", b"\1", {"vr": "US"}),
    ],
)
def test_a_bad_value_costs_itself_alone(tag: int, vr: str, value: bytes, made: dict[str, Any]) -> None:
    content = said(raw(tag, vr, value))
    assert content[f"{tag:08X}"] == made
    assert content["00100020"]["Value"], "the patient ID is still there"


def test_a_long_value_is_found_by_its_path() -> None:
    item = Dataset()
    item.add(DataElement(0x00091003, "OB", b"deep" * 500))
    content = with_elements(DataElement(0x00091001, "OB", b"long" * 500), DataElement(0x00081140, "SQ", [item]))
    made = said(content)
    assert made["00091001"] == {"vr": "OB", "BulkDataURI": f"{BASE}/00091001"}
    nested = made["00081140"]["Value"][0]["00091003"]["BulkDataURI"]
    assert nested == f"{BASE}/00081140/0/00091003"
    assert bulk(content, "00091001") == b"long" * 500
    assert bulk(content, nested.removeprefix(f"{BASE}/")) == b"deep" * 500


def test_a_palette_is_fetched_and_a_few_bytes_are_not() -> None:
    """As OHIF's client expects it; a smaller table is not worth a request."""
    made = said(with_elements(DataElement(0x00281201, "OW", bytes(512)), DataElement(0x00281202, "OW", bytes(256))))
    assert made["00281201"] == {"vr": "OW", "BulkDataURI": f"{BASE}/00281201"}
    assert "InlineBinary" in made["00281202"]


@pytest.mark.parametrize("path", ["00091001", "00100020/0/00091001", "00081140/7/00091003", "00081140"])
def test_a_path_that_leads_nowhere_finds_nothing(path: str) -> None:
    with pytest.raises(CannotShow):
        bulk(ct_file(), path)


def test_big_endian_words_are_turned_round() -> None:
    path = str(get_testdata_file("ExplVR_BigEnd.dcm", download=False))
    dataset = dcmread(path)
    dataset.add(DataElement(0x00091001, "OW", b"\1\2\3\4"))
    out = BytesIO()
    dataset.save_as(out)
    assert said(out.getvalue())["00091001"]["InlineBinary"] == "AgEEAw=="
    assert bulk(out.getvalue(), "00091001") == b"\2\1\4\3"


def plain(element: dict[str, Any]) -> Any:
    """An element of either program in one form: numbers as numbers, nothing for what is empty."""
    value = element.get("Value", [])
    if element["vr"] == "SQ":
        return [{tag: plain(inner) for tag, inner in item.items() if tag[4:] != "0000"} for item in value]
    if element["vr"] in ("DS", "IS", "FL", "FD"):
        return [None if one is None else pytest.approx(float(one), rel=1e-6) for one in value]
    return [one for one in value if one not in (None, {})] or element.get("InlineBinary", "")


@pytest.mark.skipif(not shutil.which("dcm2json"), reason="dcmtk is not installed")
@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "rtplan.dcm", "test-SR.dcm", "SC_rgb_small_odd.dcm"])
def test_dcmtk_says_the_same(name: str) -> None:
    path = Path(str(get_testdata_file(name, download=False)))
    theirs = json.loads(subprocess.run(["dcm2json", path], capture_output=True, check=True).stdout)
    ours = said(path.read_bytes())
    for tag in {"7FE00010", "FFFCFFFC", "00080005", "00083002"}:
        theirs.pop(tag, None)
        ours.pop(tag, None)
    assert ours.keys() == {tag for tag in theirs if not tag.startswith("0002") and tag[4:] != "0000"}
    different = [
        (tag, element, theirs[tag])
        for tag, element in ours.items()
        if "BulkDataURI" not in element and plain(element) != plain(theirs[tag])
    ]
    assert different == []


def test_every_sample_is_told_or_refused(samples: Path) -> None:
    for path in samples.rglob("*"):
        if path.is_file():
            try:
                said(path.read_bytes())
            except Refusal:
                continue
