"""What is sent: computed exams, each time as another study. The pixels stay, the UIDs change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from io import BytesIO
from itertools import count

from imagecodecs import jpegls_encode
from pydicom import dcmread, dcmwrite
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLSLossless

from portal.demo.phantoms import Exam, ct_chest, mr_head
from tests.factories import related

EXAM = Exam("BENCH-1", "Zebrafish^Bench", date(1980, 5, 17), "F", date(2026, 1, 5), "A-1", "CT of the chest")
_numbers = count(10**22)


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
    return Study([Instance.of(_in_jpeg_ls(one.file)) for one in study.instances])


def _in_jpeg_ls(file: bytes) -> bytes:
    picture, content = dcmread(BytesIO(file)), BytesIO()
    picture.PixelData = encapsulate([bytes(jpegls_encode(picture.pixel_array))])
    picture["PixelData"].VR = "OB"
    picture.file_meta.TransferSyntaxUID = JPEGLSLossless
    dcmwrite(content, picture, enforce_file_format=True)
    return content.getvalue()


def many(study: Study, size: int) -> Iterator[Study]:
    """Ever new studies of these pictures, until so many bytes were given out."""
    given = 0
    while given < size:
        yield study.again()
        given += study.size
