"""What is sent: computed exams, each time as another study. The pixels stay, the UIDs change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from io import BytesIO
from itertools import count
from string import ascii_uppercase
from typing import Any

from imagecodecs import jpeg2k_encode, jpegls_encode
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RawDataStorage,
)

from portal.demo.phantoms import Exam, chest_xray, ct_chest, heart_ultrasound, mammogram, mr_head
from tests.factories import related

EXAM = Exam("BENCH-1", "Zebrafish^Bench", date(1980, 5, 17), "F", date(2026, 1, 5), "A-1", "CT of the chest")
_numbers = count(10**22)
KINDS = ("CT", "MR", "CR")


@dataclass(frozen=True)
class Instance:
    """One file, and its names."""

    study_uid: str
    series_uid: str
    sop_uid: str
    file: bytes

    @classmethod
    def of(cls, file: bytes) -> Instance:
        """Read the names from the file's header."""
        header = dcmread(BytesIO(file), stop_before_pixels=True)
        return cls(header.StudyInstanceUID, header.SeriesInstanceUID, header.SOPInstanceUID, file)


@dataclass(frozen=True)
class Study:
    """Instances that are sent together, the slices of the first series in front."""

    instances: list[Instance]

    @classmethod
    def of(cls, files: list[bytes]) -> Study:
        """Sort the files by series, as a scanner sends them."""
        instances = [Instance.of(file) for file in files]
        series = list(dict.fromkeys(one.series_uid for one in instances))
        return cls(sorted(instances, key=lambda one: series.index(one.series_uid)))

    @property
    def uid(self) -> str:
        return self.instances[0].study_uid

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(len(one.file) for one in self.instances)

    @property
    def first_series(self) -> list[Instance]:
        return [one for one in self.instances if one.series_uid == self.instances[0].series_uid]

    def again(self, most: int | None = None, patient_id: str = EXAM.patient_id) -> Study:
        """The same pictures, or the first of them, as a study that nobody has seen yet; of another patient, too."""
        # Each name is as long as the one it replaces: nothing moves.
        names = {self.uid.rpartition(".")[0]: f"2.25.{next(_numbers)}", EXAM.patient_id: patient_id}
        return Study([Instance.of(_renamed(one.file, names)) for one in self.instances[:most]])

    def requests(self, per_request: int) -> list[tuple[str, bytes]]:
        """Content type and body of each STOW-RS request that delivers it."""
        files = [one.file for one in self.instances]
        return [related(files[start : start + per_request]) for start in range(0, len(files), per_request)]


def _renamed(file: bytes, names: dict[str, str]) -> bytes:
    for old, new in names.items():
        file = file.replace(old.encode(), new.encode())
    return file


def chest(slices: int) -> Study:
    """A CT of twice as many instances as slices, 470 kB each on average."""
    return Study.of(list(ct_chest(EXAM, slices=slices)))


def head(slices: int) -> Study:
    """An MR of three times as many instances as slices, 132 kB each."""
    exam = replace(EXAM, accession_number="A-2", description="MR of the head")
    return Study.of(list(mr_head(exam, slices=slices)))


def compressed(study: Study) -> Study:
    """The same pictures in JPEG-LS, lossless."""
    return Study([Instance.of(_encoded(one.file, jpegls_encode, JPEGLSLossless)) for one in study.instances])


def _encoded(file: bytes, encode: Callable[..., Any], syntax: UID) -> bytes:
    picture, content = dcmread(BytesIO(file)), BytesIO()
    picture.PixelData = encapsulate([bytes(encode(picture.pixel_array))])
    picture["PixelData"].VR = "OB"
    picture.file_meta.TransferSyntaxUID = syntax
    dcmwrite(content, picture, enforce_file_format=True)
    return content.getvalue()


def _plain(one: Dataset, pixels: bytes) -> Study:
    content = BytesIO()
    one.PixelData = pixels
    one["PixelData"].VR = "OW"
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dcmwrite(content, one, enforce_file_format=True)
    return Study.of([content.getvalue()])


def ultrasound(frames: int) -> Study:
    """One recording in colour, 921,600 bytes a frame, without compression."""
    one = dcmread(BytesIO(next(iter(heart_ultrasound(EXAM, frames=1)))))
    picture = one.pixel_array.tobytes()
    one.PhotometricInterpretation, one.NumberOfFrames = "RGB", frames
    return _plain(one, picture * frames)


def enhanced(frames: int) -> Study:
    """One CT of so many frames of 512², 524,288 bytes each."""
    one = dcmread(BytesIO(next(iter(ct_chest(EXAM, slices=1)))))
    one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    one.NumberOfFrames = frames
    return _plain(one, one.PixelData * frames)


def breasts() -> Study:
    """Four mammograms of 3,328 × 2,560."""
    return Study.of(list(mammogram(EXAM, rows=3328, columns=2560)))


def x_ray() -> Study:
    """A chest of 2,048²."""
    return Study.of(list(chest_xray(EXAM, size=2048)))


def in_jpeg_2000(study: Study) -> Study:
    """The same pictures in JPEG 2000, lossless."""
    return Study([Instance.of(_encoded(one.file, jpeg2k_encode, JPEG2000Lossless)) for one in study.instances])


def strangers(count: int) -> Iterator[list[bytes]]:
    """Studies of so many other people, of one small instance without a picture each, by the twenty-five."""
    one = dcmread(BytesIO(next(iter(chest_xray(EXAM, size=16)))))
    one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = RawDataStorage
    for element in list(one.group_dataset(0x0028)) + list(one.group_dataset(0x7FE0)):
        del one[element.tag]  # an image without its pixels would be one that was cut off
    for start in range(0, count, 25):
        yield [_of_a_stranger(one, number) for number in range(start, min(start + 25, count))]


def _of_a_stranger(one: Dataset, number: int) -> bytes:
    content, day = BytesIO(), date(2015, 1, 1) + timedelta(days=number * 7 % 4000)
    one.PatientID, one.PatientName = f"OTHER-{number}", f"{ascii_uppercase[number % 25]}ther^{number}"
    one.StudyDate, one.AccessionNumber, one.Modality = f"{day:%Y%m%d}", f"O-{number}", KINDS[number % len(KINDS)]
    one.StudyInstanceUID, one.SeriesInstanceUID, sop_uid = (UID(f"2.25.{next(_numbers)}") for _name in range(3))
    one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = sop_uid
    dcmwrite(content, one, enforce_file_format=True)
    return content.getvalue()


def many(study: Study, size: int) -> Iterator[Study]:
    """Ever new studies of these pictures, until so many bytes were given out."""
    given = 0
    while given < size:
        yield study.again()
        given += study.size
