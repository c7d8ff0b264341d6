"""kill -9 after "stored" and before the way out, again and again: what a machine heard "stored" of reaches the portal.

Three kills in the suite; GATEWAY_KILLS=100 for more.
"""

from __future__ import annotations

import os
import signal
from io import BytesIO
from pathlib import Path
from typing import Final

import pytest
from pydicom import dcmread
from pynetdicom import AE

from tests import factories
from tests.clients.test_gateway import Gateway, facility, peer
from tests.journeys.conftest import eventually, site
from tests.journeys.test_real_senders import Facility

__all__ = ["facility", "site"]

pytestmark = pytest.mark.journey

KILLS: Final = int(os.environ.get("GATEWAY_KILLS", "3"))
STUDY: Final = 7710
EACH: Final = 3


def stored(gateway: Gateway, number: int) -> None:
    """Store one, and return when "stored" was heard."""
    dataset = dcmread(BytesIO(factories.ct_file(number, study=STUDY, PatientID="GATEWAY-9")))
    machine = AE(ae_title="PACS")
    machine.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
    line = machine.associate("127.0.0.1", gateway.port, ae_title="LIGHTBOX")
    assert line.send_c_store(dataset).Status == 0x0000
    line.abort()


def test_kills_between_stored_and_sent_lose_nothing(facility: Facility, tmp_path: Path) -> None:
    for kill in range(KILLS):
        gateway = Gateway(tmp_path / "gateway", facility.site.url, facility.key, peer())
        for number in range(EACH):
            stored(gateway, 1 + kill * EACH + number)
        gateway.stop(signal.SIGKILL)
    last = Gateway(tmp_path / "gateway", facility.site.url, facility.key, peer())
    try:
        eventually(lambda: "0 waiting" in last.ask("status"), "everything published")
        assert "0 dead" in last.ask("status")
    finally:
        last.stop()
    assert len(facility.digests(factories.uid(STUDY))) == KILLS * EACH
