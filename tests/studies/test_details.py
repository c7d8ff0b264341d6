"""Details and marks of a study, from bytes in to what a viewer is told."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from django.db import transaction
from pydicom.sequence import Sequence

from accounts.errors import NotFound
from accounts.models import Facility
from studies import catalog, intake, jobs, pipeline
from studies.details import details, marked
from studies.models import Instance, Rendition, Study
from tests.factories import ct_file, ct_series, dicom_bytes, uid
from tests.studies.dicom_made import dataset
from tests.studies.test_catalog import cine
from tests.studies.test_looks import holder, placed

pytestmark = pytest.mark.django_db(transaction=True)


def ready(facility: Facility, *files: bytes) -> Study:
    """Study 1 with these files, prepared."""
    assert not intake.publish(facility, [[file] for file in files]).failed
    study = Study.objects.get(study_uid=uid(1))
    pipeline.advance(study.pk, at_once=True)
    study.refresh_from_db()
    return study


KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"


def note(*references: tuple[str, int | None], title: str = "113000", number: int = 1) -> bytes:
    """A key object document that names these instances and frames."""
    named = []
    for sop_uid, frame in references:
        reference = holder(ReferencedSOPInstanceUID=sop_uid)
        if frame:
            reference.ReferencedFrameNumber = frame
        named.append(holder(ValueType="IMAGE", ReferencedSOPSequence=[reference]))
    ds = dataset(
        SOPClassUID=KEY_OBJECTS,
        SOPInstanceUID=uid(1, 9, number),
        StudyInstanceUID=uid(1),
        SeriesInstanceUID=uid(1, 9),
        PatientID="P1",
        Modality="KO",
        ConceptNameCodeSequence=Sequence([holder(CodeValue=title, CodingSchemeDesignator="DCM")]),
        ContentSequence=Sequence(named),
    )
    return dicom_bytes(ds)


def places(study: Study) -> list[tuple[str, int]]:
    titles = {one.id: one.title for one in catalog.series_of(study)}
    return [(titles[series], index) for series, index in marked(study)]


def test_marked_pictures_come_in_the_documents_order(lakeside: Facility) -> None:
    study = ready(lakeside, *ct_series(3), cine(4), note((uid(1, 1, 3), None), (uid(1, 1, 1), None), (uid(1, 2, 1), 2)))
    assert places(study) == [("Axial 2.5 mm", 3), ("Axial 2.5 mm", 1), ("Heart", 2)]


def test_of_a_whole_recording_the_first_picture_is_marked_and_nothing_twice(lakeside: Facility) -> None:
    study = ready(lakeside, cine(4), note((uid(1, 2, 1), None), (uid(1, 2, 1), 1)))
    assert places(study) == [("Heart", 1)]


@pytest.mark.parametrize(
    ("title", "marks"), [("113000", 1), ("113002", 1), ("113004", 1), ("113030", 0), ("113010", 0), ("121111", 0)]
)
def test_the_title_says_whether_it_marks(lakeside: Facility, title: str, marks: int) -> None:
    assert len(places(ready(lakeside, ct_file(1), note((uid(1, 1, 1), None), title=title)))) == marks


def test_what_is_not_in_the_study_is_not_marked(lakeside: Facility) -> None:
    intake.publish(lakeside, [[ct_file(1, study=2)]])
    study = ready(lakeside, ct_file(1), note((uid(2, 1, 1), None), (uid(1, 1, 8), None), (uid(1, 1, 1), None)))
    assert places(study) == [("Axial 2.5 mm", 1)]
    Instance.objects.filter(sop_uid=uid(1, 1, 1)).update(rejected_at=study.received_at)
    assert marked(study) == []


@pytest.mark.parametrize(
    "absurd",
    [
        None,
        [],
        {"title": "113000"},
        {"title": ["113000"], "of": []},
        {"title": "113000", "of": [[1, 2], ["1.2"], ["1.2", "3"], ["1.2", -5], "x", None]},
    ],
)
def test_absurd_marks_mark_nothing(lakeside: Facility, absurd: Any) -> None:
    study = ready(lakeside, ct_file(1), note((uid(1, 1, 1), None)))
    document = Instance.objects.get(kind="key objects")
    Instance.objects.filter(pk=document.pk).update(facts={**document.facts, "marks": absurd})
    assert marked(study) == []


def test_details_tell_kinds_apart_across_instances(lakeside: Facility) -> None:
    study = ready(lakeside, ct_file(1), ct_file(2, PixelSpacing=[0.5, 0.5]), ct_file(3))
    (series,) = catalog.series_of(study)
    told = details(study, series.id)
    assert told["frames"] == [0, 1, 0]
    assert [kind["spacing"] for kind in told["kinds"]] == [[0.7, 0.7], [0.5, 0.5]]


def test_details_of_what_was_read_long_ago_claim_little(lakeside: Facility) -> None:
    study = ready(lakeside, ct_file(1))
    (series,) = catalog.series_of(study)
    odd: list[Any] = [None, {"kinds": []}, {"kinds": "x", "frames": 1}, {"kinds": [{}], "frames": [7]}]
    for looks in odd:
        one = Instance.objects.get()
        Instance.objects.filter(pk=one.pk).update(facts={**one.facts, "looks": looks})
        (kind,) = details(study, series.id)["kinds"]
        assert (kind["rows"], kind["spacing"], kind["windows"][0]["center"]) == (64, None, 40)


def test_details_are_of_the_study_and_none_where_there_is_no_picture(lakeside: Facility) -> None:
    study = ready(lakeside, ct_file(1), note((uid(1, 1, 1), None)))
    _, document = catalog.series_of(study)
    assert details(study, document.id) == {"kinds": [], "frames": []}
    intake.publish(lakeside, [[ct_file(1, study=2)]])
    other = Study.objects.get(study_uid=uid(2))
    for stranger, series_id in ((other, document.id), (study, uuid4())):
        with pytest.raises(NotFound):
            details(stranger, series_id)


def two_times() -> bytes:
    """Two times of two places, stored place by place; the frames are 10, 20, 30 and 40 bright."""
    frames = [placed(z, time=time) for z in (0, 5) for time in (1, 2)]
    pixels = np.stack([np.full((64, 64), shade, "<u2") for shade in (10, 20, 30, 40)])
    said: dict[str, Any] = {"NumberOfFrames": 4, "PixelData": pixels.tobytes(), "ImagePositionPatient": None}
    return ct_file(1, PerFrameFunctionalGroupsSequence=Sequence(frames), **said)


def test_frames_of_several_times_are_shown_time_after_time(lakeside: Facility) -> None:
    ready(lakeside, two_times())
    shown = Rendition.objects.get(size="preview")
    assert [frame for _, frame, *_ in shown.pictures] == [0, 2, 1, 3]


@pytest.mark.parametrize("absurd", [None, "x", [0, 1], [0, 1, 2, 2], [0, 1, 2, 9], [True, 0, 2, 3], [0.0, 1, 2, 3]])
def test_an_absurd_order_of_frames_is_none(lakeside: Facility, absurd: Any) -> None:
    study = ready(lakeside, two_times())
    one = Instance.objects.get()
    Instance.objects.filter(pk=one.pk).update(facts={**one.facts, "frame_order": absurd})
    with transaction.atomic():
        jobs.want(study)
        Study.objects.filter(pk=study.pk).update(state=Study.State.INDEXED)
    pipeline.advance(study.pk, at_once=True)
    shown = Rendition.objects.get(size="preview")
    assert [frame for _, frame, *_ in shown.pictures] == [0, 1, 2, 3]
