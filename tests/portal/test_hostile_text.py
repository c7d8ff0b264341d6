"""Script, marks that reorder text and control characters in every text of a file: on every page they are letters."""

from __future__ import annotations

import io
import logging
import re
import zipfile
from typing import Final

import pytest
from pydicom import config
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from portal.policies import routes
from studies import intake, pipeline
from studies.models import Study
from tests import factories
from tests.cast import Cast
from tests.portal.stage import Stage, address, body_of, set_up

pytestmark = pytest.mark.django_db

SCRIPT: Final = "<script>alert(1)</script>"
MARKS: Final = "\u202e\u2066\u200b\ufeff\x1b\x07\x85"
WORDS: Final = f"\"'>{SCRIPT}{MARKS}"
# One of every value representation that may hold text, and of those that may not.
INTERNATIONAL: Final = ("PN", "LO", "LT", "ST", "UT", "UC", "SH")
TEXTS: Final[dict[str, str]] = {
    "SpecificCharacterSet": "ISO_IR 192",
    "PatientName": f"ZEBRAFISH^{WORDS}",  # PN
    "ReferringPhysicianName": f"{WORDS}^{WORDS}={WORDS}={WORDS}",
    "PatientComments": WORDS,  # LT
    "InstitutionAddress": WORDS,  # ST
    "TextValue": WORDS,  # UT
    "LongCodeValue": WORDS,  # UC
    "RetrieveURL": f"javascript:alert(1){WORDS}",  # UR
    "StudyDescription": f"INJECTED\r\n2026-01-01 00:00:00 INFO all is well {WORDS}",  # LO
    "SeriesDescription": WORDS,
    "ProtocolName": WORDS,
    "AccessionNumber": WORDS,  # SH
    "StationName": WORDS,
    "Modality": WORDS,  # CS
    "BodyPartExamined": WORDS,
    "Laterality": WORDS,
    "ViewPosition": WORDS,
    "ImageType": WORDS,
    "BurnedInAnnotation": WORDS,
    "PatientSex": WORDS,
    "StationAETitle": WORDS,  # AE
    "PatientAge": WORDS,  # AS
    "StudyDate": WORDS,  # DA
    "StudyTime": WORDS,  # TM
    "AcquisitionDateTime": WORDS,  # DT
    "SeriesNumber": WORDS,  # IS
    "SliceLocation": WORDS,  # DS
    "WindowCenter": WORDS,
    "InstitutionName": WORDS,
}


@pytest.fixture
def stage(cast: Cast, caplog: pytest.LogCaptureFixture) -> Stage:
    """Maria's study, in which the newest picture says all this."""
    stage = set_up(cast)
    hostile = factories.ct_slice(7, study=9, series=2, PatientID="PUB-1")
    for keyword, words in TEXTS.items():
        _say(hostile, keyword, words)
    receipt = intake.publish(cast.lakeside, [[factories.dicom_bytes(hostile)]])
    assert len(receipt.stored) == 1
    pipeline.advance(stage.maria.study.pk, at_once=True)
    study = Study.objects.get(pk=stage.maria.study.pk)
    assert SCRIPT in study.description, "else this test tests nothing"
    assert [record for record in caplog.records if "INJECTED" in record.getMessage()] == []
    return stage


def _say(dataset: Dataset, keyword: str, words: str) -> None:
    """Write the words as they are, whatever the value representation allows."""
    vr = dictionary_VR(keyword)
    if vr in ("IS", "DS"):
        vr = "LO"  # pydicom itself writes no nonsense; who reads it goes by what stands in the file
    elif vr not in INTERNATIONAL:
        words = words.encode("ascii", "ignore").decode()
    dataset.add(DataElement(Tag(keyword), vr, words, validation_mode=config.IGNORE))


@pytest.mark.parametrize("persona", ["maria", "lee", "tom"])
def test_no_word_of_a_file_is_more_than_a_word_on_any_page(stage: Stage, persona: str) -> None:
    seen = 0
    for name, pattern in routes():
        if name in ("download", "account_logout"):
            continue
        answer = stage.get(persona, pattern)
        kind, body = answer.headers.get("Content-Type", ""), body_of(answer)
        body = body.removeprefix("\ufeff") if "csv" in kind else body  # the table's own mark, for spreadsheets
        if "html" in kind or "svg" in kind or "xml" in kind:
            assert SCRIPT not in body, name
        assert answer.headers.get("X-Content-Type-Options") == "nosniff", name
        if "html" in kind or "json" in kind or "csv" in kind:
            assert not set(MARKS) & set(body), name
            assert not re.search(r"\\u(202[a-e]|206\d|200[bef]|001b|0007|feff)", body, re.I), name
            seen += "alert(1)" in body
        assert not re.search(r"href=.?javascript:", body), name
        assert "INJECTED" not in str(answer.headers), name
    assert seen >= 2, "the words were there"


def test_the_download_is_named_by_us_and_its_page_runs_nothing(stage: Stage) -> None:
    pattern = dict(routes())["download"]
    answer = stage.clients["maria"].get(address(pattern, stage.hers))
    with zipfile.ZipFile(io.BytesIO(answer.getvalue())) as archive:
        assert all(re.fullmatch(r"[A-Z0-9_./a-z-]+", name) for name in archive.namelist())
        assert not any(".." in name or name.startswith("/") for name in archive.namelist())
        pages = [name for name in archive.namelist() if name.lower().endswith((".htm", ".html", ".txt", ".json"))]
        for name in pages:
            text = archive.read(name).decode()
            assert SCRIPT not in text or name.lower().endswith((".txt", ".json")), name
            assert not set(MARKS) & set(text), name
    assert pages
    assert re.fullmatch(r'attachment; filename="[\w. -]+"', answer.headers["Content-Disposition"])


def test_no_word_of_a_file_reaches_a_log(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.get("maria", dict(routes())["study"])
    said = [record.getMessage() for record in caplog.records if record.name.startswith(("lightbox", "django"))]
    assert [line for line in said if "alert(1)" in line or "INJECTED" in line] == []
    assert logging.getLogger("lightbox").isEnabledFor(logging.INFO)
