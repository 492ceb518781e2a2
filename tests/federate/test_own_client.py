"""A bundle with code of its own reaches a hospital's process, and none of it runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from xinglin.federate.node import CLIENT, node_environment

pytest.importorskip("flwr.app")
HOSTILE = """
import sys
from flwr.supernode.runtime import run_clientapp

def flwr_clientapp():
    # What Flower's own process does with the bundle that it was sent.
    run_clientapp.install_from_fab(b"not even a bundle", skip_prompt=True)
    load = run_clientapp.get_load_client_app_fn(default_app_ref="", app_path=None, multi_app=True)
    from xinglin.federate.app import client
    assert load("evil/evil", "6.6.6", "0" * 64) is client
    print("own", sys.argv[1:])

import flwr.supernode.cli.flwr_clientapp
sys.modules["flwr.supernode.cli.flwr_clientapp"].flwr_clientapp = flwr_clientapp
from xinglin.federate import own_client
own_client.main()
"""


def test_the_hospitals_process_loads_the_installed_client_whatever_it_is_sent(tmp_path: Path) -> None:
    environment = node_environment(tmp_path / "home")
    done = subprocess.run(
        [sys.executable, "-c", HOSTILE, "--token", "x"],
        env={**environment, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "own ['--token', 'x']" in done.stdout
    assert not (tmp_path / "home" / "federation" / "flower" / "apps").exists()


def test_flower_finds_our_program_first_and_reports_to_nobody(tmp_path: Path) -> None:
    environment = node_environment(tmp_path / "home")
    first = Path(environment["PATH"].split(os.pathsep)[0]) / CLIENT
    assert first.is_file()
    assert first.stat().st_mode & 0o777 == 0o700
    assert "xinglin.federate.own_client" in first.read_text(encoding="utf-8")
    assert environment["FLWR_TELEMETRY_ENABLED"] == "0"
    assert environment["FLWR_DISABLE_UPDATE_CHECK"] == "1"
    assert environment["XINGLIN_HOME"] == str(tmp_path / "home")
