"""A real PACS for tests: Orthanc from Debian with its DICOMweb plugin, on free ports, its data in the test's folder."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Orthanc:
    dicom: int
    http: int

    @property
    def web(self) -> str:
        return f"http://127.0.0.1:{self.http}/dicom-web"

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}", timeout=20) as answer:
            return json.loads(answer.read())

    def modalities(self) -> list[str]:
        """Of all series it holds, sorted."""
        return sorted(self.get(f"/series/{one}")["MainDicomTags"]["Modality"] for one in self.get("/series"))

    def upload(self, folder: Path) -> None:
        for path in sorted(folder.glob("*.dcm")):
            request = urllib.request.Request(
                f"http://127.0.0.1:{self.http}/instances", data=path.read_bytes()
            )
            urllib.request.urlopen(request, timeout=20).close()

    def send(self, modality: str, series: str) -> None:
        """Have it send a series to one of its modalities, as a radiographer does."""
        found = [
            one
            for one in self.get("/series")
            if self.get(f"/series/{one}")["MainDicomTags"]["SeriesInstanceUID"] == series
        ]
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http}/modalities/{modality}/store", data=json.dumps(found).encode()
        )
        urllib.request.urlopen(request, timeout=60).close()


@contextmanager
def running(folder: Path, node_port: int, aet: str = "XINGLIN") -> Iterator[Orthanc]:
    binary = shutil.which("Orthanc")
    if binary is None or not PLUGIN.is_file():
        pytest.skip(
            "Orthanc or its DICOMweb plugin is not installed: apt-get install orthanc orthanc-dicomweb"
        )
    made = Orthanc(free_port(), free_port())
    settings = {
        "Name": "test",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpPort": made.http,
        "DicomPort": made.dicom,
        "DicomAet": "ORTHANC",
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "Plugins": [str(PLUGIN)],
        "DicomModalities": {"node": [aet, "127.0.0.1", node_port]},
        "DicomWeb": {"Enable": True},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log").open("wb") as written:
        process = subprocess.Popen(
            [binary, folder / "orthanc.json"], stdout=written, stderr=subprocess.STDOUT
        )
    try:
        for _ in range(200):
            try:
                made.get("/system")
                break
            except (urllib.error.URLError, ConnectionError):
                if process.poll() is not None:
                    raise RuntimeError((folder / "log").read_text()[-2000:]) from None
                time.sleep(0.1)
        else:
            raise RuntimeError("Orthanc did not start")
        yield made
    finally:
        process.terminate()
        process.wait(20)
