"""HL7 v2 as systems write it: what is understood of a message, and what is refused in which words."""

from __future__ import annotations

import base64
from contextlib import suppress
from typing import Any

import hl7
import pytest
from hypothesis import given
from hypothesis import strategies as some

from gateway.config import Hl7
from gateway.messages import NotUnderstood, Report, answer, read, report_in

PDF = b"%PDF-1.4 a report %%EOF"


def oru(
    *observations: str,
    status: str = "F",
    accession: str = "ACC-1^RIS",
    charset: str = "UNICODE UTF-8",
    more: str = "",
    patient: str = "MRN-7",
) -> str:
    """An ORU^R01; observations are OBX from OBX-2 on."""
    lines = [
        f"MSH|^~\\&|RIS|HOSPITAL|LIGHTBOX||20260112101500||ORU^R01|MSG-1|P|2.5.1||||||{charset}".rstrip("|"),
        f"PID|1||{patient}^^^HOSPITAL||ZEBRAFISH^MARIA||19800517|F",
        f"OBR|1||{accession}|CT^CT CHEST|||20260112|||||||||||||||20260112101500|||{status}",
        *([more] if more else []),
        *(f"OBX|{number}|{one}" for number, one in enumerate(observations, 1)),
    ]
    return "\r".join(lines) + "\r"


def understood(text: str | bytes, **said: Any) -> Report | None:
    block = text if isinstance(text, bytes) else text.encode()
    wanted = Hl7(**said)
    return report_in(read(block, wanted.charset), wanted)


def text_of(message: str | bytes, **said: Any) -> str:
    report = understood(message, **said)
    assert report
    assert not report.is_pdf
    return report.content.decode()


def test_a_report_is_its_lines_its_exam_and_its_status() -> None:
    report = understood(oru("TX|1||Findings: lungs clear.||||||F", "TX|1||Impression: normal.||||||F"))
    assert report == Report("", "ACC-1", "MRN-7", "final", b"Findings: lungs clear.\nImpression: normal.", False)


@pytest.mark.parametrize("ending", ["\r", "\n", "\r\n"])
def test_any_line_ending(ending: str) -> None:
    assert text_of(oru("TX|||One", "TX|||Two").replace("\r", ending)) == "One\nTwo"


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        (r"One\.br\Two", "One\nTwo"),
        ("One~Two", "One\nTwo"),
        (r"3 \T\ 4 \S\ 5 \F\ 6", "3 & 4 ^ 5 | 6"),
        (r"<b>&amp;", "<b>&amp;"),
        ("mass of 3 ^ 4 cm", "mass of 3 ^ 4 cm"),
        (r"\X41\\X42\ ", "AB "),
    ],
)
def test_escapes_and_repetitions(written: str, read_as: str) -> None:
    assert text_of(oru(f"FT|||{written}", "TX|||end")) == f"{read_as}\nend"


@pytest.mark.parametrize(
    ("named", "encoding", "default"),
    [
        ("UNICODE UTF-8", "utf-8", "latin-1"),
        ("8859/1", "latin-1", "utf-8"),
        ("8859/15", "iso8859-15", "utf-8"),
        ("", "latin-1", "latin-1"),
        ("", "utf-8", "utf-8"),
        ("UNICODE UTF-8~8859/1", "utf-8", "latin-1"),
    ],
)
def test_the_character_set_is_that_of_msh_18_else_of_the_facility(named: str, encoding: str, default: str) -> None:
    message = oru("TX|||Müller: Ödem", charset=named).encode(encoding)
    assert text_of(message, charset=default) == "Müller: Ödem"


@pytest.mark.parametrize(
    ("code", "status"),
    [("P", "preliminary"), ("R", "preliminary"), ("F", "final"), ("f", "final"), ("C", "corrected"), ("A", "appended")],
)
def test_statuses(code: str, status: str) -> None:
    report = understood(oru("TX|||Text", status=code))
    assert report
    assert report.status == status


def test_a_facility_may_mean_something_else_by_a_status() -> None:
    report = understood(oru("TX|||Text", status="A"), status={"A": "amended"})
    assert report
    assert report.status == "amended"


