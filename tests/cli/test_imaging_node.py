"""``xinglin imaging node`` as a process of its own; ``xinglin imaging web`` against a real server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pydicom
import pytest
import typer
from typer.testing import CliRunner

from tests.apps.imaging.orthanc import free_port, running
from tests.apps.imaging.synthetic import Geometry, Sphere, brightest, write_series
from tests.apps.imaging.test_node import push
from xinglin.apps.imaging.measured import Algorithm
from xinglin.cli import imaging_detector
from xinglin.cli.imaging_node import web
from xinglin.ledger import entries
from xinglin.store import open_store

SMALL = Geometry(shape=(16, 32, 32))
SPHERES = [Sphere((22.0, -129.0, 311.0), 8.0)]
PROCESS = """
import sys, typer
from tests.apps.imaging.synthetic import brightest
from xinglin.apps.imaging.measured import Algorithm
from xinglin.cli import imaging_detector
from xinglin.cli.imaging_node import node
imaging_detector.load_detector = lambda *a, **k: (brightest, Algorithm("blob", "1.0"))
app = typer.Typer()
app.command()(node)
app()
"""


@pytest.mark.slow
def test_a_killed_node_goes_on_where_it_was(home: Path, tmp_path: Path) -> None:
    folder = write_series(tmp_path / "ct", SPHERES, SMALL)
    port = free_port()
    root = Path(__file__).resolve().parents[2]
    environment = os.environ | {"PYTHONPATH": f"{root / 'src'}:{root}"}

    def begin(idle: str) -> subprocess.Popen[bytes]:
        told = ["--caller", "SCANNER", "--port", str(port), "--idle", idle]
        process = subprocess.Popen(
            [sys.executable, "-c", PROCESS, *told], env=environment, cwd=root, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        assert "节点已启动" in line
        return process

    first = begin("60")
    assert set(push(port, list(folder.iterdir()))) == {0}
    first.kill()
    first.wait()
    second = begin("1")
    results = home / "imaging-node" / "outbox"
    for _ in range(300):
        if list(results.glob("*/sr.dcm")):
            break
        time.sleep(0.1)
    (made,) = results.glob("*/sr.dcm")
    assert pydicom.dcmread(made).Modality == "SR"
    second.send_signal(signal.SIGTERM)
    assert second.wait(30) == 0


def test_web_fetches_and_stores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(
        imaging_detector, "load_detector", lambda *_, **__: (brightest, Algorithm("blob", "1.0"))
    )
    app = typer.Typer()
    app.command()(web)
    folder = write_series(tmp_path / "ct", SPHERES, SMALL)
    study = pydicom.dcmread(next(folder.iterdir())).StudyInstanceUID
    with running(tmp_path / "orthanc", free_port()) as pacs:
        pacs.upload(folder)
        done = CliRunner().invoke(app, [pacs.web, study, "--store"])
        assert done.exit_code == 0, done.output
        assert pacs.modalities() == ["CT", "OT", "SEG", "SR"]
    assert "影像所见" in done.output
    assert "已存回" in done.output
    with open_store().read() as connection:
        assert [entry.action for entry in entries(connection)] == ["imaging.web", "imaging.web.store"]
