"""A structured report becomes a list of what people read in it, whoever wrote it, and never too long."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydicom.dataset import Dataset

from studies.documents import structured
from studies.documents.contents import document
from tests.studies.documents_made import code, item, measured, number, picture, sr_object, text


def items_of(*children: Dataset, **attributes: Any) -> list[dict[str, Any]]:
    return list(read(*children, **attributes)["items"])


def read(*children: Dataset, **attributes: Any) -> dict[str, Any]:
    found = document(sr_object(*children, **attributes))
    assert found.media_type == "application/dicom"
    said: dict[str, Any] = json.loads(found.content)
    return said


def values(*children: Dataset, **attributes: Any) -> list[tuple[str, str]]:
    return [(one.get("n", ""), one.get("v", "")) for one in items_of(*children, **attributes)]


def test_the_tree_is_written_down_in_reading_order_with_its_depth() -> None:
    findings = item("CONTAINER", "Findings", [text("Lungs", "Clear.", item("CONTAINER", "Left", [text("", "Too.")]))])
    said = items_of(findings, text("Impression", "Normal."))
    assert [(one["d"], one["k"], one.get("n")) for one in said] == [
        (1, "section", "Findings"),
        (2, "text", "Lungs"),
        (3, "section", "Left"),
        (4, "text", None),
        (1, "text", "Impression"),
    ]


def test_each_kind_of_value_is_said_in_words() -> None:
    said = items_of(
        item("CODE", "Finding", ConceptCodeSequence=code("Granuloma")),
        number("Diameter", "4.5", "mm"),
        number("Count", "2", "1"),
        number("Density", "40", "[hnsf'U]"),
        number("Events", "3", "{events}"),
        item("NUM", "Volume", NumericValueQualifierCodeSequence=code("Not a number")),
        item("DATE", "Seen on", Date="20260131"),
        item("PNAME", "Read by", PersonName="Yamada^Tarou=山田^太郎=やまだ^たろう"),
    )
    assert [(one["k"], one.get("v"), one.get("u")) for one in said] == [
        ("code", "Granuloma", None),
        ("number", "4.5", "mm"),
        ("number", "2", None),
        ("number", "40", "HU"),
        ("number", "3", "events"),
        ("number", "Not a number", None),
        ("date", "20260131", None),
        ("person", "Yamada Tarou (山田 太郎)", None),
    ]


def test_a_code_without_words_is_said_by_its_value() -> None:
    assert values(item("CODE", "Finding", ConceptCodeSequence=code("", "R91.1")))[0] == ("Finding", "R91.1")


@pytest.mark.parametrize(
    ("charset", "words"),
    [
        ("ISO_IR 100", "Pequeño nódulo, señal"),
        ("ISO 2022 IR 6\\ISO 2022 IR 87", "肺は正常"),
        ("ISO 2022 IR 6\\ISO 2022 IR 149", "폐는 정상"),
        ("GB18030", "肺部正常"),
        ("ISO_IR 192", "Größe 値 폐"),
    ],
)
def test_text_of_any_script_is_read_by_its_character_set(charset: str, words: str) -> None:
    deep = item("CONTAINER", "Findings", [text("Lungs", words)])
    assert values(deep, SpecificCharacterSet=charset.split("\\"))[1] == ("Lungs", words)


def test_text_keeps_its_lines_and_loses_what_hides_or_reorders_it() -> None:
    said = r"One\.br\Two<br/>Three" + "\r\nFour\rFive\u202e\u200b\x07"
    assert values(text("Findings", said)) == [("Findings", "One\nTwo\nThree\nFour\nFive")]


def test_a_mark_on_a_picture_is_that_picture() -> None:
    place = item("SCOORD", "Measured at", [picture("1.2.3", 4)], GraphicType="POLYLINE")
    long, shown = items_of(number("Long axis", "7", "mm", place))
    assert shown == {"d": 2, "k": "image", "n": "Measured at", "i": "1.2.3", "f": [4]}
    assert long["d"] == 1


def test_what_is_not_shown_is_named_and_a_uid_is_not() -> None:
    said = items_of(
        item("WAVEFORM", "Heart"),
        item("HOLOGRAM", "Tomorrow"),
        item("UIDREF", "Tracking", UID="1.2"),
        item("", "Empty"),
    )
    assert [(one["k"], one["n"], one["v"]) for one in said] == [
        ("unshown", "Heart", "WAVEFORM"),
        ("unshown", "Tomorrow", "HOLOGRAM"),
    ]


def test_what_tells_of_the_report_is_marked() -> None:
    device = item("CODE", "Observer Type", ConceptCodeSequence=code("Device"), RelationshipType="HAS OBS CONTEXT")
    library = item("CONTAINER", "DCM:111028:Image Library", [picture("1.2")])
    said = items_of(device, library, text("Findings", "Clear."))
    assert [one.get("a", 0) for one in said] == [1, 1, 1, 0]


def test_a_running_text_is_marked() -> None:
    running = item("CONTAINER", "History", [text("", "A mass of"), number("", "3", "cm")])
    running.ContinuityOfContent = "CONTINUOUS"
    assert [one.get("j", 0) for one in items_of(running)] == [0, 1, 1]


def test_depth_is_bounded() -> None:
    deep = text("", "bottom")
    for _ in range(60):
        deep = item("CONTAINER", "Down", [deep])
    said = read(deep)
    assert said["cut"] is True
    assert len(said["items"]) == structured.MAX_DEPTH


def test_the_number_of_items_and_of_letters_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(text("", "x"))["cut"] is False
    monkeypatch.setattr(structured, "MAX_ITEMS", 10)
    said = read(*[text("", "x")] * 50)
    assert (len(said["items"]), said["cut"]) == (10, True)
    monkeypatch.setattr(structured, "MAX_CHARACTERS", 100)
    said = read(*[text("", "x" * 40)] * 5)
    assert (len(said["items"]), said["cut"]) == (2, True)
    monkeypatch.setattr(structured, "MAX_WALKED", 3)
    assert read(*[item("UIDREF", UID="1.2")] * 5)["cut"] is True


def test_damage_in_one_item_costs_no_other() -> None:
    broken = item("NUM", "Broken", MeasuredValueSequence=measured("1", "mm"))
    broken.MeasuredValueSequence[0].NumericValue = None
    nothing = item("NUM", "Nothing")
    said = values(broken, nothing, item("CODE", "No code"), item("TEXT", "No text"), text("Left", "Whole."))
    assert said == [("Broken", ""), ("Nothing", ""), ("Left", "Whole.")]
