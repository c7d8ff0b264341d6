"""A report on paper: every line within the margins, every character there or said to be missing."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reportlab.pdfbase.pdfmetrics import stringWidth

from studies.documents.printing import FONT, MISSING, print_text, printable, wrap

LINES = ["Lakeside Imaging", "5 March 2026"]
FINDINGS = "Findings:\r\n\tLungs clear, heart 48 %.\r\n\r\nImpression: größer als früher, ≤ 3 mm."


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b(?!s)", pdf))


def test_a_short_report_is_one_page() -> None:
    pdf = print_text(FINDINGS, "Report", LINES)
    assert pdf.startswith(b"%PDF")
    assert pages(pdf) == 1


def test_a_long_report_goes_on_over_pages() -> None:
    assert pages(print_text("line\n" * 150, "Report", LINES)) == 4


def test_the_same_text_prints_the_same_bytes() -> None:
    assert print_text(FINDINGS, "Report", LINES) == print_text(FINDINGS, "Report", LINES)


@given(st.text(alphabet="ab cdefghi  WW", max_size=300), st.floats(40, 400))
def test_no_line_is_wider_than_the_page_and_no_word_is_lost(line: str, width: float) -> None:
    printable("")  # registers the font
    pieces = list(wrap(line, 10, width))
    assert all(stringWidth(piece, FONT, 10) <= width for piece in pieces if len(piece.strip()) > 1)
    assert "".join(pieces).replace(" ", "") == line.replace(" ", "")


def test_lines_break_between_words_and_keep_their_indent() -> None:
    assert list(wrap("   one two", 10, 45)) == ["   one", "   two"]


def test_a_word_longer_than_a_line_is_cut() -> None:
    assert len(list(wrap("x" * 200, 10, 100))) > 10


def test_tabs_and_line_ends_print_alike_everywhere() -> None:
    assert printable("a\tb\r\nc\rd") == "a    b\nc\nd"


def test_letters_and_accents_sent_apart_are_put_together() -> None:
    assert printable("gro\u0308\u00dfer") == "größer"


def test_characters_the_font_lacks_are_marked() -> None:
    assert printable("Wang 王 größer") == f"Wang {MISSING} größer"
    assert printable("\x07") == MISSING


@pytest.mark.skipif(not shutil.which("pdftotext"), reason="poppler is not installed")
def test_other_software_reads_the_words(tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    path.write_bytes(print_text(f"{FINDINGS} 王", "Report", LINES))
    said = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, text=True, check=True).stdout
    assert "Impression: größer als früher, ≤ 3 mm. ◊" in said
    assert "Lakeside Imaging" in said
    assert "the text file has them" in said
