"""A DICOMDIR lists what has a record, invents what records demand, and other software can read it."""

from __future__ import annotations

import shutil
import subprocess
import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.fileset import _FOUR_LEVEL_SOP_CLASSES
from pydicom.uid import CTImageStorage, EncapsulatedPDFStorage, ExplicitVRLittleEndian, RTPlanStorage

from studies import sandbox
from studies.sandbox import Result, SandboxDied
from studies.takehome import dicomdir, directory_records
from studies.takehome.dicomdir import Directory, Listed, Place, directory
from studies.takehome.directory_records import record_type
from tests.studies.media import instances_on

STUDY_ID = UUID("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0")
FILES = ["CT_small.dcm", "MR_small.dcm", "test-SR.dcm", "rtplan.dcm", "JPEG2000.dcm", "reportsi.dcm"]
CUT = 64 * 1024


@pytest.fixture(scope="module", autouse=True)
def zygote() -> Iterator[None]:
    sandbox.start()
    yield
    sandbox.stop()


def content(name: str) -> bytes:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return Path(path).read_bytes()


def bare(**values: Any) -> bytes:
    """A file that says next to nothing."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, "1.2.3.4"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3", "1.2.3.1"
    dataset.Rows = dataset.Columns = 1
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    out = BytesIO()
    dataset.save_as(out, implicit_vr=False, little_endian=True)
    return out.getvalue()


def listed(body: bytes, number: int = 1, series: int = 1) -> Listed:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = dcmread(BytesIO(body), force=True, stop_before_pixels=True)
    place = Place(
        file_id=("DICOM", f"S{series:04}", f"I{number:05}"),
        sop_uid=str(dataset.SOPInstanceUID),
        sop_class_uid=str(dataset.SOPClassUID),
        transfer_syntax_uid=str(getattr(dataset, "file_meta", {}).get("TransferSyntaxUID", ExplicitVRLittleEndian)),
        number=number,
        series_number=series,
        date="20260305",
    )
    return Listed(place, body[:CUT])


def records_of(made: Directory) -> list[Dataset]:
    return list(dcmread(BytesIO(made.body)).DirectoryRecordSequence)


def test_the_tree_is_one_patient_one_study_its_series_and_their_instances() -> None:
    ct = content("CT_small.dcm")
    made = directory([listed(ct, 1, 1), listed(ct, 2, 1), listed(content("MR_small.dcm"), 1, 2)], STUDY_ID)
    types = [record.DirectoryRecordType for record in records_of(made)]
    assert types == ["PATIENT", "STUDY", "SERIES", "IMAGE", "IMAGE", "SERIES", "IMAGE"]
    assert records_of(made)[0].PatientName == "CompressedSamples^CT1"
    assert made.left_out == []


def test_pydicom_reads_it_back_with_every_file(tmp_path: Path) -> None:
    instances = [listed(content(name), 1, series) for series, name in enumerate(FILES, 1)]
    for name, instance in zip(FILES, instances, strict=True):
        path = tmp_path.joinpath(*instance.place.file_id)
        path.parent.mkdir(parents=True)
        path.write_bytes(content(name))
    (tmp_path / "DICOMDIR").write_bytes(directory(instances, STUDY_ID).body)
    assert {one.SOPInstanceUID for one in instances_on(tmp_path)} == {i.place.sop_uid for i in instances}


@pytest.mark.skipif(not shutil.which("dcmdump"), reason="dcmtk is not installed")
def test_dcmtk_reads_it_without_a_complaint(tmp_path: Path) -> None:
    path = tmp_path / "DICOMDIR"
    path.write_bytes(directory([listed(content("CT_small.dcm"))], STUDY_ID).body)
    dumped = subprocess.run(["dcmdump", path], capture_output=True, text=True, check=True)
    assert dumped.stderr == ""
    assert r"DICOM\S0001\I00001" in dumped.stdout


def test_what_records_demand_is_invented_in_the_record() -> None:
    patient, study, series, image = records_of(directory([listed(bare())], STUDY_ID))
    assert (patient.PatientName, patient.PatientID) == ("", "UNKNOWN")
    assert (study.StudyDate, study.StudyTime, study.StudyID) == ("20260305", "000000", "UNKNOWN")
    assert (series.Modality, series.SeriesNumber) == ("OT", 1)
    assert image.InstanceNumber == 1


def test_dates_that_are_none_are_replaced_and_text_is_kept() -> None:
    body = bare(StudyDate="***", StudyTime="999999", StudyDescription="Thorax", StudyID="7")
    study = records_of(directory([listed(body)], STUDY_ID))[1]
    assert (study.StudyDate, study.StudyTime) == ("20260305", "000000")
    assert (study.StudyDescription, study.StudyID) == ("Thorax", "7")


@pytest.mark.parametrize(
    ("charset", "name"),
    [("ISO_IR 100", "Müller^Zoë"), ("ISO_IR 144", "Люкceмбypг"), ("GB18030", "Wang^XiaoDong=王^小东")],
)
def test_names_keep_their_letters(charset: str, name: str) -> None:
    body = bare(SpecificCharacterSet=charset, PatientName=name)
    assert records_of(directory([listed(body)], STUDY_ID))[0].PatientName == name


def test_documents_get_records_of_their_own_with_a_title() -> None:
    body = bare(SOPClassUID=EncapsulatedPDFStorage)
    document = records_of(directory([listed(body)], STUDY_ID))[3]
    assert document.DirectoryRecordType == "ENCAP DOC"
    assert document.ConceptNameCodeSequence[0].CodeMeaning
    assert document.MIMETypeOfEncapsulatedDocument == "application/octet-stream"


def test_a_header_cut_inside_a_sequence_still_gets_its_record() -> None:
    plan = content("rtplan.dcm")
    where = plan.index(bytes.fromhex("0a30b000")) + 40
    instance = listed(plan)
    made = directory([Listed(instance.place, plan[:where])], STUDY_ID)
    assert instance.place.sop_class_uid == RTPlanStorage
    assert records_of(made)[3].DirectoryRecordType == "RT PLAN"


def test_what_cannot_be_listed_is_left_out_and_named() -> None:
    good, broken = listed(content("CT_small.dcm")), listed(content("CT_small.dcm"), 2)
    made = directory([good, Listed(broken.place, b"\0" * 500)], STUDY_ID)
    assert made.left_out == [broken.place]
    assert [r.DirectoryRecordType for r in records_of(made)][3:] == ["IMAGE"]


def test_nothing_to_list_is_no_directory() -> None:
    assert directory([], STUDY_ID).body == b""
    assert directory([Listed(listed(bare()).place, b"?")], STUDY_ID).body == b""


def test_the_same_instances_give_the_same_bytes() -> None:
    instances = [listed(content(name), 1, series) for series, name in enumerate(FILES, 1)]
    assert directory(instances, STUDY_ID) == directory(instances, STUDY_ID)


def test_a_series_larger_than_a_batch_stays_one_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicomdir, "BATCH", 2)
    made = directory([listed(bare(), number) for number in range(1, 6)], STUDY_ID)
    types = [record.DirectoryRecordType for record in records_of(made)]
    assert types == ["PATIENT", "STUDY", "SERIES"] + ["IMAGE"] * 5


def test_an_instance_that_kills_the_child_takes_no_other_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    really = sandbox.run

    def run(task: str, args: dict[str, Any], blobs: Any, **limits: Any) -> Result:
        headers = list(blobs)
        if b"deadly" in headers:
            raise SandboxDied("it ended by SIGSEGV")
        return really(task, args, headers, **limits)

    monkeypatch.setattr(sandbox, "run", run)
    deadly = Listed(listed(bare(), 2).place, b"deadly")
    made = directory([listed(bare(), 1), deadly, listed(bare(), 3)], STUDY_ID)
    assert made.left_out == [deadly.place]
    assert [record.InstanceNumber for record in records_of(made)[3:]] == [1, 3]


@pytest.mark.parametrize("counts", [None, [], [1], [4, 4], [[]], [2], [4.0], [-1]])
def test_an_answer_that_is_none_is_no_record(counts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Result({"counts": counts}, [b"record"])
    monkeypatch.setattr(sandbox, "run", lambda *args, **limits: answer)
    assert directory([listed(bare())], STUDY_ID).body == b""


def test_every_class_has_the_record_that_pydicom_knows_for_it() -> None:
    ours = {uid: record_type(uid, False) for uid in _FOUR_LEVEL_SOP_CLASSES}
    rare = {"SURFACE SCAN", "ASSESSMENT"}
    assert ours == {uid: None if kind in rare else kind for uid, kind in _FOUR_LEVEL_SOP_CLASSES.items()}


def test_every_value_a_record_demands_can_be_invented() -> None:
    place = listed(bare()).place
    for keywords in directory_records.LEAVES.values():
        for keyword in keywords:
            assert directory_records._invented(keyword, place) not in (None, "")


def test_real_files_are_listed(samples: Path) -> None:
    """The one exception is a kind of object for which pydicom has no record either."""
    instances: list[Listed] = []
    for path in sorted(samples.rglob("*")):
        body = path.read_bytes() if path.is_file() else b""
        if body[128:132] == b"DICM" and path.name != "DICOMDIR":
            try:
                instances.append(listed(body, len(instances) + 1, 1))
            except AttributeError:
                continue
    made = directory(instances, STUDY_ID)
    assert len(instances) > 900
    assert [place.sop_class_uid for place in made.left_out] == ["1.2.840.10008.5.1.4.1.1.91.1"]
