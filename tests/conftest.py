"""Shared by all tests: an empty XINGLIN_HOME each, the data folder, a real PostgreSQL server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from xinglin.store import Store, open_store

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("XINGLIN_HOME", str(folder))
    for name in ("XINGLIN_DATABASE_URL", "XINGLIN_ARCHIVE_KEY"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def store() -> Iterator[Store]:
    opened = open_store()
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of shared data sets; a test that needs it says so when it is absent."""
    folder = Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no data sets at {folder}: set XINGLIN_DATA")
    return folder


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server of our own, from Debian's package, on a free port."""
    found = (
        sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        if Path("/usr/lib/postgresql").is_dir()
        else []
    )
    initdb = found[-1] if found else shutil.which("initdb")
    if not initdb:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    binaries = Path(initdb).parent
    # Not below pytest's folder, which other users may not enter: the server refuses to run as root.
    folder = Path(tempfile.mkdtemp(prefix="xinglin-postgres-"))
    prefix = []
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
        prefix = ["runuser", "-u", "postgres", "--"]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    database = folder / "data"
    subprocess.run(
        [*prefix, binaries / "initdb", "-D", database, "-U", "xinglin", "-A", "trust", "--no-sync"],
        check=True,
        capture_output=True,
        cwd="/",
    )
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    control = [*prefix, binaries / "pg_ctl", "-D", database, "-w"]
    subprocess.run(
        [*control, "-o", options, "-l", folder / "log", "start"], check=True, capture_output=True, cwd="/"
    )
    try:
        yield f"postgresql://xinglin@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=False, capture_output=True, cwd="/")
        shutil.rmtree(folder, ignore_errors=True)
