"""What a facility takes back by a rejection note (IHE IOCM) is hidden everywhere, whenever the note comes."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest

from accounts.audit import Action
from accounts.models import AuditEvent, Facility
from studies import catalog, dicom, facts, intake, pipeline, receipts, rejections, reports
from studies.models import Instance, Rejection, Rendition, SealedObject, Study
from studies.takehome import archive
from tests.factories import ct_file, ct_series, uid
from tests.studies.documents_made import pdf_object
from tests.studies.notes_made import note
from tests.studies.pdfs_made import pdf
from tests.studies.prepared import ready

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("files")]

CODES = ("113001", "113037", "113038", "113039")


def send(facility: Facility, *files: bytes) -> None:
    assert not intake.publish(facility, ([file] for file in files)).failed


def named_in_zip(study: Study) -> set[str]:
    """The SOP Instance UIDs that stand anywhere in a ZIP: in its DICOM files, its directory and its manifest."""
    packed = b"".join(archive.plan_of(study).blocks())
    with zipfile.ZipFile(BytesIO(packed)) as opened:
        everything = b"".join(opened.read(name) for name in opened.namelist())
    return {uid(1, 1, number) for number in range(1, 9) if uid(1, 1, number).encode() in everything}


def states(facility: Facility) -> dict[str, str]:
    return {one["sop_uid"]: one["state"] for one in receipts.receipt(facility, uid(1))["instances"]}


@pytest.mark.parametrize("code", CODES)
def test_a_note_hides_what_it_names_everywhere(lakeside: Facility, code: str) -> None:
    send(lakeside, *ct_series(3))
    before = ready(lakeside)
    stack = Rendition.objects.get(size="preview").stack
    send(lakeside, note((1, [uid(1, 1, 2)]), code=code))
    study = ready(lakeside)
    assert (study.instance_count, study.image_count, study.series_count) == (2, 2, 1)
    assert study.access_epoch == before.access_epoch + 1, "running looks end"
    assert [one.sop_uid for one in catalog.originals(study)] == [uid(1, 1, 1), uid(1, 1, 3)]
    (series,) = catalog.series_of(study)
    assert (series.count, series.instances) == (2, 2)
    assert len(list(catalog.previews(study))) == 2
    assert catalog.thumbnail(study)
    assert not SealedObject.objects.filter(pk=stack.pk).exists(), "the stack was made anew without it"
    assert named_in_zip(study) == {uid(1, 1, 1), uid(1, 1, 3)}
    assert states(lakeside) == {
        uid(1, 1, 1): "ready",
        uid(1, 1, 2): "rejected",
        uid(1, 1, 3): "ready",
        uid(1, 99, 1): "rejected",
    }
    (told,) = rejections.counts([study])[study.pk]
    assert (str(told.words), told.count) == (str(Rejection.Code(code).label), 1)
    assert rejections.taken_back([study]) == set()


def test_a_note_is_told_to_the_record_once(lakeside: Facility) -> None:
    send(lakeside, *ct_series(3))
    send(lakeside, note((1, [uid(1, 1, 2), uid(1, 1, 3)])))
    ready(lakeside)
    send(lakeside, note((1, [uid(1, 1, 2), uid(1, 1, 3)])))  # the same bytes again
    study = ready(lakeside)
    (event,) = AuditEvent.objects.filter(action=Action.REJECTED)
    assert (event.study_id, event.actor_kind, event.detail) == (study.pk, "facility", {"named": 2, "code": "113001"})


def test_a_note_before_its_images_hides_them_as_they_come(lakeside: Facility) -> None:
    send(lakeside, note((1, [uid(1, 1, 2)])))
    ready(lakeside)
    send(lakeside, *ct_series(3))
    study = Study.objects.get()
    assert [one.sop_uid for one in catalog.originals(study)] == [uid(1, 1, 1), uid(1, 1, 3)], "at once"
    assert ready(lakeside).image_count == 2


def test_a_note_in_the_same_request_hides_too(lakeside: Facility) -> None:
    send(lakeside, *ct_series(2), note((1, [uid(1, 1, 2)])))
    assert ready(lakeside).image_count == 1


def test_pictures_are_gone_as_soon_as_the_note_is_read(lakeside: Facility, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before new pictures are made: a worker may die in between."""
    send(lakeside, *ct_series(3))
    study = ready(lakeside)
    send(lakeside, note((1, [uid(1, 1, 2)])))
    monkeypatch.setitem(pipeline.STEPS, "indexed", (_dies, Study.State.READY))
    pipeline.advance(study.pk, at_once=True)
    study.refresh_from_db()
    assert (study.state, study.image_count) == ("indexed", 2)
    assert len(list(catalog.previews(study))) == 2


