"""Versions on a real MLflow server, started by the test."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.release.registered import checkpoint, metric
from xinglin.errors import ConfigurationError, InvalidInputError
from xinglin.release.gates.policy import policy_from
from xinglin.release.registry.mirror import TAG, mirror
from xinglin.release.registry.promote import promote
from xinglin.release.registry.record import attach, find, register
from xinglin.store import Store


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    stores = [
        "--backend-store-uri",
        f"sqlite:///{folder}/m.db",
        "--artifacts-destination",
        str(folder / "files"),
    ]
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, *stores], stdout=log, stderr=log, env=environment, start_new_session=True
        )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{url}/health", timeout=2)
                break
            except (urllib.error.URLError, OSError):
                if process.poll() is not None:
                    raise RuntimeError((folder / "log").read_text()[-2000:]) from None
                time.sleep(0.2)
        else:
            raise RuntimeError((folder / "log").read_text()[-2000:])
        yield url
    finally:
        os.killpg(process.pid, 15)
        process.wait(20)


@pytest.mark.slow
def test_a_version_is_found_in_mlflow_with_its_figures(store: Store, tmp_path: Path, server: str) -> None:
    from mlflow.tracking import MlflowClient

    folder = checkpoint(tmp_path / "a")
    with store.write() as connection:
        register(connection, folder, actor="lead")
        for content in (metric(), metric(group={"kind": "site", "value": "甲"}, value=0.025)):
            attach(connection, "nodules", "1.0.0", "metric", content, actor="tester")
        curve = {"name": "loss", "points": [[1, 0.9], [2, 0.5]]}
        attach(connection, "nodules", "1.0.0", "curves", curve, actor="tester")
    with store.read() as connection:
        run = mirror(find(connection, "nodules"), server)
    limits = {"name": "error", "at_most": 0.05}
    promote(
        store,
        "nodules",
        "1.0.0",
        policy_from({"name": "p", "signature": False, "error": limits}),
        actor="lead",
    )
    with store.read() as connection:
        version = find(connection, "nodules")
    assert mirror(version, server, weights=folder) == run
    client = MlflowClient(tracking_uri=server, registry_uri=server)
    told = client.get_run(run).data
    assert told.tags[TAG] == version.checkpoint
    assert told.tags["xinglin.stage"] == "released"
    assert told.params["width"] == "16"
    assert told.metrics["error made"] == 0.02
    assert [point.value for point in client.get_metric_history(run, "loss")][:2] == [0.9, 0.5]
    assert client.get_model_version_by_alias("nodules", "released").tags["xinglin.number"] == "1.0.0"
    assert len(client.search_model_versions("name = 'nodules'")) == 1
    assert {one.path for one in client.list_artifacts(run, "model")} >= {
        "model/manifest.json",
        "model/model.safetensors",
    }


def test_a_server_that_is_not_there_is_named(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with store.write() as connection:
        version = register(connection, checkpoint(tmp_path / "a"), actor="lead")
    with pytest.raises(InvalidInputError, match="http"):
        mirror(version, "mlflow.hospital:5000")
    with pytest.raises(ConfigurationError, match=r"MLflow at http://127\.0\.0\.1:9 refused"):
        mirror(version, "http://127.0.0.1:9")
