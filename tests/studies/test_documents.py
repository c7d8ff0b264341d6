"""What a DICOM document holds, what it is to its reader, and how final."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file

from studies.documents.contents import document
from studies.refusals import CannotShow, NotReadable, Refusal
from tests.factories import ct_file, uid
from tests.studies.documents_made import (
    CHEST_CAD_SR,
    ENCAPSULATED_CDA,
    ENHANCED_SR,
    PDF,
    after,
    code,
    document_object,
    dose_report,
    item,
    measurement_report,
    pdf_object,
    radiology_report,
    sr_object,
    text,
)

CDA = """<?xml version="1.0"?>
<ClinicalDocument xmlns="urn:hl7-org:v3"><title>Report</title><component><structuredBody>
<component><section><title>Findings</title><text><paragraph>Lungs <content>clear</content>.</paragraph>
<list><item>No nodule</item><item>Größe &lt;script&gt;</item></list>
<table><tr><th>Side</th><td>left</td></tr></table></text>
<component><section><title>Heart</title><text>Normal</text></section></component></section></component>
</structuredBody></component></ClinicalDocument>"""


def test_a_pdf_comes_out_as_it_was_put_in() -> None:
    found = document(pdf_object())
    assert (found.media_type, found.content) == ("application/pdf", PDF)


def test_a_pdf_of_unknown_length_loses_its_padding_only() -> None:
    assert document(pdf_object(PDF + b"\n"[: len(PDF) % 2 == 0], EncapsulatedDocumentLength=None)).content.startswith(
        PDF
    )
    assert not document(pdf_object(EncapsulatedDocumentLength=None)).content.endswith(b"\0")


def test_something_else_in_the_place_of_a_pdf_is_refused() -> None:
    with pytest.raises(NotReadable):
        document(pdf_object(b"<script>alert(1)</script>"))


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({"DocumentTitle": "Radiology report"}, "report"),
        ({"ConceptNameCodeSequence": code("Arztbrief", "18748-4", "LN")}, "report"),
        ({"DocumentTitle": "Radiation dose summary"}, "dose"),
        ({"DocumentTitle": "Consent form"}, "document"),
        ({}, "document"),
    ],
)
def test_an_encapsulated_document_is_a_report_when_it_says_so(said: dict[str, Any], kind: str) -> None:
    about = document(pdf_object(**said)).about
    assert (about["kind"], about["title"]) == (kind, said.get("DocumentTitle", "Arztbrief" if kind == "report" else ""))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (radiology_report(), "report"),
        (dose_report(), "dose"),
        (dose_report(sop_class=ENHANCED_SR), "dose"),
        (measurement_report("1.2"), "measurements"),
        (sr_object(text("Mark", "1"), sop_class=CHEST_CAD_SR), "unmeant"),
        (sr_object(text("Mark", "1"), title="DCM:111036:Mammography CAD Report"), "unmeant"),
        (radiology_report(SeriesDescription="PhoenixZIPReport", sop_class=ENHANCED_SR), "unmeant"),
        (sr_object(item("UIDREF", "Empty", UID="1.2")), "unmeant"),
    ],
)
def test_a_structured_report_is_told_by_its_class_and_name(content: bytes, kind: str) -> None:
    assert document(content).about["kind"] == kind


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({}, "final"),  # complete and unverified: where nobody signs in the SR itself, every report is that
        ({"CompletionFlag": ""}, "final"),
        ({"VerificationFlag": "VERIFIED"}, "final"),
        ({"CompletionFlag": "PARTIAL"}, "preliminary"),
        ({"CompletionFlag": "PARTIAL", "VerificationFlag": "VERIFIED"}, "final"),
        ({"CompletionFlag": "PARTIAL", "PreliminaryFlag": "FINAL"}, "final"),
        ({"PreliminaryFlag": "PRELIMINARY", "VerificationFlag": "VERIFIED"}, "preliminary"),
        ({"PredecessorDocumentsSequence": after("1.2.3")}, "amended"),
    ],
)
def test_how_final_a_report_is_follows_its_flags(said: dict[str, Any], status: str) -> None:
    assert document(radiology_report(**said)).about["status"] == status


def test_measurements_are_final_though_programs_call_them_partial() -> None:
    assert document(measurement_report("1.2", CompletionFlag="PARTIAL")).about["status"] == "final"
    assert document(measurement_report("1.2", PreliminaryFlag="PRELIMINARY")).about["status"] == "preliminary"


@pytest.mark.parametrize(
    ("heading", "status"),
    [
        ("LN:55107-7:Zusatz", "appended"),
        ("Addendum 2", "appended"),
        ("Nachtrag", "appended"),
        ("Correction", "corrected"),
        ("Corrección:", "corrected"),
        ("Corrected gestational age", "amended"),
    ],
)
def test_an_addendum_and_a_correction_are_told_by_their_heading(heading: str, status: str) -> None:
    report = sr_object(
        item("CONTAINER", heading, [text("", "Also this.")]), PredecessorDocumentsSequence=after("1.2.3")
    )
    assert document(report).about["status"] == status


def test_a_document_says_whose_it_is_when_it_was_written_and_after_which() -> None:
    about = document(
        radiology_report(
            AccessionNumber="A1",
            ContentDate="20260131",
            ContentTime="101500",
            PredecessorDocumentsSequence=after("1.5", "1.6"),
        )
    ).about
    assert (
        about
        | {
            "sop_uid": uid(1, 9, 1),
            "study_uid": uid(1),
            "accession_number": "A1",
            "patient_id": "P1",
            "date": "20260131",
            "time": "101500",
            "predecessors": ["1.5", "1.6"],
        }
        == about
    )


def test_a_cda_document_is_read_by_its_narrative() -> None:
    found = document(document_object(ENCAPSULATED_CDA, CDA.encode(), DocumentTitle="Radiology report"))
    said = json.loads(found.content)["items"]
    assert (found.media_type, found.about["kind"]) == ("application/dicom", "report")
    assert [(one["d"], one["k"], one.get("n") or one["v"]) for one in said] == [
        (1, "section", "Findings"),
        (1, "text", "Lungs clear.\nNo nodule\nGröße <script>\nSide | left"),
        (2, "section", "Heart"),
        (2, "text", "Normal"),
    ]


@pytest.mark.parametrize(
    "content",
    [
        b'<!DOCTYPE x [<!ENTITY a "aaaa">]><ClinicalDocument>&a;</ClinicalDocument>',
        b"<html/>",
        b"<ClinicalDocument>",
        b"<ClinicalDocument/>",
        b"<" * 50_000,
    ],
)
def test_a_cda_document_of_tricks_or_without_words_is_refused(content: bytes) -> None:
    with pytest.raises(NotReadable):
        document(document_object(ENCAPSULATED_CDA, content))


def test_a_picture_is_no_document() -> None:
    with pytest.raises(Refusal):
        document(ct_file(1))


def test_another_encapsulated_file_is_no_document() -> None:
    with pytest.raises(CannotShow):
        document(document_object("1.2.840.10008.5.1.4.1.1.104.3", b"solid"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("reportsi.dcm", "Enter text"),
        ("reportsi_with_empty_number_tags.dcm", "Enter text"),
        ("test-SR.dcm", "Sample Text\nA\nB\nC"),
    ],
)
def test_what_others_wrote_loosely_is_read_all_the_same(name: str, words: str) -> None:
    path = get_testdata_file(name)
    assert isinstance(path, str)
    said = json.loads(document(Path(path).read_bytes()).content)
    assert words in [one.get("v") for one in said["items"]]
