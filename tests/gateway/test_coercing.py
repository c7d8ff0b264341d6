"""Files from elsewhere under the practice's own patient: what changes, what stays, and what is written down."""

from __future__ import annotations

import os
import signal
import threading
from datetime import datetime
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.errors import InvalidDicomError

from gateway.coercing import Changes, Coercer, Named, Shown, Unreadable
from tests import factories

OURS = Changes("4711", issuer="ELM", accession="A-1")


def shown_of(content: bytes, **changes: str) -> Shown:
    """What somebody is shown of a file before she says yes."""
    try:
        study_uid = str(dcmread(BytesIO(content), stop_before_pixels=True).get("StudyInstanceUID", ""))
    except InvalidDicomError:
        study_uid = ""
    return Shown(**{"study_uid": study_uid, **changes})


def coerced(content: bytes, to: Path, changes: Changes = OURS, shown: Shown | None = None) -> bytes:
    with Coercer() as coercer:
        coercer.coerce(content, changes, shown or shown_of(content), to)
    return to.read_bytes()


def test_it_lies_under_the_practices_patient_and_says_what_it_was(tmp_path: Path) -> None:
    content = factories.ct_file(1, PatientID="THEIRS", AccessionNumber="ACC")
    theirs, ours = dcmread(BytesIO(content)), dcmread(BytesIO(coerced(content, tmp_path / "one.dcm")))
    assert (ours.PatientID, ours.IssuerOfPatientID, ours.AccessionNumber) == ("4711", "ELM", "A-1")
    (noted,) = ours.OriginalAttributesSequence
    (before,) = noted.ModifiedAttributesSequence
    assert (before.PatientID, before.AccessionNumber) == ("THEIRS", "ACC")
    assert noted.ReasonForTheAttributeModification == "COERCE"
    assert ours.PatientName == theirs.PatientName
    assert (ours.StudyInstanceUID, ours.SOPInstanceUID) == (theirs.StudyInstanceUID, theirs.SOPInstanceUID)
    assert ours.PixelData == theirs.PixelData


def test_without_an_order_of_its_own_the_foreign_number_goes(tmp_path: Path) -> None:
    content = factories.ct_file(1, AccessionNumber="ACC")
    assert dcmread(BytesIO(coerced(content, tmp_path / "one.dcm", Changes("4711")))).AccessionNumber == ""


def test_what_others_have_noted_before_stays(tmp_path: Path) -> None:
    once = coerced(factories.ct_file(1, PatientID="THEIRS"), tmp_path / "one.dcm")
    twice = dcmread(BytesIO(coerced(once, tmp_path / "two.dcm", Changes("0815", issuer="OAK"))))
    assert [one.ModifiedAttributesSequence[0].PatientID for one in twice.OriginalAttributesSequence] == [
        "THEIRS",
        "4711",
    ]


@pytest.mark.parametrize("name", ["JPEG2000.dcm", "examples_palette.dcm", "JPEG-lossy.dcm", "examples_ybr_color.dcm"])
def test_pictures_stay_as_they_are_compressed_or_not(tmp_path: Path, name: str) -> None:
    content = Path(str(get_testdata_file(name, download=False))).read_bytes()
    theirs, ours = dcmread(BytesIO(content)), dcmread(BytesIO(coerced(content, tmp_path / "one.dcm")))
    assert ours.file_meta.TransferSyntaxUID == theirs.file_meta.TransferSyntaxUID
    assert ours.PixelData == theirs.PixelData


@pytest.mark.parametrize("content", [b"", b"no DICOM", factories.ct_file(1)[:200]])
def test_what_cannot_be_read_is_said_and_takes_nothing_with_it(tmp_path: Path, content: bytes) -> None:
    good = factories.ct_file(1)
    with Coercer() as coercer:
        with pytest.raises(Unreadable):
            coercer.coerce(content, OURS, Shown("1.2.3"), tmp_path / "one.dcm")
        assert coercer.coerce(good, OURS, shown_of(good), tmp_path / "two.dcm").sop_class


def misbehaves(content: bytes, _changes: Changes, _shown: Shown, _to: Path, _at: datetime) -> Named:
    """As a file that makes its reader hang, or die, would."""
    if content == b"hangs":
        threading.Event().wait()
    if content == b"dies":
        os.kill(os.getpid(), signal.SIGKILL)
    return Named("1.2", "1.2", "1.2")


@pytest.mark.parametrize("content", [b"hangs", b"dies"])
def test_what_takes_its_reader_along_holds_up_nothing_after_it(tmp_path: Path, content: bytes) -> None:
    with Coercer(misbehaves, seconds=20 if content == b"dies" else 0.2) as coercer:
        with pytest.raises(Unreadable, match="more than it may"):
            coercer.coerce(content, OURS, Shown("1.2.3"), tmp_path / "one.dcm")
        coercer._seconds = 60
        assert coercer.coerce(b"good", OURS, Shown("1.2.3"), tmp_path / "two.dcm").sop_class == "1.2"


# --- What was confirmed is what is stored


@pytest.mark.parametrize(
    "shown",
    [
        {},
        {"patient_id": " P1 ", "patient_name": "zebrafish^maria^elena", "birth_date": "19800517"},
        {"patient_name": "MILLER^MARIA"},
        {"patient_id": "", "patient_name": "", "birth_date": ""},
    ],
)
def test_a_file_of_whom_was_shown_is_stored(tmp_path: Path, shown: dict[str, str]) -> None:
    content = factories.ct_file(1)
    assert coerced(content, tmp_path / "one.dcm", shown=shown_of(content, **shown))


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        ({"patient_id": "P2"}, "another patient"),
        ({"birth_date": "19800518"}, "another patient"),
        ({"patient_name": "MILLER^PETER"}, "another patient"),
        ({"study_uid": "1.2.3"}, "another study"),
    ],
)
def test_a_file_of_somebody_else_than_was_shown_is_not(tmp_path: Path, shown: dict[str, str], words: str) -> None:
    content = factories.ct_file(1)
    with pytest.raises(Unreadable, match=words):
        coerced(content, tmp_path / "one.dcm", shown=shown_of(content, **shown))
    assert not (tmp_path / "one.dcm").exists()


@pytest.mark.parametrize("uid", ["1." * 40, "one.two"])
def test_a_file_that_names_itself_by_no_uid_is_not_sent(tmp_path: Path, uid: str) -> None:
    content = factories.ct_file(1, SOPInstanceUID=uid)
    with pytest.raises(Unreadable):
        coerced(content, tmp_path / "one.dcm")
