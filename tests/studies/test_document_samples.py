"""Documents that others made are read, every one; and in those we make, dcmtk finds no word that we lose."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from studies.documents import trees
from studies.documents.contents import document
from studies.refusals import Refusal
from tests.studies.documents_made import dose_report, measurement_report, radiology_report

QUOTED = re.compile(r'"([^"]+)"')


def text_of(content: bytes) -> str:
    """All that we say of a structured report."""
    return trees.as_text(trees.lay_out(trees.parse(document(content).content)))


@pytest.mark.samples
def test_every_sample_that_is_a_document_is_read(samples: Path) -> None:
    read = {}
    folders = ("sr-basic-text", "sr-tid1500", "synthetic-complete-study", "doc-encapsulated-pdf")
    for path in sorted(path for folder in folders for path in (samples / folder).rglob("*") if path.is_file()):
        try:
            found = document(path.read_bytes())
        except Refusal:
            continue
        read[path.name] = found.content if found.media_type == "application/pdf" else text_of(path.read_bytes())
    assert len(read) >= 13
    assert all(read.values())
    assert "squamous cell carcinoma" in str(read["report_dfl"])


@pytest.mark.skipif(shutil.which("dsrdump") is None, reason="dcmtk is not installed")
@pytest.mark.parametrize(
    ("content", "elsewhere"),
    [
        (radiology_report("No <nodule> in the lungs.", "Normal & well."), {"Radiology report", "Lee^Ann"}),
        (dose_report(), {"X-Ray Radiation Dose Report", "{events}"}),
        (measurement_report("1.2.3"), {"Imaging Measurement Report", "Image Library", "64.4505437946691"}),
    ],
    ids=["TID 2000", "TID 10011", "TID 1500"],
)
def test_dcmtk_finds_no_word_that_we_lose(content: bytes, elsewhere: set[str], tmp_path: Path) -> None:
    file = tmp_path / "report.dcm"
    file.write_bytes(content)
    tool = ["dsrdump", "-Ec", "-Ee", "-Er", "-Ei", "+Pc", "+Pl", str(file)]
    said = set(QUOTED.findall(subprocess.run(tool, check=True, capture_output=True, timeout=20).stdout.decode()))
    assert len(said) >= 6
    assert {words for words in said - elsewhere if words not in text_of(content)} == set()
