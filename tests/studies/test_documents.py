from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from studies import documents
from studies.documents import document
from studies.refusals import CannotShow, NotReadable, Refusal
from tests.factories import ct_file
from tests.studies.documents_made import PDF, code, item, measured, pdf_object, sr_object


def text_of(*items: Dataset) -> str:
    media_type, content = document(sr_object(*items))
    assert media_type == "text/plain"
    return content.decode()


def test_a_pdf_comes_out_as_it_was_put_in() -> None:
    assert document(pdf_object()) == ("application/pdf", PDF)


def test_a_pdf_of_unknown_length_loses_its_padding_only() -> None:
    assert document(pdf_object(EncapsulatedDocumentLength=None)) == ("application/pdf", PDF)


def test_something_else_in_the_place_of_a_pdf_is_refused() -> None:
    with pytest.raises(NotReadable):
        document(pdf_object(b"<script>alert(1)</script>"))


def test_a_report_reads_as_headings_and_paragraphs() -> None:
    findings = item("CONTAINER", "Findings", [item("TEXT", "Lungs", TextValue="Clear.\r\nNo nodule.")])
    assert text_of(findings) == "Radiology report\n\nFindings\n\nLungs\nClear.\nNo nodule.\n"


def test_each_kind_of_value_is_said_in_words() -> None:
    said = text_of(
        item("CODE", "Finding", ConceptCodeSequence=code("Granuloma")),
        item("NUM", "Diameter", MeasuredValueSequence=measured("4.5", "mm")),
        item("NUM", "Count", MeasuredValueSequence=measured("2", "1")),
        item("DATE", "Seen on", Date="20260131"),
        item("PNAME", "Read by", PersonName="Lee^Ann"),
        item("IMAGE", "Shown in"),
    )
    assert said.splitlines()[1:] == [
        "Finding: Granuloma",
        "Diameter: 4.5 mm",
        "Count: 2",
        "Seen on: 20260131",
        "Read by: Lee Ann",
    ]


def test_text_of_any_script_is_kept_and_marks_that_reorder_it_are_not() -> None:
    assert "Größe 値 ab" in text_of(item("TEXT", TextValue="Größe 値 a\u202eb"))


def test_depth_and_number_of_items_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_ITEMS", 100)
    deep = item("TEXT", TextValue="bottom")
    for _ in range(50):
        deep = item("CONTAINER", children=[deep])
    assert "bottom" not in text_of(deep)
    many = item("CONTAINER", children=[item("TEXT", TextValue="x")] * 100)
    with pytest.raises(CannotShow):
        document(sr_object(many))


def test_a_picture_is_no_document() -> None:
    with pytest.raises(Refusal):
        document(ct_file(1))