def _dies(study: Study, hold: Any) -> None:
    raise RuntimeError


def test_what_is_taken_back_whole_is_still_called_by_its_name(lakeside: Facility) -> None:
    send(lakeside, *ct_series(2))
    send(lakeside, note((1, [uid(1, 1, 1), uid(1, 1, 2)]), code="113037"))
    study = ready(lakeside)
    assert rejections.taken_back([study]) == {study.pk}
    assert (study.instance_count, study.image_count, catalog.series_of(study)) == (0, 0, [])
    assert (study.description, study.modalities, str(study.study_date)) == ("CT chest", ["CT"], "2026-01-31")
    assert list(catalog.originals(study)) == []
    assert not SealedObject.objects.filter(kind="rendition").exists()


def test_the_same_bytes_again_stay_hidden(lakeside: Facility) -> None:
    send(lakeside, *ct_series(2), note((1, [uid(1, 1, 2)])))
    ready(lakeside)
    receipt = intake.publish(lakeside, [[ct_file(2)]])
    assert len(receipt.repeated) == 1
    assert ready(lakeside).image_count == 1


def test_other_bytes_under_a_rejected_uid_stay_hidden(lakeside: Facility) -> None:
    """A corrected object has a UID of its own (IHE RAD TF-2 §4.66); what a note names is not shown whatever comes."""
    send(lakeside, *ct_series(2), note((1, [uid(1, 1, 2)])))
    ready(lakeside)
    send(lakeside, ct_file(2, SeriesDescription="Corrected"))
    study = ready(lakeside)
    assert [one.sop_uid for one in catalog.originals(study)] == [uid(1, 1, 1)]
    assert Instance.objects.get(sop_uid=uid(1, 1, 2), superseded_at=None).rejected_at


def test_a_report_that_was_read_from_what_is_rejected_is_hidden_in_every_version(lakeside: Facility) -> None:
    send(lakeside, ct_file(1))
    said = {"StudyInstanceUID": uid(1), "SeriesInstanceUID": uid(1, 5), "SOPInstanceUID": uid(1, 5, 1)}
    for words in ("A fracture.", "No fracture."):
        send(lakeside, pdf_object(pdf(words), PatientID="P1", **said))
        ready(lakeside)
    assert len(reports.released(Study.objects.get())) == 2
    send(lakeside, note((1, [uid(1, 5, 1)])))
    assert reports.released(ready(lakeside)) == []


def test_a_corrected_object_with_its_own_uid_is_shown(lakeside: Facility) -> None:
    send(lakeside, *ct_series(2), note((1, [uid(1, 1, 2)])))
    ready(lakeside)
    send(lakeside, ct_file(2, SOPInstanceUID=uid(1, 1, 102)))
    assert ready(lakeside).image_count == 2


# --- What a note does not reach


def test_a_note_naming_another_study_does_nothing_and_says_so(
    lakeside: Facility, caplog: pytest.LogCaptureFixture
) -> None:
    send(lakeside, *ct_series(2), *ct_series(2, study=2))
    send(lakeside, note((2, [uid(2, 1, 1)]), (1, [uid(1, 1, 1)])))
    first, second = ready(lakeside), ready(lakeside, uid(2))
    assert (first.image_count, second.image_count) == (1, 2)
    assert "names 1 instances of other studies" in caplog.text
    (event,) = AuditEvent.objects.filter(action=Action.NOTE_IGNORED)
    assert (event.study_id, event.facility_id, event.detail["named"]) == (first.pk, lakeside.pk, 1)


def test_a_note_that_lies_of_whose_the_instances_are_reaches_none_of_another_study(lakeside: Facility) -> None:
    send(lakeside, *ct_series(2), *ct_series(2, study=2))
    send(lakeside, note((1, [uid(2, 1, 1)])))
    ready(lakeside)
    assert ready(lakeside, uid(2)).image_count == 2


def test_a_note_of_another_facility_does_nothing(lakeside: Facility, hilltop: Facility) -> None:
    for facility in (lakeside, hilltop):
        send(facility, *ct_series(2))
    send(hilltop, note((1, [uid(1, 1, 1)])))
    assert (ready(lakeside).image_count, ready(hilltop).image_count) == (2, 1)
    assert not Rejection.objects.filter(study__facility=lakeside).exists()
    assert set(states(lakeside).values()) == {"ready"}


