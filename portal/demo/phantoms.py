"""Whole exams of bodies that never lived, as DICOM files (PS3.10): for the demo, for tests, for the benchmark.

Pure functions: the same exam gives the same bytes. Every object says that its subject is a phantom
(Quality Control Subject, PS3.3 §C.7.1.1).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from PIL import Image
from pydicom import dcmread, dcmwrite
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    MRImageStorage,
    UltrasoundMultiFrameImageStorage,
    generate_uid,
)

from portal.demo.anatomy import chest, shadow
from portal.demo.drawing import Array, Axis, Plane, blur, grain
from portal.demo.flat import Angle, breast, heartbeat
from portal.demo.head import Weighting, head
from studies.values import PHANTOM_ROOT

SIDES = {"L": "Left", "R": "Right"}
WORDS = "Computed phantom, not a person"


@dataclass(frozen=True)
class Exam:
    """What a facility's system would write into every object of one study."""

    patient_id: str
    name: str  # DICOM PN
    birth_date: date
    sex: str
    on: date
    accession_number: str
    description: str
    facility: str = "Lakeside Imaging"
    referring: str = "Fernsby^Ada^^Dr"
    issuer: str = ""
    at: str = "101500"

    @property
    def study_uid(self) -> str:
        """Study Instance UID; the same exam has the same one always."""
        return self.uid("study")

    def uid(self, *path: object) -> str:
        """A UID for something in this exam."""
        words = (self.facility, self.issuer, self.patient_id, self.accession_number, self.on, *path)
        return str(generate_uid(PHANTOM_ROOT, entropy_srcs=[str(word) for word in words]))


@dataclass(frozen=True)
class Group:
    """What the objects of one series share."""

    number: int
    modality: str
    sop_class: str
    description: str
    body_part: str


# --- exams -------------------------------------------------------------------------------------------


