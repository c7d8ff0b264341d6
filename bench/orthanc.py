"""Orthanc, the peer: its own defaults, the settings its book advises for speed, no authentication."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import requests

from bench.client import Connection
from bench.corpus import Study
from bench.server import Server
from tests.journeys.conftest import eventually, free_port

PROGRAM, PLUGIN = "usr/sbin/Orthanc", "usr/share/orthanc/plugins/libOrthancDicomWeb.so"
DECODER = "usr/share/orthanc/plugins/libOrthancGdcm.so"  # of JPEG 2000
ADVISED = {  # "Scalability of Orthanc" in the Orthanc Book
    "StorageAccessOnFind": "Never",
    "SaveJobs": False,
    "KeepAlive": True,
    "TcpNoDelay": True,
    "HttpThreadsCount": 64,
}


class Orthanc(Server):
    """A server of its own, without any data; from another system's root when one is given."""

    @staticmethod
    def is_in(root: Path) -> bool:
        """Whether it is installed there, with its plugin for DICOMweb."""
        return all((root / path).exists() for path in (PROGRAM, PLUGIN))

    def __init__(self, root: Path = Path("/"), **settings: Any) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._settings = settings
        self._plugins = [f"/{path}" for path in (PLUGIN, DECODER) if (root / path).exists()]
        self._folder = Path(mkdtemp(prefix="lightbox-bench-", dir=root / "tmp"))
        inside = "/" / self._folder.relative_to(root)
        (self._folder / "orthanc.json").write_text(json.dumps(self._configuration(inside)))
        command = [*([] if root == Path("/") else ["chroot", str(root)]), f"/{PROGRAM}", f"{inside}/orthanc.json"]
        environment = {**os.environ, "TMPDIR": str(inside)}  # where it makes its archives
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        self.pid = self._process.pid

    def prepare(self) -> None:
        self.name = "Orthanc " + eventually(self._version, "Orthanc answering")

    def _configuration(self, folder: Path) -> dict[str, Any]:
        return {
            **ADVISED,
            "StorageDirectory": f"{folder}/store",
            "IndexDirectory": f"{folder}/store",
            "Plugins": self._plugins,
            "HttpPort": self.port,
            "DicomServerEnabled": False,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            **self._settings,
        }

    def _version(self) -> str | None:
        if self._process.poll() is not None:
            raise RuntimeError((self._folder / "log").read_text())
        try:
            version: str = self._get("/system")["Version"]
        except requests.ConnectionError:
            return None
        return version

    def wait_for(self, study: Study) -> None:
        """Nothing: Orthanc makes a picture when it is asked for."""

    def pictures(self, study: Study) -> list[str]:
        base = f"/dicom-web/studies/{study.uid}/series"
        return [f"{base}/{one.series_uid}/instances/{one.sop_uid}/rendered" for one in study.first_series]

    def has_picture(self, study: Study) -> bool:
        with Connection(self.port, {}) as connection:
            return connection.has(self.pictures(study)[0])

    def searching(self) -> dict[str, dict[str, str]]:
        return {"": {}, ", by a clerk": {}}  # it tells nobody from another

    def archive(self, study: Study) -> str:
        answer = requests.post(f"{self.url}/tools/lookup", data=study.uid, timeout=30)
        answer.raise_for_status()
        return f"{answer.json()[0]['Path']}/media"

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)
        shutil.rmtree(self._folder)

    def _get(self, path: str) -> Any:
        answer = requests.get(f"{self.url}{path}", timeout=30)
        answer.raise_for_status()
        return answer.json()