@pytest.mark.parametrize(
    "other",
    [
        {"code": "113000"},  # of interest
        {"ConceptNameCodeSequence": []},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.11"},  # Basic Text SR
    ],
)
def test_what_is_no_rejection_note_hides_nothing(lakeside: Facility, other: dict[str, Any]) -> None:
    send(lakeside, *ct_series(2), note((1, [uid(1, 1, 1)]), **other))
    assert ready(lakeside).image_count == 2
    assert not Rejection.objects.exists()


def test_a_note_that_waits_in_quarantine_hides_nothing(lakeside: Facility) -> None:
    send(lakeside, *ct_series(2))
    send(lakeside, note((1, [uid(1, 1, 1)]), PatientID="P2"))
    assert ready(lakeside).image_count == 2


# --- What a header says


def test_evidence_and_content_are_both_read() -> None:
    by_evidence = dicom.facts(note((1, ["1.2.3"]), ContentSequence=[]))
    by_content = dicom.facts(note((1, ["1.2.3"]), CurrentRequestedProcedureEvidenceSequence=[]))
    said = {"code": "113001", "uids": ["1.2.3"], "beyond": 0, "elsewhere": 0}
    assert by_evidence["rejects"] == by_content["rejects"] == said
    assert "rejects" not in dicom.facts(ct_file())


def test_more_are_named_than_a_list_of_facts_may_hold() -> None:
    uids = [f"1.2.{number}" for number in range(3000)]
    said = facts._cut(dicom.facts(note((1, uids))))
    assert said["rejects"]["uids"] == sorted(uids)


def test_what_is_beyond_the_bound_is_told_to_the_operator(
    lakeside: Facility, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    send(lakeside, *ct_series(2))
    ready(lakeside)
    read = {"kind": "key objects", "rejects": {"code": "113001", "uids": [uid(1, 1, 1)], "beyond": 7, "elsewhere": 0}}
    monkeypatch.setattr(facts, "_ask", lambda batch: [facts._cut(read) for _ in batch])
    send(lakeside, note((1, [uid(1, 1, 1)])))
    assert ready(lakeside).image_count == 1
    assert "a note names 7 instances beyond 10000" in caplog.text


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ({"code": "113001", "uids": ["1.2", "x'; --", 7, "1.2", "1" * 65], "beyond": 0, "elsewhere": 0}, ["1.2"]),
        (
            {"code": "113001", "uids": [f"1.{n}" for n in range(rejections.MOST + 5)], "beyond": 0, "elsewhere": 0},
            rejections.MOST,
        ),
        ({"code": "113000", "uids": ["1.2"], "beyond": 0, "elsewhere": 0}, None),
        ({"code": "113001", "uids": "1.2", "beyond": 0, "elsewhere": 0}, None),
        ("1.2", None),
    ],
)
def test_what_the_sandbox_says_of_a_note_is_checked(said: Any, kept: Any) -> None:
    cut = facts._cut({"kind": "key objects", "rejects": said})
    if kept is None:
        assert "rejects" not in cut
    else:
        uids = cut["rejects"]["uids"]
        assert (len(uids) if isinstance(kept, int) else uids) == kept


@pytest.mark.parametrize("code", ["113000", *CODES])
def test_the_key_objects_of_the_samples_become_a_note_by_their_title_alone(
    samples: Path, lakeside: Facility, code: str
) -> None:
    folder = samples / "synthetic-complete-study"
    key_objects = pydicom.dcmread(folder / "keyobjects.dcm")
    key_objects.ConceptNameCodeSequence[0].CodeValue = code
    titled = BytesIO()
    key_objects.save_as(titled)
    images = [pydicom.dcmread(path) for path in sorted(folder.glob("ct*.dcm"))]
    referenced = [
        item.ReferencedSOPSequence[0] for item in key_objects.ContentSequence if "ReferencedSOPSequence" in item
    ]
    named = {item.ReferencedSOPInstanceUID for item in referenced}
    send(lakeside, *(path.read_bytes() for path in sorted(folder.glob("ct*.dcm"))), titled.getvalue())
    study = ready(lakeside, key_objects.StudyInstanceUID)
    shown = {one.sop_uid for one in catalog.originals(study)} - {key_objects.SOPInstanceUID}
    everything = {str(image.SOPInstanceUID) for image in images}
    assert named
    assert shown == (everything if code == "113000" else everything - named)
