"""What is shown and printed, as its reader sees it."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pypdfium2
import pytest


def words_of(answer: Any) -> str:
    """The words of a page, without its marks, single spaces between them."""
    return html.unescape(re.sub(r"(<[^>]+>|\s)+", " ", answer.content.decode()))


def read_qr(pdf: Path) -> str:
    """What a scanner reads from the printed page."""
    if not shutil.which("zbarimg"):
        pytest.skip("no zbarimg on this machine (apt install zbar-tools)")
    picture = pdf.with_suffix(".png")
    document = pypdfium2.PdfDocument(pdf)
    assert len(document) == 1, "the sheet is one page"
    document[0].render(scale=150 / 72).to_pil().save(picture)
    read = subprocess.run(["zbarimg", "--quiet", "--raw", str(picture)], capture_output=True, check=True)
    return read.stdout.decode().strip()
