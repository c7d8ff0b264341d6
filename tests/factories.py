"""DICOM made for tests: small and of nobody. Every patient is called ZEBRAFISH."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from typing import Any

import numpy as np
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

CT: str = CTImageStorage
ROOT = "1.2.826.0.1.3680043.10.1420"
"""Below it every test makes its UIDs: see `uid`."""


def uid(*numbers: int) -> str:
    """A UID, the same for the same numbers."""
    return ".".join([ROOT, *map(str, numbers)])


def ct_slice(number: int = 1, *, study: int = 1, series: int = 1, size: int = 64, **attributes: Any) -> Dataset:
    """One axial CT slice of a bright disc, 2.5 mm above the one before; `size` pixels wide and high."""
    ds = Dataset()
    said: dict[str, Any] = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": uid(study, series, number),
        "StudyInstanceUID": uid(study),
        "SeriesInstanceUID": uid(study, series),
        "StudyDate": "20260131",
        "StudyTime": "101500",
        "StudyDescription": "CT chest",
        "AccessionNumber": f"ACC{study}",
        "Modality": "CT",
        "SeriesNumber": series,
        "SeriesDescription": "Axial 2.5 mm",
        "InstanceNumber": number,
        "PatientName": "ZEBRAFISH^Maria",
        "PatientID": "P1",
        "PatientBirthDate": "19800517",
        "PatientSex": "F",
        "ImagePositionPatient": [0, 0, 2.5 * number],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [0.7, 0.7],
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        "WindowCenter": 40,
        "WindowWidth": 400,
        **_pixels(number, size),
        **attributes,
    }
    with disable_value_validation():  # some tests want what no standard allows
        for keyword, value in said.items():
            if value is not None:
                setattr(ds, keyword, value)
    return ds


def _pixels(number: int, size: int) -> dict[str, Any]:
    y, x = np.ogrid[:size, :size]
    inside = (x - size / 2) ** 2 + (y - size / 2) ** 2 < (size / 3) ** 2
    pixels = np.where(inside, 1064 + number, 24).astype("<u2")
    return {
        "Rows": size,
        "Columns": size,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "PixelData": pixels.tobytes(),
    }


def dicom_bytes(ds: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """The data set as a Part 10 file, not compressed."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax  # type: ignore[assignment]
    buffer = BytesIO()
    with disable_value_validation():
        ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def ct_file(number: int = 1, **attributes: Any) -> bytes:
    """One slice as a file: see `ct_slice`."""
    return dicom_bytes(ct_slice(number, **attributes))


def ct_series(count: int, **attributes: Any) -> list[bytes]:
    """The files of slices 1 to `count`."""
    return [ct_file(number, **attributes) for number in range(1, count + 1)]


def related(files: Iterable[bytes], boundary: str = "factory-boundary") -> tuple[str, bytes]:
    """Content type and body of a STOW-RS request with these parts (PS3.18 §10.5.1)."""
    head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    body = b"".join(head + file + b"\r\n" for file in files) + f"--{boundary}--\r\n".encode()
    return f'multipart/related; type="application/dicom"; boundary={boundary}', body


def whose() -> Dataset:
    """Who the patient of all these files is; what is said of somebody else waits at the desk."""
    ds = Dataset()
    ds.PatientName, ds.PatientBirthDate, ds.PatientSex = "ZEBRAFISH^Maria", "19800517", "F"
    return ds
