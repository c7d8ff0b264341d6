"""What all tests share: the cast, the tripwire for identity, and what lies outside the project.

Every synthetic patient is called ZEBRAFISH: the name in a log line, a mail subject or a broker message fails the
test that put it there.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core import mail

TRIPWIRE = "ZEBRAFISH"
SAMPLES = Path(__file__).resolve().parent.parent.parent / "shared" / "dicom-samples"


@pytest.fixture(autouse=True)
def no_phi_leaks(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No synthetic patient's name in any log line or mail subject of any test."""
    caplog.set_level(logging.DEBUG)
    yield
    said = [record.getMessage() for phase in ("setup", "call") for record in caplog.get_records(phase)]
    said += [message.subject for message in getattr(mail, "outbox", [])]
    assert not [line for line in said if TRIPWIRE in line.upper()], "identity in a log line or a mail subject"


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of real DICOM files beside the project; tests over it skip when it is not there."""
    if not SAMPLES.is_dir():
        pytest.skip("no folder of DICOM samples beside the project")
    return SAMPLES


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser of the journeys."""
    found = shutil.which("chromium")
    if not found:
        pytest.skip("no chromium on this machine (apt install chromium)")
    return found
