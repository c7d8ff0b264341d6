"""Debian's Orthanc as other people run it: with Lightbox as a DICOMweb server, or with a gateway as a modality."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.orthanc import Orthanc


@contextmanager
def orthanc_with(**settings: Any) -> Iterator[Orthanc]:
    """A running Orthanc with these settings of its configuration; the test is skipped where there is none."""
    if not Orthanc.is_in(Path("/")):
        pytest.skip("no Orthanc on this machine (.ci/packages orthanc orthanc-dicomweb)")
    running = Orthanc(**settings)
    try:
        running.prepare()
        yield running
    finally:
        running.stop()


def knowing_lightbox(url: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """Settings under which it knows Lightbox as the DICOMweb server "lightbox"."""
    return {"DicomWeb": {"Enable": True, "Servers": {"lightbox": {"Url": f"{url}/", "HttpHeaders": dict(headers)}}}}
