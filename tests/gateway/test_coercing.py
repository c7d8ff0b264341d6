"""Files from elsewhere under the practice's own patient: what changes, what stays, and what is written down."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from gateway.coercing import Changes, Unreadable, coerce, coercer
from tests import factories

OURS = Changes("4711", issuer="ELM", accession="A-1")


def coerced(content: bytes, to: Path, changes: Changes = OURS) -> bytes:
    with coercer() as process:
        coerce(process, content, changes, to)
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
    with coercer() as process:
        with pytest.raises(Unreadable):
            coerce(process, content, OURS, tmp_path / "one.dcm")
        assert coerce(process, factories.ct_file(1), OURS, tmp_path / "two.dcm").sop_class