def ct_chest(exam: Exam, *, slices: int = 62, size: int = 512) -> Iterator[bytes]:
    """A chest with contrast: axial slices from the neck to the liver, every other one for the lungs, coronal ones."""
    spacing = 384 / size
    thickness = 279 / slices
    axial = Group(2, "CT", CTImageStorage, "Axial, soft tissue", "CHEST")
    lung = Group(3, "CT", CTImageStorage, "Axial, lung", "CHEST")
    coronal = Group(4, "CT", CTImageStorage, "Coronal", "CHEST")
    for number in range(slices):
        plane = Plane("axial", (0.0, 14.0, 124 - number * thickness), size, size, spacing)
        cut = chest(plane, number)
        yield _ct(exam, axial, number + 1, plane, thickness, cut, (40, 400))
        if number % 2 == 0:
            yield _ct(exam, lung, number // 2 + 1, plane, thickness, cut, (-550, 1500))
    for number in range(slices // 2):
        plane = Plane("coronal", (0.0, -90 + number * 400 / slices, -15.0), size * 3 // 4, size * 3 // 4, spacing)
        yield _ct(exam, coronal, number + 1, plane, 400 / slices, chest(plane, number), (40, 500))


def ct_chest_before(exam: Exam, *, slices: int = 31, size: int = 512) -> Iterator[bytes]:
    """The same chest some time earlier, in thicker slices: its nodule is smaller."""
    thickness = 279 / slices
    axial = Group(2, "CT", CTImageStorage, "Axial, soft tissue", "CHEST")
    for number in range(slices):
        plane = Plane("axial", (0.0, 14.0, 124 - number * thickness), size, size, 384 / size)
        cut = chest(plane, number, millimetres=8)
        yield _ct(exam, axial, number + 1, plane, thickness, cut, (40, 400))


def mr_head(exam: Exam, *, slices: int = 28, size: int = 256) -> Iterator[bytes]:
    """A head: axial T1 and T2, sagittal T1."""
    ways: list[tuple[Axis, Weighting]] = [("axial", "T1"), ("axial", "T2"), ("sagittal", "T1")]
    for place, (axis, weighting) in enumerate(ways):
        group = Group(place + 2, "MR", MRImageStorage, f"{axis.capitalize()} {weighting}", "HEAD")
        for number in range(slices):
            plane, gap = _head_plane(axis, number, slices, size)
            yield _mr(exam, group, number + 1, plane, gap, weighting)


def chest_xray(exam: Exam, *, size: int = 1024) -> Iterator[bytes]:
    """A chest from the front, in MONOCHROME1 as phosphor plates give it: the whitest is 0."""
    rays = shadow(size // 2, 1)
    rays = np.asarray(Image.fromarray(rays).resize((size, size), Image.Resampling.BICUBIC), np.float32)
    wide, fine = blur(rays, size / 17), blur(rays, size / 340)
    seen = 0.55 * (wide - rays.mean()) + 1.2 * (rays - wide) + 0.5 * (rays - fine)
    seen += 0.02 * grain(seen.shape, 0.8, np.random.default_rng(1))
    low, high = np.percentile(seen, [2, 99.8])
    group = Group(1, "CR", ComputedRadiographyImageStorage, "Chest PA", "CHEST")
    picture = _object(exam, group, 1)
    picture.ViewPosition, picture.PatientOrientation = "PA", ["L", "F"]
    picture.PixelSpacing = [400 / size] * 2
    _grey(picture, 4095 * (1 - np.clip((seen - low) / (high - low), 0, 1) ** 1.5), "MONOCHROME1", (2047, 4095))
    yield _written(picture)


def mammogram(exam: Exam, *, rows: int = 1280, columns: int = 1024) -> Iterator[bytes]:
    """Both breasts from above and from the side; the chest wall is on the inner side of each."""
    views: list[tuple[str, Angle]] = [("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO")]
    for number, (side, angle) in enumerate(views, start=1):
        seen = breast(rows, columns, angle, number)
        group = Group(
            number, "MG", DigitalMammographyXRayImageStorageForPresentation, f"{SIDES[side]} {angle}", "BREAST"
        )
        picture = _object(exam, group, 1)
        picture.ImageLaterality, picture.ViewPosition = side, angle
        picture.PatientOrientation = ["P", "L"] if side == "R" else ["A", "R"]
        picture.PresentationIntentType, picture.PresentationLUTShape = "FOR PRESENTATION", "IDENTITY"
        picture.ImagerPixelSpacing = [0.18, 0.18]
        _grey(picture, 4095 * (seen[:, ::-1] if side == "R" else seen), "MONOCHROME2", (1650, 3100))
        yield _written(picture)


def heart_ultrasound(exam: Exam, *, frames: int = 40, rows: int = 480, columns: int = 640) -> Iterator[bytes]:
    """One beat of a heart, in colour: a multi-frame of JPEG pictures."""
    group = Group(1, "US", UltrasoundMultiFrameImageStorage, "Four chambers, colour flow", "HEART")
    cine = _object(exam, group, 1)
    cine.NumberOfFrames, cine.FrameTime, cine.FrameIncrementPointer = frames, 25.0, 0x00181063
    _pixels(cine, rows, columns, "YBR_FULL_422", 8)
    cine.SamplesPerPixel, cine.PlanarConfiguration = 3, 0
    pictures = [_jpeg(picture) for picture in heartbeat(rows, columns, frames, 2)]
    cine.LossyImageCompression, cine.LossyImageCompressionMethod = "01", "ISO_10918_1"
    cine.LossyImageCompressionRatio = round(frames * rows * columns * 3 / sum(map(len, pictures)), 1)
    cine.PixelData = encapsulate(pictures)
    yield _written(cine, JPEGBaseline8Bit)


def example_ultrasound(exam: Exam) -> Iterator[bytes]:
    """The public ultrasound cine that pydicom carries for its own tests, under the exam's name. Not a phantom."""
    path = get_testdata_file("examples_ybr_color.dcm", download=False)
    cine = dcmread(str(path))
    _identify(cine, exam)
    cine.SeriesInstanceUID, cine.SOPInstanceUID = exam.uid("series", 1), exam.uid("object", 1, 1)
    cine.SeriesNumber, cine.InstanceNumber, cine.SeriesDescription = 1, 1, "Cine"
    yield _written(cine, JPEGBaseline8Bit)


# --- one object --------------------------------------------------------------------------------------


def _ct(
    exam: Exam, group: Group, number: int, plane: Plane, thickness: float, cut: Array, window: tuple[float, float]
) -> bytes:
    picture = _object(exam, group, number)
    _place(picture, exam, plane, thickness)
    picture.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"] if plane.axis == "axial" else ["DERIVED", "SECONDARY", "MPR"]
    picture.RescaleIntercept, picture.RescaleSlope, picture.RescaleType = -1024, 1, "HU"
    picture.KVP, picture.ContrastBolusAgent = 120, "Iodine, computed"
    _grey(picture, cut + 1024, "MONOCHROME2", window)
    return _written(picture)


def _mr(exam: Exam, group: Group, number: int, plane: Plane, gap: float, weighting: Weighting) -> bytes:
    picture = _object(exam, group, number)
    _place(picture, exam, plane, gap)
    picture.ImageType = ["ORIGINAL", "PRIMARY", "M"]
    picture.ScanningSequence, picture.SequenceVariant, picture.MRAcquisitionType = "SE", "NONE", "2D"
    picture.EchoTime, picture.RepetitionTime = (12, 550) if weighting == "T1" else (95, 4200)
    _grey(picture, head(plane, weighting, number), "MONOCHROME2", (430, 860))
    return _written(picture)


def _head_plane(axis: Axis, number: int, slices: int, size: int) -> tuple[Plane, float]:
    """Where one slice lies, and how far the next is; none lies in the cleft between the halves."""
    if axis == "axial":
        gap = 122 / slices
        return Plane(axis, (0.0, 0.0, -38 + number * gap), size, size, 230 / size), gap
    gap = 132 / slices
    return Plane(axis, (66 - (number + 0.5) * gap, 0.0, -12.0), size, size, 245 / size), gap


def _object(exam: Exam, group: Group, number: int) -> Dataset:
    """An object without its picture."""
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 192"
    _identify(made, exam)
    made.SOPClassUID, made.SOPInstanceUID = group.sop_class, exam.uid("object", group.number, number)
    made.SeriesInstanceUID, made.SeriesNumber, made.InstanceNumber = (
        exam.uid("series", group.number),
        group.number,
        number,
    )
    made.Modality, made.SeriesDescription, made.BodyPartExamined = group.modality, group.description, group.body_part
    made.Manufacturer, made.ManufacturerModelName, made.ImageComments = "Lightbox", "Phantom", WORDS
    made.QualityControlSubject, made.BurnedInAnnotation = "YES", "NO"
    return made


def _identify(made: Dataset, exam: Exam) -> None:
    """Write the patient and the study into an object."""
    made.PatientID, made.PatientName, made.PatientSex = exam.patient_id, exam.name, exam.sex
    made.IssuerOfPatientID, made.PatientBirthDate = exam.issuer, f"{exam.birth_date:%Y%m%d}"
    made.StudyInstanceUID, made.StudyID, made.AccessionNumber = exam.study_uid, "1", exam.accession_number
    made.StudyDate = made.SeriesDate = made.ContentDate = f"{exam.on:%Y%m%d}"
    made.StudyTime = made.SeriesTime = made.ContentTime = exam.at
    made.StudyDescription, made.InstitutionName = exam.description, exam.facility
    made.ReferringPhysicianName = exam.referring


def _place(picture: Dataset, exam: Exam, plane: Plane, thickness: float) -> None:
    """Image Plane module (PS3.3 §C.7.6.2)."""
    along, down = plane.steps()
    picture.ImagePositionPatient = [round(place, 4) for place in plane.corner()]
    picture.ImageOrientationPatient = [*along, *down]
    picture.PixelSpacing = [round(plane.spacing, 4)] * 2
    picture.SliceThickness, picture.FrameOfReferenceUID = round(thickness, 4), exam.uid("frame of reference")
    picture.PositionReferenceIndicator = ""


def _grey(picture: Dataset, values: np.ndarray[Any, Any], meaning: str, window: tuple[float, float]) -> None:
    """A 12-bit picture; `window` is centre and width after the rescale."""
    rows, columns = values.shape
    _pixels(picture, rows, columns, meaning, 12)
    picture.SamplesPerPixel = 1
    picture.WindowCenter, picture.WindowWidth = window
    picture.PixelData = np.clip(np.round(values), 0, 4095).astype("<u2").tobytes()


def _pixels(picture: Dataset, rows: int, columns: int, meaning: str, bits: int) -> None:
    """Image Pixel module (PS3.3 §C.7.6.3)."""
    picture.Rows, picture.Columns, picture.PhotometricInterpretation = rows, columns, meaning
    picture.BitsAllocated, picture.BitsStored, picture.HighBit = (bits + 7) // 8 * 8, bits, bits - 1
    picture.PixelRepresentation = 0


def _jpeg(picture: np.ndarray[Any, Any]) -> bytes:
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "JPEG", quality=88, subsampling="4:2:2")
    return content.getvalue()


def _written(made: Dataset, syntax: UID = ExplicitVRLittleEndian) -> bytes:
    """The object as a file with preamble and meta information (PS3.10 §7.1)."""
    if not hasattr(made, "file_meta"):
        made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = syntax
    made.file_meta.MediaStorageSOPClassUID, made.file_meta.MediaStorageSOPInstanceUID = (
        made.SOPClassUID,
        made.SOPInstanceUID,
    )
    content = io.BytesIO()
    dcmwrite(content, made, enforce_file_format=True)
    return content.getvalue()
