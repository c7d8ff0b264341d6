"""Read a DICOM medium the way other software does."""

from __future__ import annotations

from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.fileset import FileSet


def instances_on(folder: Path) -> list[Dataset]:
    """Every instance that the folder's DICOMDIR leads to."""
    medium = FileSet(folder / "DICOMDIR")
    try:
        return [instance.load() for instance in medium]
    finally:
        # pydicom leaves its staging folder to the garbage collector, which complains in somebody else's test.
        medium._stage["t"].cleanup()
