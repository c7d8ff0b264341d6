"""C-STORE by DCMTK's storescu: into the gateway, and into Orthanc, in turns on the same machine.

python -m bench.storing [ROUNDS]

The gateway runs as its own process, seals and syncs each file before it answers; its portal is away, so that taking
alone is measured. TCP_NODELAY is set on all lines, for Orthanc by DCMTK's variable of that name: otherwise one
measures how long a delayed acknowledgement is waited for, which is nine tenths of its time here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.orthanc import Orthanc
from tests import factories
from tests.clients.test_gateway import Gateway, peer
from tests.journeys.conftest import free_port

FILES, SIZE = 200, 512
NOWHERE = "http://127.0.0.1:1"


def send(port: int, called: str, paths: list[str]) -> float:
    """Seconds that storescu takes for all files, on one association."""
    began = time.perf_counter()
    command = ["storescu", "-aet", "PACS", "-aec", called, "127.0.0.1", str(port), *paths]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def made(folder: Path, number: int) -> list[str]:
    """Files that nobody has seen: each round sends others."""
    folder.mkdir()
    paths = []
    for place in range(1, FILES + 1):
        paths.append(folder / f"{place}.dcm")
        paths[-1].write_bytes(factories.ct_file(place, study=number, size=SIZE))
    return [str(path) for path in paths]


def main(rounds: int) -> None:
    """Print a line for each, and the ratio."""
    os.environ["TCP_NODELAY"] = "1"  # storescu and Orthanc speak by DCMTK
    times: dict[str, list[float]] = {"gateway": [], "Orthanc": []}
    with TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        gateway = Gateway(folder / "gateway", NOWHERE, "none", peer())
        orthanc = Orthanc(DicomServerEnabled=True, DicomAet="ORTHANC", DicomPort=port, DicomCheckCalledAet=False)
        try:
            orthanc.prepare()
            for number in range(1, rounds + 1):
                paths = made(folder / str(number), number)
                for who, at, called in (("gateway", gateway.port, "LIGHTBOX"), ("Orthanc", port, "ORTHANC")):
                    times[who].append(send(at, called, paths))
                shutil.rmtree(folder / str(number))
        finally:
            gateway.stop()
            orthanc.stop()
    for who, each in times.items():
        print(f"{who}: {FILES / median(each):.0f} files of 512 × 512 a second (median of {rounds} rounds)")
    print(f"ratio: {median(times['Orthanc']) / median(times['gateway']):.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
