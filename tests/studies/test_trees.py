"""A document's items become the blocks of a page and plain text; a list that makes no sense becomes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.utils import translation

from studies.documents import trees
from studies.documents.contents import document
from studies.documents.trees import Block, Senseless, Sheet, as_text, lay_out, parse
from tests.studies.documents_made import dose_report, measurement_report, radiology_report


def laid_out(*items: dict[str, Any], **said: Any) -> Sheet:
    return lay_out(parse(json.dumps({"items": items, "cut": False}).encode()), **said)


def blocks(*items: dict[str, Any]) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in laid_out(*items).blocks]


def rows(block: Block) -> list[tuple[str, str, list[str]]]:
    return [(row.name, row.value, row.notes) for row in block.rows]


def item(kind: str, depth: int = 1, **said: Any) -> dict[str, Any]:
    return {"d": depth, "k": kind, **said}


def test_headings_follow_their_nesting_and_never_skip_a_level() -> None:
    sections = [item("section", depth, n=f"Level {depth}") for depth in range(1, 7)]
    levels = [block.level for block in laid_out(*sections, item("section", n="Again")).blocks]
    assert levels == [1, 2, 3, 4, 4, 4, 1]


def test_a_text_named_like_its_section_is_not_named_again() -> None:
    assert blocks(item("section", n="Findings"), item("text", 2, n="Finding", v="Clear.")) == [
        ("heading", "Findings"),
        ("text", "Clear."),
    ]


def test_short_values_are_a_list_and_measured_ones_a_table() -> None:
    finding, site = item("code", n="Finding", v="Nodule"), item("code", 2, n="Site", v="Left lung")
    (facts,) = laid_out(finding, site, item("date", n="Seen on", v="20260131")).blocks
    assert (facts.kind, rows(facts)) == (
        "facts",
        [("Finding", "Nodule", ["Site: Left lung"]), ("Seen on", "Jan. 31, 2026", [])],
    )
    sizes = [item("number", n=name, v=value, u="mm") for name, value in (("Long", "64.4505437"), ("Short", "42.9"))]
    (table,) = laid_out(*sizes).blocks
    assert (table.kind, rows(table)) == ("table", [("Long", "64.451 mm", []), ("Short", "42.9 mm", [])])


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ({"v": "0.00001234", "u": "m"}, "0.00001234 m"),
        ({"v": "-3.14159"}, "-3.142"),
        ({"v": "1e-05"}, "1e-05"),
        ({"v": "12.50"}, "12.50"),
        ({"v": "2.00001"}, "2"),
        ({}, "no value"),
    ],
)
def test_a_number_is_as_long_as_anybody_reads_it(said: dict[str, Any], shown: str) -> None:
    assert laid_out(item("number", n="Length", **said)).blocks[0].rows[0].value == shown


@pytest.mark.parametrize(
    ("kind", "said", "shown"),
    [
        ("date", "20260131", "Jan. 31, 2026"),
        ("date", "soon", "soon"),
        ("time", "101500", "10:15 a.m."),
        ("datetime", "20260131101500.0+0100", "Jan. 31, 2026 10:15 a.m."),
        ("datetime", "99999999", "99999999"),
        ("unshown", "TCOORD", "a moment in a recording, not shown here"),
        ("unshown", "HOLOGRAM", "not shown here"),
    ],
)
def test_moments_and_what_is_not_shown_are_said_in_the_readers_way(kind: str, said: str, shown: str) -> None:
    assert laid_out(item(kind, n="It", v=said)).blocks[0].rows[0].value == shown


def test_a_running_text_is_one_paragraph() -> None:
    said = [item("text", v="A mass of", j=1), item("code", 2, n="Kind", v="Cyst"), item("number", v="3", u="cm", j=1)]
    assert blocks(*said, item("text", v=". It is new.", j=1)) == [("text", "A mass of (Kind: Cyst) 3 cm. It is new.")]


def test_pictures_are_links_only_where_they_are() -> None:
    size = item("number", n="Size", v="3", u="mm")
    here, away = item("image", 2, i="1.2", f=[4]), item("image", 1, n="Shown in", i="1.3")
    sheet = laid_out(size, here, away, addresses={("1.2", 4): "/view"})
    assert [(row.value, row.pictures) for row in sheet.blocks[0].rows] == [
        ("3 mm", ["/view"]),
        ("not in this exam", []),
    ]


def test_a_dose_report_comes_to_a_few_numbers() -> None:
    said = document(dose_report("523.4")).content
    sheet = lay_out(parse(said), is_dose=True)
    assert [(row.name, row.value) for row in sheet.totals] == [
        ("CT: dose-length product of the whole exam", "523.4 mGy.cm")
    ]
    assert not lay_out(parse(said)).totals


def test_the_plain_text_says_all_that_the_page_says() -> None:
    assert as_text(lay_out(parse(document(radiology_report("Clear.", "Normal.")).content))) == (
        "Findings\n\nClear.\n\nImpressions\n\nNormal.\n\nLanguage: English\nObserver: Lee Ann\n"
    )
    measured = as_text(lay_out(parse(document(measurement_report("1.2")).content)))
    assert "Finding: Nodule\nLong axis: 64.451 mm\nShort axis: 42.9 mm" in measured
    about = lay_out(parse(document(radiology_report("Clear.", "Normal.")).content))
    assert as_text(about, with_about=False) == "Findings\n\nClear.\n\nImpressions\n\nNormal.\n"
    cut = as_text(Sheet([], cut=True))
    assert cut.startswith("This is only a part.")


def test_it_speaks_the_language_of_its_reader() -> None:
    with translation.override("es"):
        sheet = laid_out(item("date", n="Seen", v="20260131"))
    assert sheet.blocks[0].rows[0].value == "31 de enero de 2026"


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"[]",
        b"{}",
        b'{"items": 3}',
        b'{"items": [3]}',
        b'{"items": [{"k": "text"}]}',
        b'{"items": [{"d": 1, "k": "script"}]}',
        b'{"items": [{"d": 0, "k": "text"}]}',
        b'{"items": [{"d": 1, "k": "text", "v": 3}]}',
        b'{"items": [{"d": 1, "k": "text", "n": "' + b"x" * 301 + b'"}]}',
        b'{"items": [{"d": 1, "k": "image", "f": ["1"]}]}',
        b"[" * 100_000,
        json.dumps({"items": [item("text", v="x")] * (trees.MOST_ITEMS + 1)}).encode(),
    ],
)
def test_a_list_that_makes_no_sense_is_none(blob: bytes) -> None:
    with pytest.raises(Senseless):
        parse(blob)
