"""The demo's bodies: real DICOM, honest about what they are, and the same each time."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import date

import numpy as np
import pydicom
import pytest
from pydicom import Dataset

from portal.demo import phantoms
from portal.demo.drawing import Axis, Canvas, Plane, Solid, Tube
from portal.demo.phantoms import Exam

EXAM = Exam("P1", "Zebrafish^Maria", date(1980, 5, 17), "F", date(2026, 1, 31), "A1", "An exam")
Maker = Callable[[Exam], Iterator[bytes]]
SMALL: dict[str, Maker] = {
    "CT": lambda exam: phantoms.ct_chest(exam, slices=4, size=64),
    "MR": lambda exam: phantoms.mr_head(exam, slices=3, size=64),
    "CR": lambda exam: phantoms.chest_xray(exam, size=96),
    "MG": lambda exam: phantoms.mammogram(exam, rows=80, columns=64),
    "US": lambda exam: phantoms.heart_ultrasound(exam, frames=2, rows=48, columns=64),
}


def read(files: Iterator[bytes]) -> list[Dataset]:
    return [pydicom.dcmread(io.BytesIO(file)) for file in files]


@pytest.mark.parametrize("modality", SMALL)
def test_a_phantom_is_a_picture_that_says_it_is_a_phantom(modality: str) -> None:
    for made in read(SMALL[modality](EXAM)):
        assert made.Modality == modality
        assert made.QualityControlSubject == "YES"
        assert "not a person" in made.ImageComments
        assert (made.PatientID, made.PatientBirthDate, made.StudyInstanceUID) == ("P1", "19800517", EXAM.study_uid)
        assert made.pixel_array.std() > 0


@pytest.mark.parametrize("modality", SMALL)
def test_the_same_exam_gives_the_same_bytes(modality: str) -> None:
    assert list(SMALL[modality](EXAM)) == list(SMALL[modality](EXAM))


@pytest.mark.parametrize("modality", SMALL)
def test_every_object_has_a_uid_of_its_own(modality: str) -> None:
    made = read(SMALL[modality](EXAM))
    assert len({picture.SOPInstanceUID for picture in made}) == len(made)
    assert all(picture.file_meta.MediaStorageSOPInstanceUID == picture.SOPInstanceUID for picture in made)


def test_lungs_are_air_and_the_spine_is_bone() -> None:
    (axial, *_), size = read(phantoms.ct_chest(EXAM, slices=2, size=64)), 64
    middle = read(phantoms.ct_chest(EXAM, slices=3, size=size))
    hounsfield = next(cut for cut in middle if cut.ImagePositionPatient[2] < 40).pixel_array.astype(int) - 1024
    assert axial.RescaleIntercept == -1024
    assert hounsfield[size // 2, size // 2 - 11] < -600, "no air in the right lung"
    assert hounsfield[size // 2 + 8, size // 2] > 80, "no bone in the spine"


def test_slices_lie_one_beside_the_other() -> None:
    axial = [cut for cut in read(phantoms.ct_chest(EXAM, slices=5, size=32)) if cut.SeriesNumber == 2]
    heights = [float(cut.ImagePositionPatient[2]) for cut in axial]
    assert np.allclose(np.diff(heights), -float(axial[0].SliceThickness))


def test_an_xray_of_phosphor_shows_open_air_black() -> None:
    (film,) = read(phantoms.chest_xray(EXAM, size=96))
    assert film.PhotometricInterpretation == "MONOCHROME1"
    assert film.pixel_array[48, 1] > film.pixel_array[48, 48], "in MONOCHROME1 the highest value is black"


def test_a_mammogram_has_four_views_with_the_chest_wall_inside() -> None:
    views = read(phantoms.mammogram(EXAM, rows=80, columns=64))
    assert [(view.ImageLaterality, view.ViewPosition) for view in views] == [
        ("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO"),
    ]  # fmt: skip
    right, left = views[0].pixel_array, views[1].pixel_array
    assert right[40, -8:].mean() > right[40, :8].mean()
    assert left[40, :8].mean() > left[40, -8:].mean()


def test_a_heart_beats_in_colour() -> None:
    (cine,) = read(phantoms.heart_ultrasound(EXAM, frames=4, rows=48, columns=64))
    frames = cine.pixel_array
    assert frames.shape == (4, 48, 64, 3)
    assert cine.FrameTime > 0
    assert np.abs(frames[0].astype(int) - frames[2]).max() > 60


def test_the_public_example_does_not_claim_to_be_a_phantom() -> None:
    (cine,) = read(phantoms.example_ultrasound(EXAM))
    assert cine.PatientID == "P1"
    assert "QualityControlSubject" not in cine
    assert cine.NumberOfFrames > 1


@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal"])
def test_a_ball_is_a_disc_in_every_plane(axis: Axis) -> None:
    plane = Plane(axis, (0.0, 0.0, 0.0), 40, 40, 1.0)
    ball, string = Canvas.blank(plane, 0, 1), Canvas.blank(plane, 0, 1)
    ball.solid(1, Solid((0, 0, 0), (10, 10, 10)))
    string.tube(1, Tube.through([(0, 0, -0.5), (0, 0, 0.5)], 10))
    for canvas in (ball, string):
        assert canvas.image.sum() == pytest.approx(np.pi * 100, rel=0.08)


def test_what_lies_beside_the_picture_leaves_it_blank() -> None:
    canvas = Canvas.blank(Plane("axial", (0.0, 0.0, 0.0), 20, 20, 1.0), 0, 1)
    canvas.solid(1, Solid((80, 0, 0), (10, 10, 10)))
    canvas.solid(1, Solid((0, 0, 80), (10, 10, 10)))
    canvas.tube(1, Tube.through([(-60, 0, 0), (-70, 0, 0)], 5))
    assert canvas.image.max() == 0