@pytest.mark.parametrize("code", ["O", "S", "I", "X", "CA"])
def test_a_status_without_a_report_brings_nothing(code: str) -> None:
    assert understood(oru(status=code)) is None


def test_the_status_of_the_order_counts_where_the_report_has_none() -> None:
    report = understood(oru("TX|||Text", status="", more="ORC|RE||||F"))
    assert report
    assert report.status == "final"


def test_whose_it_is_may_be_left_open_or_stand_elsewhere() -> None:
    nameless = oru("TX|||Text").replace("MRN-7", "")
    report = understood(nameless, patient="")
    assert report
    assert report.patient_id == ""
    report = understood(oru("TX|||Text").replace("PID|1||", "PID|1|OTHER-9|"), patient="PID-2")
    assert report
    assert report.patient_id == "OTHER-9"


def test_the_exam_is_named_where_the_facility_says() -> None:
    report = understood(oru("TX|||Text").replace("OBR|1||ACC-1^RIS", "OBR|1|PLACER|ACC-1^RIS"), accession="OBR-2")
    assert report
    assert report.accession_number == "PLACER"


@pytest.mark.parametrize("more", ["ZDS|1.2.3.4^RIS^Application^DICOM", "OBX|9|HD|113014^DICOM Study^DCM||1.2.3.4"])
def test_a_study_uid_names_the_exam_better_than_an_accession_number(more: str) -> None:
    report = understood(oru("TX|||Text", more=more))
    assert report
    assert (report.study_uid, report.accession_number) == ("1.2.3.4", "")


@pytest.mark.parametrize("size", [10, 200_000])
def test_a_pdf(size: int) -> None:
    content = PDF + bytes(size)
    data = base64.b64encode(content).decode()
    report = understood(oru("TX|||See the PDF", f"ED|||^application^pdf^Base64^{data}"))
    assert report
    assert (report.content, report.is_pdf) == (content, True)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("", "does not begin with MSH"),
        ("PID|1", "does not begin with MSH"),
        ("MSH|", "does not begin with MSH"),
        (oru("TX|||Text").replace("OBR", "OBQ"), "no OBR segment"),
        (oru("TX|||Text", status="?"), "Nobody knows the status"),
        (oru("TX|||Text", accession=""), "OBR-3.1 is empty"),
        (oru("TX|||Text").replace("MRN-7", ""), "PID-3.1 is empty"),
        (oru(), "no text and no PDF"),
        (oru("TX|||   "), "no text and no PDF"),
        (oru("RP|||https://elsewhere.example/report.pdf"), "no text and no PDF"),
        (oru("ED|||^application^pdf^Base64^@@@"), "not in Base64"),
        (oru("ED|||^application^pdf^Base64^QUJD"), "calls a PDF is none"),
        (oru("ED|||^application^pdf"), "not in Base64"),
        (oru("TX|||Text").encode() + b"\xff\xfe", "character set"),
    ],
)
def test_what_is_missing_is_said(message: str | bytes, words: str) -> None:
    with pytest.raises(NotUnderstood, match=words):
        understood(message)


def test_the_answer_goes_back_to_who_sent() -> None:
    message = read(oru("TX|||Text").encode(), "utf-8")
    assert (message.kind, message.control_id, message.sender) == ("ORU^R01", "MSG-1", "RIS|HOSPITAL")
    head, said, _end = answer(message, "AE", "No room.").decode().split("\r")
    assert head.startswith("MSH|^~\\&|LIGHTBOX||RIS|HOSPITAL|")
    assert said == "MSA|AE|MSG-1|No room."
    assert hl7.parse(head).segment("MSH")[18] == ["UNICODE UTF-8"]
    assert answer(None, "AR").decode().split("\r")[1] == "MSA|AR||"


@given(some.binary(max_size=400))
def test_no_bytes_break_the_reader(noise: bytes) -> None:
    for block in (noise, b"MSH|^~\\&|" + noise, oru("TX|||Text").encode() + noise, b"MSH" + noise):
        with suppress(NotUnderstood):
            understood(block)
